"""`DataPlane` at fidelity `control`: answers from state and capacity, without queues.

Time is cut into pieces in which nothing changes (`state_flow.Flow`); the probes and writes of many pieces get their
ends in one stroke of numpy. Pieces begin at commands and whole seconds only, and what has ended is handed out in order
of its end, so that no fact depends on when it is asked for. The writes fed are a thinned ledger: a few a second stand
for all orders. No latency, no throughput.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sim.control.caches import Caches
from sim.control.state_classes import Classes
from sim.control.state_deliveries import State
from sim.control.state_flow import OK, STATUSES, Breakers, Flow, Flows
from sim.control.state_ledger import StateLedger
from sim.control.state_watches import Watches
from sim.control.streams import uniforms
from sim.data.commands import Command, Outcome, Status
from sim.data.plane import Chunk, Counters, LoadRows, Stop
from sim.data.system import System

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

SECOND = 1_000_000_000
ANSWER_NS = 6_000_000  # an answer takes a fixed small time: this level says nothing about latency
_NONE: I64 = np.zeros(0, dtype=np.int64)


class Offered(Protocol):
    """The offered load of new orders."""

    def at(self, instant_ns: int) -> float:
        """Orders a second at an instant."""
        ...

    def steady_until(self, instant_ns: int) -> int:
        """Instant up to which the rate stays what it is at this instant."""
        ...


@dataclass(frozen=True)
class _Ended:
    """Requests with their ends, columns of equal length. Class 0 are the writes."""

    kind: I64
    index: I64
    intended_ns: I64
    done_ns: I64
    region: I64
    station: I64
    replica: I64
    status: I64

    def rows(self, chosen: I64) -> "_Ended":
        """Some of them."""
        return _Ended(*(column[chosen] for column in self.columns()))

    def columns(self) -> tuple[I64, ...]:
        """All columns."""
        return (
            self.kind, self.index, self.intended_ns, self.done_ns, self.region, self.station, self.replica, self.status,
        )  # fmt: skip


@dataclass(frozen=True)
class _Wave:
    """When a wave of load ends because breakers open, and when they let the next one come."""

    ends_ns: int
    next_ns: int
    breakers: Breakers  # while it lasts

    def next_turn(self, at_ns: int) -> int:
        """The next instant at which the flow is another one."""
        return self.ends_ns if at_ns < self.ends_ns else self.next_ns


class StatePlane:
    """See the module. The offered load is constant within each whole second."""

    def __init__(self, system: System, offered: Offered) -> None:
        self._system = system
        self._offered = offered
        self._state = State.initial(system)
        self._flows = Flows(system)
        self._caches = Caches(system)
        self._now = 0
        self._pieces: list[Flow] = []
        self._starts: list[int] = []
        self._begun_ns = 0  # of the last piece
        self._valid_ns = 0  # pieces exist up to here
        self._dns_moves_until = 0  # clients' caches
        self._cold_until = [0] * len(system.region_names)
        self._made: tuple[tuple[int, float, tuple[float, ...], Breakers], Flow] | None = None
        self._wave: _Wave | None = None
        self._carried = 0.0  # share of the load that comes between waves
        replicas = len(system.replica_station)
        self._counted = np.zeros((3, replicas))  # ok, failed, own work in ns, up to the begin of the last piece
        self._region_of_replica: list[int] = system.station_region[system.replica_station].tolist()
        self._classes = Classes(system)
        self._ended_to = 0  # requests intended before have their ends
        self._open = [_Ended(*[_NONE] * 8)]  # ends later than the last drain
        self._arrivals: I64 = _NONE
        self._written = 0  # class-0 requests with an end
        self._ledger = StateLedger(system.databases)
        self._watches = Watches(self._good_at, system.probe_phase, system.probe_spacing)

    @property
    def now_ns(self) -> int:
        """The plane's clock."""
        return self._now

    # --- time

    def feed(self, arrivals_ns: I64) -> None:
        """Append the instants of the next representative writes."""
        self._arrivals = np.concatenate([self._arrivals, np.asarray(arrivals_ns, dtype=np.int64)])

    def needs_arrivals_before(self, horizon_ns: int) -> bool:
        """Whether the last arrival fed is earlier than the horizon."""
        return len(self._arrivals) == 0 or int(self._arrivals[-1]) < horizon_ns

    def advance(self, horizon_ns: int) -> Stop:
        """Let time pass; watched classes are looked at probe by probe."""
        fired = self._watches.advance(horizon_ns)
        if fired is not None:
            self._now = max(self._now, fired[0])
            return Stop(self._now, fired[1])
        self._now = max(self._now, horizon_ns)
        return Stop(self._now, -1)

    def watch(self, probe_class: int, failures: int, successes: int) -> None:
        """Stop `advance` after that many failures in a row (then that many successes); no failures: watch no more."""
        self._watches.watch(probe_class, failures, successes, self._now)

    def _good_at(self, p: int, index: int, at_ns: int) -> tuple[bool, int]:
        """Whether a probe intended at an instant (not before the last piece) ends well, and when it ends."""
        self._settle(at_ns + 1)
        flow, region = self._pieces[-1], self._classes.region(p, at_ns, self._caches)
        status = int(Status.NO_ADDRESS)
        if region >= 0:
            row = int(self._classes.row[p, region])
            status = int(flow.sure[row])
            if status < 0:
                draw = uniforms(self._system.pick_key[p, :1], np.array([2 * index]))[0]
                status = _drawn(flow.cumulated[row], draw)
        taken = int(self._system.probe_timeout[p]) if status == Status.TIMEOUT else ANSWER_NS
        return status == OK, at_ns + taken

    # --- pieces

    def _settle(self, until_ns: int) -> None:
        """Make the pieces of [.., until)."""
        while self._valid_ns < until_ns:
            at_ns = self._valid_ns
            self._count(at_ns)
            second_ns = at_ns // SECOND * SECOND
            rate = self._offered.at(second_ns)
            shares = tuple(self._caches.shares(np.array([at_ns]), len(self._cold_until))[0].tolist())
            if not self._state.sending:
                shares = (0.0,) * len(shares)
            cold = any(share > 0.0 and at_ns < until for share, until in zip(shares, self._cold_until, strict=True))
            flow = self._flow_at(at_ns, rate, shares, cold=cold)
            if not self._pieces or self._pieces[-1] is not flow:
                self._pieces.append(flow)
                self._starts.append(at_ns)
            if cold or at_ns < self._dns_moves_until:
                self._valid_ns = second_ns + SECOND
            else:
                self._valid_ns = -(-self._offered.steady_until(second_ns) // SECOND) * SECOND
            if self._wave is not None:
                self._valid_ns = min(self._valid_ns, self._wave.next_turn(at_ns))
            self._begun_ns = at_ns

    def _flow_at(self, at_ns: int, rate: float, shares: tuple[float, ...], *, cold: bool) -> Flow:
        """The flow from an instant on; keeps up with the waves in which breakers let load through."""
        wave = self._wave
        begins = wave is None or at_ns >= wave.next_ns
        if wave is None:
            breakers = Breakers.CLOSED
        elif begins:
            breakers = Breakers.TRIAL
        else:
            breakers = wave.breakers if at_ns < wave.ends_ns else Breakers.OPEN
        key = (self._state.version, rate, shares, breakers)
        if cold or self._made is None or self._made[0] != key:
            loads = [rate * share for share in shares]
            self._made = (key, self._flows.flow(self._state, loads, at_ns, breakers, self._carried))
        flow = self._made[1]
        waves = flow.waves
        self._carried = waves.carried
        if not waves.first_s:
            self._wave = wave if breakers == Breakers.OPEN else None  # what is open stays so until its time has come
        elif begins:
            lasts_s, opens_s = (waves.first_s,) * 2 if wave is None else (waves.again_s, waves.opens_s)
            next_ns = at_ns + int(opens_s * SECOND) + int(self._system.breaker_open[0])
            self._wave = _Wave(min(at_ns + max(1, int(lasts_s * SECOND)), next_ns), next_ns, breakers)
        return flow

    def _count(self, until_ns: int) -> None:
        """Add what the last piece has counted up to its end."""
        if self._pieces:
            self._counted = self._counted_at(until_ns)
            self._begun_ns = until_ns

    def _counted_at(self, at_ns: int) -> F64:
        flow, seconds = self._pieces[-1], (at_ns - self._begun_ns) / 1e9
        return self._counted + np.stack([flow.ok_per_s, flow.failed_per_s, flow.work_per_s]) * seconds

    def _cut(self) -> None:
        """End the last piece at the clock: something changes."""
        self._settle(self._now)
        if self._valid_ns > self._now:
            self._count(self._now)
            self._valid_ns = self._now
        if self._starts and self._starts[-1] == self._now:
            self._starts.pop()
            self._pieces.pop()
        self._state.version += 1

    # --- ends

    def _end_until(self, until_ns: int) -> None:
        """Give every request intended before an instant its end."""
        if until_ns <= self._ended_to:
            return
        self._settle(until_ns)
        probes = self._classes.due(self._ended_to, until_ns)
        count = int(np.searchsorted(self._arrivals, until_ns, side="left"))
        times, self._arrivals = self._arrivals[:count], self._arrivals[count:]
        keys = np.arange(self._written, self._written + count)
        self._written += count
        self._ended_to = until_ns
        if not self._state.sending:
            times, keys = times[:0], keys[:0]
        ended = self._end(
            np.concatenate([np.zeros(len(keys), dtype=np.int64), probes[0]]),
            np.concatenate([keys, probes[1]]),
            np.concatenate([times, probes[2]]),
        )
        self._commit(ended.rows(np.arange(len(keys))))
        self._open.append(ended)
        if len(self._pieces) > 1:  # no later request needs the others
            del self._starts[:-1], self._pieces[:-1]

    def _end(self, kind: I64, index: I64, at_ns: I64) -> _Ended:
        """Ends of requests of any classes; class 0 stands first."""
        system, classes = self._system, self._classes
        region = classes.regions(kind, index, at_ns, self._caches)
        known = np.maximum(region, 0)
        row = classes.row[kind, known]
        piece = np.maximum(np.searchsorted(np.array(self._starts), at_ns, side="right") - 1, 0)
        status = np.stack([f.sure for f in self._pieces])[piece, row]
        drawn = np.flatnonzero((status < 0) & (region >= 0))
        if len(drawn):
            draws = uniforms(system.pick_key[kind[drawn], 0], 2 * index[drawn])
            chances = np.stack([f.cumulated for f in self._pieces])[piece[drawn], row[drawn]]
            status[drawn] = np.minimum((chances <= draws[:, None]).sum(axis=1), STATUSES - 1)
        status[region < 0] = int(Status.NO_ADDRESS)
        stopped = np.array([f.stopped for f in self._pieces])[piece]
        status[stopped & (kind == 0)] = int(Status.STOPPED)
        station = np.where(region < 0, -1, classes.station[kind, known])
        first = np.stack([f.first for f in self._pieces])[piece, np.maximum(station, 0)]
        replica = np.where(_ANSWERED[status] & (station >= 0), first, -1)
        taken = np.where(status == int(Status.TIMEOUT), classes.timeout[kind], ANSWER_NS)
        return _Ended(kind, index, at_ns, at_ns + taken, region, station, replica, status)

    def _commit(self, ended: _Ended) -> None:
        """Rows of the writes that succeeded; a row is there from the write's intended time on."""
        good = np.flatnonzero(ended.status == OK)
        if len(good) == 0:
            return
        piece = np.searchsorted(np.array(self._starts), ended.intended_ns[good], side="right") - 1
        databases = np.array([f.database for f in self._pieces])[piece, ended.region[good]]
        for d in np.unique(databases).tolist():
            mine = good[databases == d]
            self._ledger.add(d, ended.index[mine], ended.intended_ns[mine])

    # --- the rest of the contract

    def command(self, command: Command, a: int = 0, b: int = 0, c: int = 0) -> None:
        """Apply a command at the plane's clock. Work in flight does not exist at this level."""
        state = self._state
        columns = {
            Command.LIST: state.listed,
            Command.STATE: state.replica,
            Command.SLOW: state.slow_milli,
            Command.CPU: state.cpu_milli,
            Command.WARM: state.warm_until,
            Command.SLOTS: state.slots,
            Command.TARGET: state.target,
            Command.CUT: state.cut,
            Command.WRITABLE: state.writable,
            Command.GATE: state.gate,
        }
        if command in (Command.FORK, Command.SEND):
            self._end_until(self._now)
        if (column := columns.get(command)) is not None:
            if column[a] != b:
                self._cut()
                column[a] = b
        elif command == Command.DNS:
            self._cut()
            self._caches.answered(self._now, a)
            self._dns_moves_until = self._now + self._system.dns_ttl + SECOND
        elif command == Command.FORK:
            self._ledger.fork(a, b, c, self._now)
        elif command == Command.TRADING:
            self._cut()
            state.trading = bool(a)
        elif command == Command.SEND:
            self._cut()
            state.sending = bool(a)
        if command == Command.WARM:
            region = self._region_of_replica[a]
            self._cold_until[region] = max(self._cold_until[region], b)

    def counters(self) -> Counters:
        """Scrape: expected counts up to the clock."""
        self._settle(self._now)
        counts = np.floor(self._counted_at(self._now) + 1e-6) if self._pieces else self._counted
        ok, failed, work = counts.astype(np.int64)
        stations = len(self._system.station_names)
        of = self._system.replica_station
        by_station = [np.bincount(of, weights=c, minlength=stations).astype(np.int64) for c in (ok, failed)]
        zero = np.zeros(len(ok), dtype=np.int64)
        return Counters(self._now, by_station[0], by_station[1], ok, failed, zero, zero, work)

    def wal_position(self, database: int) -> int:
        """Rows in the database's timeline at the plane's clock."""
        self._end_until(self._now)
        return self._ledger.position(database)

    def wal_position_at(self, database: int, at_ns: int) -> int:
        """Rows in the timeline committed strictly before an earlier instant (before a fork: in the old timeline)."""
        self._end_until(self._now)
        return self._ledger.position_at(database, at_ns)

    def drain(self, *, final: bool = False) -> Chunk:
        """Take what has ended since the last drain, in order of (end, class, index)."""
        self._end_until(self._now)
        every = _Ended(*(np.concatenate(c) for c in zip(*(e.columns() for e in self._open), strict=True)))
        ended = every.done_ns < self._now
        self._open = [every.rows(np.flatnonzero(~ended))]
        out = every.rows(np.flatnonzero(ended))
        out = out.rows(np.lexsort((out.index, out.kind, out.done_ns)))
        writes, probes = out.rows(np.flatnonzero(out.kind == 0)), out.rows(np.flatnonzero(out.kind > 0))
        key, database, position, commit_ns = self._ledger.take()
        return Chunk(
            finished_index=writes.index,
            finished_intended_ns=writes.intended_ns,
            finished_done_ns=writes.done_ns,
            finished_outcome=_OUTCOME[writes.status],
            finished_status=writes.status,
            finished_attempts=np.ones(len(writes.index), dtype=np.int64),
            rows_key=key,
            rows_database=database,
            rows_position=position,
            rows_commit_ns=commit_ns,
            probes_class=probes.kind,
            probes_index=probes.index,
            probes_intended_ns=probes.intended_ns,
            probes_done_ns=probes.done_ns,
            probes_station=probes.station,
            probes_replica=probes.replica,
            probes_status=probes.status,
            load=_NO_LOAD,
        )


def _drawn(chances: F64, draw: float) -> int:
    return min(int((chances <= draw).sum()), STATUSES - 1)


_OUTCOME = np.full(STATUSES, int(Outcome.FAILED))
_OUTCOME[[OK, Status.TIMEOUT]] = int(Outcome.OK), int(Outcome.UNKNOWN)
_ANSWERED = np.zeros(STATUSES, dtype=bool)
_ANSWERED[[OK, Status.READ_ONLY, Status.CALLEE_FAILED, Status.QUEUE_TIMEOUT, Status.QUEUE_FULL]] = True
_NO_LOAD = LoadRows(_NONE, _NONE, _NONE, _NONE, _NONE, _NONE, _NONE, _NONE, [], [], [])
