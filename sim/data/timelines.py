"""When each row of each database's timeline was committed: what a replica with a lag has received."""

import tempfile
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
IN_MEMORY_BYTES = 1 << 20


@dataclass(frozen=True)
class _Rows:
    """Rows of one database in order of commit, whose times after the first are in the file at an offset."""

    first_ns: int
    first_position: int
    offset: int
    count: int
    width: type[np.unsignedinteger]


class Timelines:
    """Commit times of all rows, by database; a timeline that was forked begins with the old one's rows.

    A long run commits tens of millions of rows: their times are kept on disk once they are many, as offsets in 32 bits
    where they fit.
    """

    def __init__(self, databases: int) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115  while the plane lives
        self._written = 0
        self._rows: list[list[_Rows]] = [[] for _ in range(databases)]
        self._forks: dict[int, tuple[int, int, int]] = {}

    def add(self, rows: I64) -> None:
        """Take note of rows, given as columns key, database, position, commit_ns, in order of commit; at least one."""
        _, databases, positions, commits_ns = rows
        for database, known in enumerate(self._rows):
            mine = databases == database
            if mine.all():  # nearly always, and there is nothing to copy
                known.append(self._keep(commits_ns, int(positions[0])))
                return
            if mine.any():
                known.append(self._keep(commits_ns[mine], int(positions[mine][0])))

    def _keep(self, commits_ns: I64, first_position: int) -> _Rows:
        first_ns = int(commits_ns[0])
        width = np.uint32 if int(commits_ns[-1]) - first_ns < 1 << 32 else np.uint64
        since = (commits_ns - first_ns).astype(width)
        kept = _Rows(first_ns, first_position, self._written, len(commits_ns), width)
        self._file.write(since.data)
        self._written += since.nbytes
        return kept

    def _position_before(self, rows: _Rows, at_ns: int) -> int:
        """Position of the last of these rows committed strictly before an instant later than the first one."""
        self._file.seek(rows.offset)
        offsets = np.frombuffer(self._file.read(rows.count * np.dtype(rows.width).itemsize), dtype=rows.width)
        self._file.seek(0, 2)
        return rows.first_position - 1 + int(np.searchsorted(offsets, at_ns - rows.first_ns, side="left"))

    def fork(self, new: int, old: int, position: int, at_ns: int) -> None:
        """Begin a timeline with an old one's rows up to a position; rows of its own stay what they were."""
        if not self._rows[new]:
            self._forks[new] = (old, position, at_ns)

    def position_at(self, database: int, at_ns: int) -> int:
        """Position of the last row committed strictly before an instant."""
        for rows in reversed(self._rows[database]):
            if rows.first_ns < at_ns:
                return self._position_before(rows, at_ns)
        if database not in self._forks:
            return 0
        old, position, forked_ns = self._forks[database]
        return position if at_ns > forked_ns else min(position, self.position_at(old, at_ns))
