"""The path that `gameday simulate` runs: the compiled kernel, fed and drained as sim/world.py does it each second."""

from dataclasses import dataclass

from sim.data.event_plane import EventPlane
from sim.data.plane import Chunk
from tests.bench.cases import SECOND, Case


@dataclass(frozen=True)
class Played:
    """What came out of the kernel, and how many occurrences it performed."""

    chunks: list[Chunk]
    events: int


def play(case: Case, *, keep: bool = True) -> Played:
    """Play a case to its horizon; without `keep` each second's facts are let go, as by the world once recorded."""
    plane = EventPlane(case.system)
    source = case.source()
    chunks: list[Chunk] = []
    script = iter(case.script)
    entry = next(script, None)
    seconds = range(SECOND, case.until_ns, SECOND)
    for horizon in sorted({*seconds, *(e.at_ns for e in case.script), case.until_ns}):
        while plane.needs_arrivals_before(horizon):
            plane.feed(source.take(horizon))
        plane.advance(horizon)
        while entry is not None and entry.at_ns == horizon:
            plane.command(entry.command, entry.a, entry.b, entry.c)
            entry = next(script, None)
        if horizon % SECOND == 0 and horizon < case.until_ns:
            chunk = plane.drain()
            if keep:
                chunks.append(chunk)
    chunks.append(plane.drain(final=True))
    return Played(chunks, plane.events)
