"""When each row of each database's timeline was committed: what a replica with a lag has received."""

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]


class _Rows:
    """Rows of one database in order of commit; times as offsets in 32 bits where they fit (4.3 s)."""

    def __init__(self, commits_ns: I64, first_position: int) -> None:
        self.first_ns = int(commits_ns[0])
        self.first_position = first_position
        offsets = commits_ns - self.first_ns
        self._offsets = offsets.astype(np.uint32) if offsets[-1] < 1 << 32 else offsets

    def position_before(self, at_ns: int) -> int:
        """Position of the last row committed strictly before an instant later than the first one."""
        return self.first_position - 1 + int(np.searchsorted(self._offsets, at_ns - self.first_ns, side="left"))


class Timelines:
    """Commit times of all rows, by database; a timeline that was forked begins with the old one's rows."""

    def __init__(self, databases: int) -> None:
        self._rows: list[list[_Rows]] = [[] for _ in range(databases)]
        self._forks: dict[int, tuple[int, int, int]] = {}

    def add(self, rows: I64) -> None:
        """Take note of rows (key, database, position, commit_ns) in order of commit."""
        for database, known in enumerate(self._rows):
            mine = rows[rows[:, 1] == database]
            if len(mine):
                known.append(_Rows(mine[:, 3], int(mine[0, 2])))

    def fork(self, new: int, old: int, position: int, at_ns: int) -> None:
        """Begin a timeline with an old one's rows up to a position."""
        self._forks[new] = (old, position, at_ns)

    def position_at(self, database: int, at_ns: int) -> int:
        """Position of the last row committed strictly before an instant."""
        for rows in reversed(self._rows[database]):
            if rows.first_ns < at_ns:
                return rows.position_before(at_ns)
        if database not in self._forks:
            return 0
        old, position, forked_ns = self._forks[database]
        return position if at_ns > forked_ns else min(position, self.position_at(old, at_ns))
