"""Timelines of rows, commit gates and forks (the data plane's page, sections 3, 4 and 6)."""

from collections import deque
from dataclasses import dataclass, field

from sim.data.commands import Status
from sim.data.system import System
from sim.reference.ledger import Ledger
from sim.reference.things import Job, Request

PROBE_KEYS = 1 << 40  # keys of a probe class


@dataclass(slots=True)
class Timeline:
    """A database: its rows as (position, commit time), and what it was forked from."""

    writable: bool
    wal: int = 0
    gate_open: bool = True
    rows: list[tuple[int, int]] = field(default_factory=list)
    position_of_key: dict[int, int] = field(default_factory=dict)
    forked_from: "Timeline | None" = None
    forked_at: int = 0
    had_rows: bool = False  # of its own when it was forked
    waiting: deque[Job] = field(default_factory=deque)

    def has(self, key: int) -> bool:
        """Whether a key's row is in the timeline: written here, or before the fork in the one it came from."""
        if key in self.position_of_key:
            return True
        if self.forked_from is None:
            return False
        position = self.forked_from.position_of_key.get(key)
        return position is not None and position <= self.forked_at

    def position_before(self, at_ns: int) -> int:
        """Greatest position committed strictly before an instant."""
        own = [position for position, commit_ns in self.rows if commit_ns < at_ns]
        if own:
            return own[-1]
        if self.forked_from is None or self.had_rows:
            return 0
        return min(self.forked_from.position_before(at_ns), self.forked_at)


class Databases:
    """All timelines."""

    def __init__(self, system: System, ledger: Ledger) -> None:
        self._timelines = [Timeline(writable=bool(system.initial_writable[d])) for d in range(int(system.databases))]
        self._idempotent = bool(system.idempotent)
        self._writes = [bool(w) for w in system.class_writes]
        self._ledger = ledger

    def __getitem__(self, database: int) -> Timeline:
        """Return the timeline of that number."""
        return self._timelines[database]

    def write(self, database: int, request: Request, now_ns: int) -> Status:
        """Answer of the database to a request; the row exists from now on if one is made."""
        timeline = self._timelines[database]
        self._new_row = False
        if not self._writes[request.kind]:
            return Status.OK
        if not timeline.writable:
            return Status.READ_ONLY
        key = key_of(request)
        if self._idempotent and timeline.has(key):
            self._ledger.features["already present"] += 1
            return Status.OK
        timeline.wal += 1
        timeline.rows.append((timeline.wal, now_ns))
        timeline.position_of_key[key] = timeline.wal
        self._ledger.rows.append((key, database, timeline.wal, now_ns))
        self._new_row = True
        return Status.OK

    def waits_for_gate(self, database: int, job: Job) -> bool:
        """Whether the job whose row was just written has to wait; if so it has joined the list."""
        timeline = self._timelines[database]
        if not self._new_row or timeline.gate_open:
            return False
        job.commits_in = database
        self._ledger.features["commit waited"] += 1
        timeline.waiting.append(job)
        return True

    def open_gate(self, database: int) -> list[Job]:
        """Open the gate; return who waited for it, in order."""
        timeline = self._timelines[database]
        timeline.gate_open = True
        waiting = list(timeline.waiting)
        timeline.waiting.clear()
        return waiting

    def fork(self, new: int, old: int, position: int) -> None:
        """Begin a timeline that holds the other's rows up to a position; rows of its own stay what they were."""
        timeline = self._timelines[new]
        timeline.had_rows = bool(timeline.rows)
        timeline.wal = position
        timeline.forked_from = self._timelines[old]
        timeline.forked_at = position


def key_of(request: Request) -> int:
    """Idempotency key of a request."""
    if request.kind == 0:
        return request.index
    return -1 - (request.kind * PROBE_KEYS + request.index)
