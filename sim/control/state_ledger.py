"""Rows of the databases at fidelity `control`: which keys were committed when, at which position, on which timeline."""

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]


class StateLedger:
    """Rows of each database's timeline."""

    def __init__(self, databases: int) -> None:
        self._wal = [0] * databases
        self._commits: list[list[tuple[I64, int]]] = [[] for _ in range(databases)]  # instants, position before
        self._forks: dict[int, tuple[int, int, int]] = {}  # new -> old, position, instant
        self._rows: list[tuple[I64, I64, I64, I64]] = []

    def add(self, d: int, keys: I64, instants_ns: I64) -> None:
        """Commit, in order of time."""
        before = self._wal[d]
        self._commits[d].append((instants_ns, before))
        self._rows.append((keys, np.full(len(keys), d), before + 1 + np.arange(len(keys)), instants_ns))
        self._wal[d] += len(keys)

    def fork(self, new: int, old: int, position: int, now_ns: int) -> None:
        """Begin a timeline that holds the old one's rows up to a position; rows of its own stay what they were."""
        self._wal[new] = position
        if not self._commits[new]:
            self._forks[new] = (old, position, now_ns)

    def position(self, d: int) -> int:
        """Rows of a timeline."""
        return self._wal[d]

    def position_at(self, d: int, at_ns: int) -> int:
        """Rows committed strictly before an instant."""
        if d in self._forks and at_ns <= self._forks[d][2]:
            old, position, _ = self._forks[d]
            return min(position, self.position_at(old, at_ns))
        for instants, before in reversed(self._commits[d]):
            if int(instants[0]) < at_ns:
                return before + int(np.searchsorted(instants, at_ns, side="left"))
        return self._forks[d][1] if d in self._forks else 0

    def take(self) -> list[I64]:
        """Take the rows since the last time: key, database, position, instant."""
        rows, self._rows = self._rows, []
        return [np.concatenate(c) for c in zip(*rows, strict=True)] if rows else [np.zeros(0, dtype=np.int64)] * 4
