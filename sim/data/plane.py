"""The contract between the planes: what the control plane may ask of a data plane, and nothing else."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sim.data.commands import Command

I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Stop:
    """Where `advance` stopped: clock (<= the horizon asked for) and, when a watch stopped it, which."""

    at_ns: int
    watch: int  # number of the probe class whose watch fired, -1: reached the horizon


@dataclass(frozen=True)
class Counters:
    """A scrape: counters since the start, copied at the plane's clock. Shapes: S stations, R replicas."""

    at_ns: int
    answered_ok: I64  # S
    answered_failed: I64  # S, what its pods report themselves: answers not OK, QUEUE_FULL, QUEUE_TIMEOUT
    replica_ok: I64  # R
    replica_failed: I64  # R
    busy: I64  # R, slots held now
    waiting: I64  # R, queue length now
    work_ns: I64  # R, own work done so far


@dataclass(frozen=True)
class Chunk:
    """Raw facts since the last `drain`, columns of equal length in each group, in order of occurrence."""

    finished_index: I64  # class-0 requests that ended
    finished_intended_ns: I64
    finished_done_ns: I64
    finished_outcome: I64  # Outcome
    finished_status: I64  # Status of the last attempt
    finished_attempts: I64
    rows_key: I64  # commits
    rows_database: I64
    rows_position: I64
    rows_commit_ns: I64
    probes_class: I64
    probes_index: I64
    probes_intended_ns: I64
    probes_done_ns: I64
    probes_station: I64
    probes_replica: I64  # -1: none answered
    probes_status: I64
    load: "LoadRows"


@dataclass(frozen=True)
class LoadRows:
    """Per finished second and station; row `station == -1` is the client's side ("edge")."""

    second: I64
    station: I64
    intended: I64  # edge only: new requests
    sent: I64  # edge: attempt 0 issued; station: jobs accepted
    ok: I64
    failed: I64
    unknown: I64  # edge only
    attempts: I64  # edge: client calls issued; station: calls delivered to it
    own_hist: list[NDArray[np.int64]]  # n x 2 (bin, count), see scenarios.record.histogram; empty for edge
    caller_hist: list[NDArray[np.int64]]
    path_hist: list[NDArray[np.int64]]  # edge only


class DataPlane(Protocol):
    """A data plane at some fidelity. The clock starts at 0 and never goes back."""

    def feed(self, arrivals_ns: I64) -> None:
        """Append the intended times of the next class-0 requests (increasing)."""
        ...

    def needs_arrivals_before(self, horizon_ns: int) -> bool:
        """Whether more arrivals must be fed before advancing to this horizon (the last one fed is earlier)."""
        ...

    def advance(self, horizon_ns: int) -> Stop:
        """Perform everything strictly before the horizon, or up to a watch that fires."""
        ...

    def command(self, command: Command, a: int = 0, b: int = 0, c: int = 0) -> None:
        """Apply a command at the plane's clock."""
        ...

    def watch(self, probe_class: int, failures: int, successes: int) -> None:
        """Stop `advance` when that many probes of the class in a row failed (or, once fired, succeeded).

        A class that is watched already is watched anew; with 0 failures it is watched no more.
        """
        ...

    def counters(self) -> Counters:
        """Scrape: copy the counters at the plane's clock."""
        ...

    def wal_position(self, database: int) -> int:
        """Rows in the database's timeline at the plane's clock."""
        ...

    def wal_position_at(self, database: int, at_ns: int) -> int:
        """Rows in the timeline committed strictly before an earlier instant (replication with a lag)."""
        ...

    def drain(self, *, final: bool = False) -> Chunk:
        """Take the facts recorded since the last drain; `final` includes the unfinished second."""
        ...
