"""Which keys each database committed, in order of position, kept on disk until the readback after the run.

A long run commits tens of millions of rows; the record must not hold them in memory.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
BATCH = 1 << 20


@dataclass(frozen=True)
class _Run:
    """Rows of consecutive positions."""

    first: int
    count: int
    offset: int  # in rows of the file


class Ledger:
    """Rows of all databases."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the ledger
        self._rows = 0
        self._runs: dict[int, list[_Run]] = {}

    def add(self, database: I64, position: I64, key: I64) -> None:
        """Append committed rows, in order of commit."""
        for d in np.unique(database):
            mine = database == d
            positions, keys = position[mine], key[mine]
            breaks = np.flatnonzero(np.diff(positions) != 1) + 1
            for part, kept in zip(np.split(positions, breaks), np.split(keys, breaks), strict=True):
                self._file.write(kept.astype(np.int64).tobytes())
                self._runs.setdefault(int(d), []).append(_Run(int(part[0]), len(part), self._rows))
                self._rows += len(part)

    def read(self, database: int, first: int, last: int | None) -> Iterator[tuple[I64, I64]]:
        """Yield (positions, keys) of a database with positions in (first, last], in batches."""
        self._file.flush()
        for run in self._runs.get(database, []):
            low = max(run.first, first + 1)
            high = run.first + run.count if last is None else min(run.first + run.count, last + 1)
            for start in range(low, high, BATCH):
                count = min(BATCH, high - start)
                self._file.seek((run.offset + start - run.first) * 8)
                keys = np.frombuffer(self._file.read(count * 8), dtype=np.int64)
                yield np.arange(start, start + count, dtype=np.int64), keys
        self._file.seek(0, 2)

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()
