"""The data plane that plays every request: a thin hull around the compiled kernel."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from sim.data import kernel_commands, kernel_loop, memory
from sim.data import layout as at
from sim.data.commands import Command
from sim.data.plane import Chunk, Counters, LoadRows, Stop
from sim.data.system import System

I64 = NDArray[np.int64]

_ERRORS = {1: "the agenda", 2: "a ring of deadlines", 3: "the heap of back-offs", 4: "a replica's slots"}


class CapacityError(RuntimeError):
    """A bounded structure of the kernel is full: our bug, or a system far beyond what it was built for."""


class EventPlane:
    """`DataPlane` at fidelity `request` (docs/explanation/data-plane.md)."""

    def __init__(self, system: System) -> None:
        if system.databases > at.Q_POS_MAX:
            raise ValueError(f"at most {at.Q_POS_MAX} databases, found {system.databases}")
        self._system = system
        self._k = memory.build(system)
        self._fed = 0
        self._tail = np.zeros(0, dtype=np.int64)  # arrivals fed and not yet performed
        self._parts: dict[str, list[I64]] = {name: [] for name in ("fin", "row", "prb", "lod", "hst")}
        self._commits: dict[int, deque[tuple[I64, int]]] = {d: deque() for d in range(system.databases)}

    @property
    def now_ns(self) -> int:
        """The plane's clock."""
        return int(self._k.m[at.G_NOW])

    @property
    def events(self) -> int:
        """Occurrences performed so far."""
        return int(self._k.m[at.G_EVENTS])

    def feed(self, arrivals_ns: I64) -> None:
        """Append the intended times of the next class-0 requests (increasing)."""
        k = self._k
        done = int(k.m[at.G_ARRIVAL])
        first = done
        rest = self._tail[done - (self._fed - len(self._tail)) :]
        self._tail = np.concatenate([rest, np.asarray(arrivals_ns, dtype=np.int64)])
        self._fed = first + len(self._tail)
        k.arr = self._tail
        kernel_commands.feed_arrivals(k.m, k.arr, len(k.arr), first)

    def needs_arrivals_before(self, horizon_ns: int) -> bool:
        """Whether the last arrival fed is earlier than the horizon."""
        return len(self._tail) == 0 or int(self._tail[-1]) < horizon_ns

    def advance(self, horizon_ns: int) -> Stop:
        """Perform everything strictly before the horizon, or up to a watch that fires."""
        while True:
            k = self._k
            why = kernel_loop.advance(k.m, k.fl, k.ky, k.cl, k.rq, k.arr, k.fin, k.row, k.prb, k.lod, k.hst, horizon_ns)
            if why == at.STOP_HORIZON:
                return Stop(horizon_ns, -1)
            if why == at.STOP_WATCH:
                fired = int(k.m[at.G_WATCH])
                k.m[at.G_WATCH] = -1
                return Stop(self.now_ns, fired)
            self._check()
            self._make_room()

    def _check(self) -> None:
        if code := int(self._k.m[at.G_ERROR]):
            raise CapacityError(f"{_ERRORS[code]} of the kernel is full at {self.now_ns} ns")

    def _make_room(self) -> None:
        """Take the output aside, then double what is still too small."""
        k = self._k
        for name, count in (
            ("fin", at.G_FIN_N),
            ("row", at.G_ROW_N),
            ("prb", at.G_PROBE_N),
            ("lod", at.G_LOAD_N),
            ("hst", at.G_HISTOUT_N),
        ):
            n = int(k.m[count])
            if n:
                rows = getattr(k, name)[:n].copy()
                self._parts[name].append(rows)
                if name == "row":
                    self._remember_commits(rows)
                k.m[count] = 0
        memory.grow(k)

    def _remember_commits(self, rows: I64) -> None:
        for d, known in self._commits.items():
            mine = rows[rows[:, 1] == d]
            if len(mine):
                known.append((mine[:, 3].copy(), int(mine[0, 2])))
            while len(known) > 2 and self.now_ns - int(known[1][0][0]) > 3_600_000_000_000:
                known.popleft()

    def command(self, command: Command, a: int = 0, b: int = 0, c: int = 0) -> None:
        """Apply a command at the plane's clock."""
        self._make_room()
        k = self._k
        kernel_commands.apply(k.m, k.fl, k.ky, k.cl, k.rq, k.fin, k.row, k.prb, int(command), a, b, c)
        self._check()

    def watch(self, probe_class: int, failures: int, successes: int) -> None:
        """Stop `advance` after that many failures in a row (then that many successes)."""
        base = int(self._k.m[at.G_PC]) + probe_class * at.PC_N
        self._k.m[base + at.PC_WDOWN] = failures
        self._k.m[base + at.PC_WUP] = successes

    def counters(self) -> Counters:
        """Scrape: copy the counters at the plane's clock."""
        m = self._k.m
        stations = m[m[at.G_ST] :][: int(m[at.G_S]) * at.ST_N].reshape(-1, at.ST_N)
        replicas = m[m[at.G_RP] :][: int(m[at.G_R]) * at.RP_N].reshape(-1, at.RP_N)
        return Counters(
            self.now_ns,
            stations[:, at.ST_OK].copy(),
            stations[:, at.ST_FAILED].copy(),
            replicas[:, at.RP_OK].copy(),
            replicas[:, at.RP_FAILED].copy(),
            replicas[:, at.RP_BUSY].copy(),
            replicas[:, at.RP_QLEN].copy(),
            replicas[:, at.RP_WORK].copy(),
        )

    def wal_position(self, database: int) -> int:
        """Rows in the database's timeline at the plane's clock."""
        m = self._k.m
        return int(m[int(m[at.G_DB]) + database * at.DB_N + at.DB_WAL])

    def wal_position_at(self, database: int, at_ns: int) -> int:
        """Position of the last row committed strictly before an instant of the last hour."""
        self._make_room()
        for commits, first in reversed(self._commits[database]):
            if len(commits) and int(commits[0]) < at_ns:
                return first + int(np.searchsorted(commits, at_ns, side="left")) - 1
        oldest = self._commits[database]
        return oldest[0][1] - 1 if oldest else 0

    def drain(self, *, final: bool = False) -> Chunk:
        """Take the facts recorded since the last drain; `final` includes the unfinished second."""
        if final:
            k = self._k
            self._make_room()
            kernel_loop.flush_second(k.m, k.lod, k.hst)
        self._make_room()
        fin, row, prb, lod, hst = (
            _joined(self._parts[n], w) for n, w in (("fin", 6), ("row", 4), ("prb", 7), ("lod", 8), ("hst", 4))
        )
        for part in self._parts.values():
            part.clear()
        return Chunk(*fin.T, *row.T, *prb.T, load=_load_rows(lod, hst, len(self._system.station_names)))


def _joined(parts: list[I64], width: int) -> I64:
    return np.concatenate(parts) if parts else np.zeros((0, width), dtype=np.int64)


def _load_rows(lod: I64, hst: I64, stations: int) -> LoadRows:
    """Rows in order of second and station; the client's side has station -1."""
    station = np.where(lod[:, 1] == stations, -1, lod[:, 1])
    hists: list[list[I64]] = [[], [], []]
    order = np.lexsort((hst[:, 2], hst[:, 1], hst[:, 0]))
    hst = hst[order]
    key = hst[:, 0] * ((stations + 1) * 3) + hst[:, 1]
    for which in range(3):
        wanted = lod[:, 0] * ((stations + 1) * 3) + lod[:, 1] * 3 + which
        low, high = np.searchsorted(key, wanted, "left"), np.searchsorted(key, wanted, "right")
        hists[which] = [hst[i:j, 2:4] for i, j in zip(low, high, strict=True)]
    return LoadRows(lod[:, 0], station, *(lod[:, 2 + i] for i in range(6)), *hists)
