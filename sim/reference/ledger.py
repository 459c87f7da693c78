"""What comes out of the reference model (the data plane's page, section 7): facts as rows, counted by second."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.data.plane import Chunk, LoadRows

EDGE = -1  # the "station" of the clients' own row
SECOND_NS = 1_000_000_000

I64 = NDArray[np.int64]


def bin_of(value_ns: int) -> int:
    """Bin of a log-linear histogram: the value itself below 128, then 128 bins for each doubling."""
    if value_ns < 128:
        return value_ns
    k = value_ns.bit_length() - 1
    return (k - 7) * 128 + (value_ns >> (k - 7))


@dataclass(slots=True)
class Tally:
    """One second of one station, or of the clients."""

    intended: int = 0
    sent: int = 0
    ok: int = 0
    failed: int = 0
    unknown: int = 0
    attempts: int = 0
    own: Counter[int] = field(default_factory=Counter)
    caller: Counter[int] = field(default_factory=Counter)
    path: Counter[int] = field(default_factory=Counter)


class Ledger:
    """Collects facts and hands them out as chunks."""

    def __init__(self, stations: int) -> None:
        self._stations = stations
        self.features: Counter[str] = Counter()  # how often each rule of the page came to bear
        self._tallies: dict[tuple[int, int], Tally] = {}
        self._next_second = 0
        self._clear()

    def _clear(self) -> None:
        self.finished: list[tuple[int, int, int, int, int, int]] = []
        self.rows: list[tuple[int, int, int, int]] = []
        self.probes: list[tuple[int, int, int, int, int, int, int]] = []

    def tally(self, now_ns: int, station: int) -> Tally:
        """Counts of the second of `now_ns`; `station` may be EDGE."""
        name = (now_ns // SECOND_NS, station)
        found = self._tallies.get(name)
        if found is None:
            found = self._tallies[name] = Tally()
        return found

    def drain(self, now_ns: int, *, final: bool) -> Chunk:
        """Everything since the last drain; counts of a second once it is over, or at the end."""
        names = [column.name for column in fields(Chunk) if column.name != "load"]
        columns = [*_columns(self.finished, 6), *_columns(self.rows, 4), *_columns(self.probes, 7)]
        facts: dict[str, Any] = dict(zip(names, columns, strict=True))
        until = now_ns // SECOND_NS + (1 if final else 0)
        chunk = Chunk(**facts, load=self._load(range(self._next_second, until)))
        self._next_second = max(self._next_second, until)
        self._clear()
        return chunk

    def _load(self, seconds: range) -> LoadRows:
        names = [(second, station) for second in seconds for station in range(EDGE, self._stations)]
        found = [self._tallies.pop(name, Tally()) for name in names]
        return LoadRows(
            second=_column([second for second, _ in names]),
            station=_column([station for _, station in names]),
            intended=_column([t.intended for t in found]),
            sent=_column([t.sent for t in found]),
            ok=_column([t.ok for t in found]),
            failed=_column([t.failed for t in found]),
            unknown=_column([t.unknown for t in found]),
            attempts=_column([t.attempts for t in found]),
            own_hist=[_sparse(t.own) for t in found],
            caller_hist=[_sparse(t.caller) for t in found],
            path_hist=[_sparse(t.path) for t in found],
        )


def _column(values: list[int]) -> I64:
    return np.array(values, dtype=np.int64)


def _columns(rows: Sequence[tuple[int, ...]], width: int) -> list[I64]:
    table = np.array(rows, dtype=np.int64).reshape(len(rows), width)
    return [np.ascontiguousarray(table[:, i]) for i in range(width)]


def _sparse(histogram: Counter[int]) -> I64:
    return np.array(sorted(histogram.items()), dtype=np.int64).reshape(len(histogram), 2)
