"""Compare the compiled kernel with the SimPy reference on one system: every column of every chunk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np

from sim.data.commands import Command
from sim.data.event_plane import EventPlane
from sim.data.plane import I64, Chunk, Counters, DataPlane, LoadRows
from sim.data.system import System
from sim.reference.reference_plane import ReferencePlane

COUNTS = ("intended", "sent", "ok", "failed", "unknown", "attempts")
HISTOGRAMS = ("own_hist", "caller_hist", "path_hist")


class TimedCommand(Protocol):
    """A command of a script and when it is given."""

    @property
    def at_ns(self) -> int:
        """Instant, in nanoseconds."""
        ...

    @property
    def command(self) -> Command:
        """Which command."""
        ...

    @property
    def a(self) -> int:
        """First argument."""
        ...

    @property
    def b(self) -> int:
        """Second argument."""
        ...

    @property
    def c(self) -> int:
        """Third argument."""
        ...


@dataclass(frozen=True)
class Facts:
    """All a plane said about one run: columns by name, counters at each stop, stops of watches."""

    columns: dict[str, I64]
    load: dict[tuple[int, int], tuple[object, ...]]  # by (second, station), empty rows left out
    counters: list[tuple[object, ...]]
    stops: list[tuple[int, int]]
    wal: list[int]


@dataclass(frozen=True)
class CheckReport:
    """How many class-0 requests ended, how many differ, where the first difference is, what the run exercised."""

    requests: int
    differing: int
    first_difference: str | None
    features: dict[str, int]

    def line(self) -> str:
        """The line printed in reports."""
        return f"kernel = SimPy reference on this topology: {self.requests:,} requests, {self.differing:,} differing"


@dataclass(frozen=True)
class Feeding:
    """How a run is played: arrivals fed at a time, extra horizons, whether each stop drains, watches."""

    chunk: int = 1 << 20
    splits: tuple[int, ...] = ()
    drain_often: bool = False
    scrape: bool = True
    watches: tuple[tuple[int, int, int], ...] = ()


def play(
    plane: DataPlane, script: Sequence[TimedCommand], arrivals: I64, until_ns: int, feeding: Feeding | None = None
) -> Facts:
    """Play arrivals and a script of commands up to a horizon; return everything the plane said."""
    feeding = feeding or Feeding()
    for probe_class, failures, successes in feeding.watches:
        plane.watch(probe_class, failures, successes)
    timed = sorted(script, key=lambda entry: entry.at_ns)
    chunks: list[Chunk] = []
    counters: list[Counters] = []
    stops: list[tuple[int, int]] = []
    fed = done = 0
    for horizon in sorted({until_ns, *(s.at_ns for s in timed), *feeding.splits}):
        if horizon > until_ns:
            break
        while fed < len(arrivals) and plane.needs_arrivals_before(horizon):
            plane.feed(arrivals[fed : fed + feeding.chunk])
            fed += feeding.chunk
        while (stop := plane.advance(horizon)).watch >= 0:
            stops.append((stop.at_ns, stop.watch))
        if feeding.drain_often:
            chunks.append(plane.drain())
        if feeding.scrape and (done < len(timed) or horizon == until_ns):
            counters.append(plane.counters())
        while done < len(timed) and timed[done].at_ns == horizon:
            entry = timed[done]
            plane.command(entry.command, entry.a, entry.b, entry.c)
            done += 1
    chunks.append(plane.drain(final=True))
    return _facts(chunks, counters, stops)


def _facts(chunks: list[Chunk], counters: list[Counters], stops: list[tuple[int, int]]) -> Facts:
    names = [f.name for f in fields(Chunk) if f.name != "load"]
    columns = {name: np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in names}
    load: dict[tuple[int, int], tuple[object, ...]] = {}
    for chunk in chunks:
        for key, row in _load_rows(chunk.load):
            assert key not in load, f"two rows for second and station {key}"
            load[key] = row
    scraped = [tuple(_plain(getattr(c, f.name)) for f in fields(Counters)) for c in counters]
    return Facts(columns, load, scraped, stops, [])


def _load_rows(rows: LoadRows) -> list[tuple[tuple[int, int], tuple[object, ...]]]:
    found = []
    for i in range(len(rows.second)):
        counts = tuple(int(getattr(rows, name)[i]) for name in COUNTS)
        histograms = tuple(tuple(map(tuple, getattr(rows, name)[i].tolist())) for name in HISTOGRAMS)
        if any(counts) or any(histograms):
            found.append(((int(rows.second[i]), int(rows.station[i])), (*counts, *histograms)))
    return found


def _plain(value: object) -> object:
    return tuple(value.tolist()) if isinstance(value, np.ndarray) else value


def differences(kernel: Facts, reference: Facts) -> tuple[int, str | None]:
    """Count class-0 requests and other facts that differ; describe the first difference."""
    count, first = 0, None
    for group in ("finished", "rows", "probes"):
        n, text = _column_differences(kernel, reference, group)
        count, first = count + n, first or text
    for key in sorted(set(kernel.load) | set(reference.load)):
        if kernel.load.get(key) != reference.load.get(key):
            count += 1
            first = first or f"load {key}: {_load_difference(kernel.load.get(key), reference.load.get(key))}"
    for name in ("counters", "stops"):
        ours, theirs = getattr(kernel, name), getattr(reference, name)
        if ours != theirs:
            count += 1
            pair = next((p for p in zip(ours, theirs, strict=False) if p[0] != p[1]), (len(ours), len(theirs)))
            first = first or f"{name}: kernel {pair[0]}, reference {pair[1]}"
    return count, first


def _load_difference(kernel: tuple[object, ...] | None, reference: tuple[object, ...] | None) -> str:
    if kernel is None or reference is None:
        return f"kernel {kernel}, reference {reference}"
    name, ours, theirs = next(
        (name, k, r) for name, k, r in zip(COUNTS + HISTOGRAMS, kernel, reference, strict=True) if k != r
    )
    if isinstance(ours, tuple) and isinstance(theirs, tuple):
        ours, theirs = sorted(set(ours) - set(theirs)), sorted(set(theirs) - set(ours))
        return f"{name}: only kernel {ours}, only reference {theirs}"
    return f"{name}: kernel {ours}, reference {theirs}"


def _column_differences(kernel: Facts, reference: Facts, group: str) -> tuple[int, str | None]:
    names = [name for name in reference.columns if name.startswith(group)]
    ours = np.column_stack([kernel.columns[name] for name in names])
    theirs = np.column_stack([reference.columns[name] for name in names])
    common = min(len(ours), len(theirs))
    differ = np.flatnonzero((ours[:common] != theirs[:common]).any(axis=1))
    count = len(differ) + abs(len(ours) - len(theirs))
    if count == 0:
        return 0, None
    at = int(differ[0]) if len(differ) else common
    rows = [dict(zip(names, t[at].tolist(), strict=True)) if at < len(t) else None for t in (ours, theirs)]
    return count, f"{group} row {at}: kernel {rows[0]}, reference {rows[1]}"


def check(
    system: System,
    script: Sequence[TimedCommand],
    arrivals: I64,
    *,
    until_ns: int | None = None,
    feeding: Feeding | None = None,
    kernel: Callable[[System], DataPlane] = EventPlane,
) -> CheckReport:
    """Play both planes and compare. Without `until_ns` they stop 10 s after the last arrival or command."""
    if until_ns is None:
        ends = [int(arrivals[-1]) if len(arrivals) else 0, *(entry.at_ns for entry in script)]
        until_ns = max(ends) + 10_000_000_000
    reference_plane = ReferencePlane(system)
    reference = play(reference_plane, script, arrivals, until_ns, feeding)
    compiled = play(kernel(system), script, arrivals, until_ns, feeding)
    differing, first = differences(compiled, reference)
    requests = len(reference.columns["finished_index"])
    return CheckReport(requests, differing, first, dict(reference_plane.features))
