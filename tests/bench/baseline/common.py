"""What the baselines share: a timeout with a place in the order of one instant, and the facts that come out."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import simpy

from scenarios.record import histogram
from sim.data.plane import Chunk
from sim.data.system import I64

SECOND = 1_000_000_000

# Priorities of SimPy events at one instant: SimPy's own 0 and 1 first, then own work done by replica, and so on.
COMMAND = -1
OWN_WORK_DONE = 2  # plus the replica's number
PATIENCE = 1 << 20
TIMEOUT = PATIENCE + 1
BACK_OFF = PATIENCE + 2
ARRIVAL = PATIENCE + 3  # plus the class


class Wake(simpy.Event):
    """A timeout with a place in the order of what happens at one instant."""

    def __init__(self, env: simpy.Environment, delay_ns: int, order: int) -> None:
        self.env = env
        self.callbacks = []
        self._value: Any = None
        self._ok = True
        env.schedule(self, order, delay_ns)


class Tally:
    """One second of a station: counts, and latencies to be binned when it is over."""

    __slots__ = ("attempts", "caller", "failed", "intended", "ok", "own", "path", "sent", "unknown")

    def __init__(self) -> None:
        self.intended = self.sent = self.ok = self.failed = self.unknown = self.attempts = 0
        self.own: list[int] = []
        self.caller: list[int] = []
        self.path: list[int] = []

    def row(self) -> "LoadRow":
        """The second's row of the record."""
        counts = (self.intended, self.sent, self.ok, self.failed, self.unknown, self.attempts)
        return counts, tuple(_binned(latencies) for latencies in (self.own, self.caller, self.path))


type LoadRow = tuple[tuple[int, ...], tuple[bytes, ...]]


def _binned(latencies: list[int]) -> bytes:
    return histogram.of(np.array(latencies, dtype=np.int64)).tobytes() if latencies else b""


@dataclass
class Facts:
    """What a baseline found, as `sim.data.plane.Chunk` has it. The clients' own row of the load is station -1."""

    stations: int
    finished: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)
    rows: list[tuple[int, int, int, int]] = field(default_factory=list)
    probes: list[tuple[int, int, int, int, int, int, int]] = field(default_factory=list)
    load: dict[tuple[int, int], LoadRow] = field(default_factory=dict)
    tallies: list[Tally] = field(default_factory=list)  # of the second; the clients' is the last

    def __post_init__(self) -> None:
        self.tallies = [Tally() for _ in range(self.stations + 1)]

    def end_second(self, second: int) -> None:
        """Bin what the second brought and begin the next."""
        for s, tally in enumerate(self.tallies):
            self.load[second, s if s < self.stations else -1] = tally.row()
            tally.__init__()


def count_seconds(env: simpy.Environment, facts: Facts, until_ns: int) -> Any:
    """A process that ends each second at its end, before anything that happens then."""
    for second in range(until_ns // SECOND):
        yield Wake(env, (second + 1) * SECOND - int(env.now), COMMAND)
        facts.end_second(second)


def differing(facts: Facts, chunks: list[Chunk]) -> int:
    """How many ends, rows, probes and rows of the load the baseline and the kernel do not have in common."""
    groups = {
        "finished": ("index", "intended_ns", "done_ns", "outcome", "status", "attempts"),
        "rows": ("key", "database", "position", "commit_ns"),
        "probes": ("class", "index", "intended_ns", "done_ns", "station", "replica", "status"),
    }
    count = 0
    for group, columns in groups.items():
        kernel = np.column_stack([np.concatenate([getattr(c, f"{group}_{n}") for c in chunks]) for n in columns])
        count += _unlike(kernel, np.array(getattr(facts, group), dtype=np.int64).reshape(-1, len(columns)))
    return count + _unlike_load(facts.load, chunks)


def _unlike(kernel: I64, baseline: I64) -> int:
    if kernel.shape == baseline.shape:
        return int((_in_order(kernel) != _in_order(baseline)).any(axis=1).sum())
    return max(len(kernel), len(baseline))


def _in_order(table: I64) -> I64:
    return table[np.lexsort(table.T[::-1])]


def _unlike_load(baseline: dict[tuple[int, int], LoadRow], chunks: list[Chunk]) -> int:
    kernel: dict[tuple[int, int], LoadRow] = {}
    for load in (chunk.load for chunk in chunks):
        counts = np.column_stack([load.intended, load.sent, load.ok, load.failed, load.unknown, load.attempts])
        for i, (second, station) in enumerate(zip(load.second.tolist(), load.station.tolist(), strict=True)):
            hists = tuple(h[i].tobytes() for h in (load.own_hist, load.caller_hist, load.path_hist))
            kernel[second, station] = tuple(counts[i].tolist()), hists
    empty: LoadRow = (0,) * 6, (b"",) * 3
    names = set(kernel) | set(baseline)
    return sum(kernel.get(name, empty) != baseline.get(name, empty) for name in names)
