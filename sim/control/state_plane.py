"""`DataPlane` at fidelity `control`: answers from state and capacity, without queues.

Time is cut into pieces in which nothing changes (`state_flow.Flow`); probes and writes of a piece get their ends in one
stroke of numpy. The writes fed are a thinned ledger: a few a second stand for all orders. No latency, no throughput.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.control.state_flow import OK, Flow, Flows, State
from sim.data.commands import Command, Outcome, Status
from sim.data.plane import Chunk, Counters, LoadRows, Stop
from sim.data.system import System

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Rate = Callable[[int], float]  # offered orders a second at an instant in ns

SECOND = 1_000_000_000
_GOLDEN, _MIX1, _MIX2 = (np.uint64(c) for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_NO_HIST: I64 = np.zeros((0, 2), dtype=np.int64)
_NONE: I64 = np.zeros(0, dtype=np.int64)


def uniforms(key: np.uint64, n: I64) -> F64:
    """Return numbers n of a stream, the same as `sim.data.draws.uniform`."""
    z = np.uint64(key) + (n.astype(np.uint64) + np.uint64(1)) * _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _MIX1
    z = (z ^ (z >> np.uint64(27))) * _MIX2
    z ^= z >> np.uint64(31)
    return ((z >> np.uint64(12)).astype(np.float64) + 0.5) / 4503599627370496.0


@dataclass
class _Watch:
    failures: int
    successes: int
    next_index: int
    row: int = 0
    fired: bool = False
    pending: tuple[int, bool] | None = None  # a probe under way: its end, and whether it is good


class StatePlane:
    """See the module. `rate` is the offered load, constant within each whole second."""

    def __init__(self, system: System, rate: Rate) -> None:
        self._system = system
        self._rate = rate
        self._state = State.initial(system)
        self._flows = Flows(system)
        self._now = 0
        self._settled_ns = 0  # pieces exist up to here
        self._changing_until = 0  # state changes by itself until then: warm-up, DNS caches
        self._starts: list[int] = []
        self._pieces: list[Flow] = []
        self._flow: tuple[tuple[object, ...], Flow] | None = None
        self._dns_since, self._dns_answer = [0], [system.initial_dns]
        self._ok = np.zeros(len(system.station_names))
        self._failed = np.zeros(len(system.station_names))
        self._replica_ok = np.zeros(len(system.replica_station))
        self._replica_failed = np.zeros(len(system.replica_station))
        self._probed_to = np.zeros(len(system.class_names), dtype=np.int64)  # next probe index of each class
        self._arrivals: I64 = _NONE
        self._written = 0  # class-0 requests ended
        self._fed = 0
        self._wal = [0] * system.databases
        self._commits: list[list[tuple[I64, int]]] = [
            [] for _ in range(system.databases)
        ]  # (instants, position before)
        self._ended: list[tuple[I64, ...]] = []
        self._rows: list[tuple[I64, ...]] = []
        self._watches: dict[int, _Watch] = {}
        expiry = uniforms(system.expiry_key, np.arange(system.clients))
        self._expiry = (expiry * system.dns_ttl).astype(np.int64)
        self._last_rate = -1.0

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
        while self._watches:
            at_ns, p = min((self._next_of(w, p), p) for p, w in self._watches.items())
            if at_ns >= horizon_ns:
                break
            self._now = max(self._now, at_ns)
            if self._look(p, self._watches[p]):
                return Stop(self._now, p)
        self._now = max(self._now, horizon_ns)
        return Stop(self._now, -1)

    def watch(self, probe_class: int, failures: int, successes: int) -> None:
        """Stop `advance` after that many failures in a row (then that many successes)."""
        spacing, phase = int(self._system.probe_spacing[probe_class]), int(self._system.probe_phase[probe_class])
        self._watches[probe_class] = _Watch(failures, successes, max(0, -(-(self._now - phase) // spacing)))

    def _intended(self, p: int, index: int) -> int:
        return int(self._system.probe_phase[p]) + index * int(self._system.probe_spacing[p])

    def _next_of(self, watch: _Watch, p: int) -> int:
        """When something happens to a watched class: a probe ends or is sent (one at a time)."""
        return watch.pending[0] if watch.pending else self._intended(p, watch.next_index)

    def _look(self, p: int, watch: _Watch) -> bool:
        """Send or count one probe of a watched class; whether the watch fires."""
        if watch.pending is None:
            index, times = np.array([watch.next_index]), np.array([self._intended(p, watch.next_index)])
            self._settle(int(times[0]) + 1)
            status = self._end(p, index, times)[0]
            watch.pending = (int(self._done(p, status, times)[0]), int(status[0]) == OK)
            watch.next_index += 1
            return False
        good, watch.pending = watch.pending[1], None
        watch.row = watch.row + 1 if good == watch.fired else 0
        if watch.row < (watch.successes if watch.fired else watch.failures):
            return False
        watch.fired, watch.row = not watch.fired, 0
        return True

    # --- pieces

    def _clients_by_region(self, at_ns: int) -> F64:
        """Share of the clients whose cache leads to each region."""
        region = self._client_region(np.arange(self._system.clients), np.full(self._system.clients, at_ns))
        counts = np.bincount(region[region >= 0], minlength=len(self._system.region_names))
        return counts / self._system.clients

    def _settle(self, until_ns: int) -> None:
        """Make the pieces of [settled, until)."""
        at = self._settled_ns
        while at < until_ns:
            rate = self._rate(at)
            end = until_ns
            if at < self._changing_until or rate != self._rate(until_ns - 1) or self._varies(at, until_ns):
                end = min(until_ns, (at // SECOND + 1) * SECOND)
            flow = self._flow_at(at, rate)
            seconds = (end - at) / 1e9
            self._ok += flow.ok_per_s * seconds
            self._failed += flow.failed_per_s * seconds
            station = self._system.replica_station
            self._replica_ok += flow.share * flow.ok_per_s[station] * seconds
            self._replica_failed += flow.share * flow.failed_per_s[station] * seconds
            if not self._pieces or self._pieces[-1] is not flow:
                self._starts.append(at)
                self._pieces.append(flow)
            at = end
        self._settled_ns = max(self._settled_ns, until_ns)

    def _varies(self, begin_ns: int, end_ns: int) -> bool:
        """Whether the offered load changes within the interval, at whole seconds."""
        if end_ns - begin_ns <= SECOND:
            return begin_ns // SECOND != (end_ns - 1) // SECOND and self._rate(begin_ns) != self._rate(end_ns - 1)
        probes = range(begin_ns, end_ns, max(SECOND, (end_ns - begin_ns) // 16))
        return len({self._rate(t) for t in probes}) > 1

    def _flow_at(self, at_ns: int, rate: float) -> Flow:
        moving = at_ns // SECOND if at_ns < self._changing_until else -1
        key = (self._state.version, rate, moving)
        if self._flow is None or self._flow[0] != key:
            shares = self._clients_by_region(at_ns) if self._state.sending else np.zeros(len(self._system.region_names))
            self._flow = (key, self._flows.flow(self._state, shares * rate, at_ns))
        return self._flow[1]

    # --- addresses

    def _answer_at(self, instants_ns: I64) -> I64:
        i = np.searchsorted(np.array(self._dns_since), instants_ns, side="right") - 1
        return np.array(self._dns_answer)[np.maximum(i, 0)]

    def _client_region(self, client: I64, instants_ns: I64) -> I64:
        """Region of each client's cache: what DNS answered at its last refresh."""
        system = self._system
        expiry = self._expiry[client]
        refreshed = np.where(
            instants_ns >= expiry, expiry + (instants_ns - expiry) // system.dns_ttl * system.dns_ttl, -1
        )
        answer = np.where(refreshed >= 0, self._answer_at(np.maximum(refreshed, 0)), system.initial_dns)
        return np.where(system.client_ignores_ttl[client], system.initial_dns, answer)

    def _probe_region(self, p: int, instants_ns: I64) -> I64:
        system = self._system
        fixed = int(system.probe_region[p])
        if fixed >= 0:
            return np.full(len(instants_ns), fixed)
        if fixed == -2:
            return np.full(len(instants_ns), system.initial_dns)
        phase, spacing = int(system.probe_phase[p]), int(system.probe_spacing[p])
        each = max(1, -(-system.dns_ttl // spacing)) * spacing  # a cache is refreshed by the first probe after its TTL
        return self._answer_at(phase + (instants_ns - phase) // each * each)

    # --- ends

    def _table(self, p: int) -> tuple[F64, NDArray[np.bool_]]:
        """Cumulated chances by (piece, region, status) for a class, and whether an end is certain."""
        system = self._system
        chain = p == 0 or bool(system.probe_chain[p])
        station = system.probe_station[p]
        if chain:
            rows = np.stack([piece.chain for piece in self._pieces])
        elif system.class_writes[p]:
            rows = np.stack([piece.own_write[station] for piece in self._pieces])
        else:
            rows = np.stack([piece.own[station] for piece in self._pieces])
        return np.cumsum(rows, axis=2), rows.max(axis=2) > 1.0 - 1e-9

    def _end(self, p: int, index: I64, instants_ns: I64) -> tuple[I64, I64, I64, I64]:
        """Status, region of the address (-1: none), station and replica of each request of a class."""
        system = self._system
        if p == 0:
            client = np.minimum(
                (uniforms(system.client_key, index) * system.clients).astype(np.int64), system.clients - 1
            )
            region = self._client_region(client, instants_ns)
        else:
            region = self._probe_region(p, instants_ns)
        piece = np.searchsorted(np.array(self._starts), instants_ns, side="right") - 1
        table, sure = self._table(p)
        known = np.maximum(region, 0)
        status = np.argmax(table[piece, known] > 0.5, axis=1)
        open_ = np.flatnonzero(~sure[piece, known])
        if len(open_):
            draw = uniforms(system.pick_key[p, 0], 2 * index[open_])
            status[open_] = (table[piece[open_], known[open_]] <= draw[:, None]).sum(axis=1)
        status = np.where(region < 0, int(Status.NO_ADDRESS), np.minimum(status, len(Status) - 1))
        entry = system.entry_station if p == 0 or system.probe_chain[p] else system.probe_station[p]
        station = np.where(region < 0, -1, entry[known])
        first = np.stack([f.first for f in self._pieces])[piece, np.maximum(station, 0)]
        replica = np.where(np.isin(status, _ANSWERED), first, -1)
        return status.astype(np.int64), region, station.astype(np.int64), replica.astype(np.int64)

    def _done(self, p: int, status: I64, instants_ns: I64) -> I64:
        """Answers take a fixed small time (this level says nothing about latency); silence takes the timeout."""
        timeout = int(self._system.probe_timeout[p] if p else self._system.edge_timeout[0]) or SECOND
        return instants_ns + np.where(status == int(Status.TIMEOUT), timeout, 6_000_000)

    def _write(self) -> None:
        """End the representative writes intended before the clock."""
        self._settle(self._now)
        count = int(np.searchsorted(self._arrivals, self._now, side="left"))
        if count == 0:
            return
        times, self._arrivals = self._arrivals[:count], self._arrivals[count:]
        index = np.arange(self._written, self._written + count)
        self._written += count
        if not self._state.sending:
            return
        status, region, _, _ = self._end(0, index, times)
        outcome = np.where(
            status == OK,
            int(Outcome.OK),
            np.where(status == int(Status.TIMEOUT), int(Outcome.UNKNOWN), int(Outcome.FAILED)),
        )
        self._ended.append(
            (index, times, self._done(0, status, times), outcome, status, np.ones(count, dtype=np.int64))
        )
        for r in np.unique(region[status == OK]):
            d = self._database_of(int(r))
            mine = (status == OK) & (region == r)
            if d >= 0:
                self._commit(d, index[mine], times[mine])

    def _database_of(self, region: int) -> int:
        """Database at the end of the chain that starts in a region."""
        station = int(self._system.entry_station[region])
        while (edge := int(self._system.station_edge[station])) >= 0:
            station = int(self._state.target[edge])
        return int(self._system.database_of[station])

    def _commit(self, d: int, keys: I64, instants_ns: I64) -> None:
        if len(keys):
            before = self._wal[d]
            position = before + 1 + np.arange(len(keys))
            self._commits[d].append((instants_ns, before))
            self._rows.append((keys, np.full(len(keys), d), position, instants_ns))
            self._wal[d] += len(keys)

    # --- the rest of the contract

    def command(self, command: Command, a: int = 0, b: int = 0, c: int = 0) -> None:
        """Apply a command at the plane's clock."""
        self._write()
        state = self._state
        state.version += 1
        if command == Command.DNS:
            self._dns_since.append(self._now)
            self._dns_answer.append(a)
            self._changing_until = max(self._changing_until, self._now + self._system.dns_ttl + SECOND)
        elif command == Command.WARM:
            state.warm_until[a] = b
            self._changing_until = max(self._changing_until, b)
        elif command == Command.FORK:
            self._wal[a] = c
            self._commits[a] = []
        elif command in (Command.TRADING, Command.SEND):
            setattr(state, "trading" if command == Command.TRADING else "sending", bool(a))
        elif command not in (Command.LOSE, Command.POOL):  # work in flight does not exist at this level
            column = {
                Command.LIST: state.listed,
                Command.STATE: state.replica,
                Command.SLOW: state.slow_milli,
                Command.CPU: state.cpu_milli,
                Command.SLOTS: state.slots,
                Command.TARGET: state.target,
                Command.CUT: state.cut,
                Command.WRITABLE: state.writable,
                Command.GATE: state.gate,
            }[command]
            column[a] = b

    def counters(self) -> Counters:
        """Scrape: expected counts up to the clock."""
        self._settle(self._now)
        zero = np.zeros(len(self._replica_ok), dtype=np.int64)
        return Counters(
            self._now,
            self._ok.astype(np.int64),
            self._failed.astype(np.int64),
            self._replica_ok.astype(np.int64),
            self._replica_failed.astype(np.int64),
            zero,
            zero,
            zero,
        )

    def wal_position(self, database: int) -> int:
        """Rows in the database's timeline at the plane's clock."""
        self._write()
        return self._wal[database]

    def wal_position_at(self, database: int, at_ns: int) -> int:
        """Rows in the timeline committed strictly before an earlier instant."""
        self._write()
        for instants, before in reversed(self._commits[database]):
            if len(instants) and int(instants[0]) < at_ns:
                return before + int(np.searchsorted(instants, at_ns, side="left"))
        return self._commits[database][0][1] if self._commits[database] else self._wal[database]

    def drain(self, *, final: bool = False) -> Chunk:
        """Take the facts since the last drain."""
        self._write()
        probes: list[tuple[I64, ...]] = []
        for p in range(1, len(self._system.class_names)):
            phase, spacing = int(self._system.probe_phase[p]), int(self._system.probe_spacing[p])
            last = min(self._now, int(self._system.probe_end[p]))
            index = np.arange(self._probed_to[p], max(self._probed_to[p], -(-(last - phase) // spacing)))
            if len(index) == 0:
                continue
            self._probed_to[p] = index[-1] + 1
            times = phase + index * spacing
            status, _, station, replica = self._end(p, index, times)
            probes.append(
                (np.full(len(index), p), index, times, self._done(p, status, times), station, replica, status)
            )
        self._forget()
        ended, rows = _columns(self._ended, 6), _columns(self._rows, 4)
        self._ended, self._rows = [], []
        return Chunk(*ended, *rows, *_columns(probes, 7), _no_load())

    def _forget(self) -> None:
        """Pieces that no later probe needs."""
        if len(self._pieces) > 1:
            first = int(np.searchsorted(np.array(self._starts), self._now, side="right")) - 1
            self._starts, self._pieces = self._starts[first:], self._pieces[first:]


_ANSWERED = np.array(
    [int(s) for s in (Status.OK, Status.READ_ONLY, Status.CALLEE_FAILED, Status.QUEUE_TIMEOUT, Status.QUEUE_FULL)]
)


def _columns(parts: list[tuple[I64, ...]], width: int) -> list[I64]:
    if not parts:
        return [_NONE] * width
    return [np.concatenate([part[i] for part in parts]) for i in range(width)]


def _no_load() -> LoadRows:
    return LoadRows(_NONE, _NONE, _NONE, _NONE, _NONE, _NONE, _NONE, _NONE, [], [], [])
