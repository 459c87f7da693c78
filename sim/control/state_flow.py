"""Where a request ends, from capacity against load alone: the heart of fidelity `control`.

While nothing changes, the chance of each end is constant. It follows from which replicas are listed, which of them
answer, refuse or hang, and how the offered load compares with the capacity of those that answer. No queues, no latency.
Approximations, each on the side that keeps an outage an outage:

* A pod whose load exceeds its capacity answers the share capacity / load; least connections keeps all pods as busy.
* Where more calls fail than a breaker bears for the time it stays open, breakers open and close in waves: the load
  comes until each client has seen a window of failures, then it stays away while the breakers are open. In between a
  path that only has too much to do carries about a half of what it can, and any other nothing.
* Least connections sends a call to a replica that refuses unless one with a lower number is idle, and to one that hangs
  whenever each of the others has more to do than calls hang there.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from sim.control.state_deliveries import Deliveries, Pick, State, Station
from sim.data.commands import Balancer, Status
from sim.data.system import System

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Path = list[tuple[int, int]]  # (edge that leads to it, station)
STATUSES = len(Status)
OK = int(Status.OK)
CERTAIN = 1.0 - 1e-9
ENOUGH = 0.999  # of a path's calls succeed: its breakers and retries do not matter
CARRIED = 0.5  # of its capacity a path carries between waves; at fidelity request .1 to .7
NEVER_S = 900.0  # what hangs without a deadline hangs until TCP gives up


@dataclass(frozen=True)
class Flow:
    """Chances and rates while nothing changes.

    Rows: S for probes that the station answers itself, S for those that write, G for orders that enter in a region.
    """

    sure: I64  # rows, the end that is certain, -1: none is
    cumulated: F64  # rows x statuses, chances summed up
    first: I64  # S, the replica that answers probes, -1: none
    database: list[int]  # G, at the end of the chain that begins in the region
    ok_per_s: F64  # R, what the replicas count
    failed_per_s: F64  # R
    work_per_s: F64  # R, own work in ns
    stopped: bool  # orders of the load are refused before they are sent; probes are not
    waves: "Waves"


@dataclass(frozen=True)
class _Now:
    """What the stations can do at an instant and what they keep of what reaches them, by station."""

    state: State
    stations: list[Station]
    pods: list[list[tuple[float, float]]]  # of each that serves: most jobs a second when none waits, own work in s
    work_s: list[float]  # mean own work of a job
    each_s: F64  # R, the same by replica
    kept: list[float]  # share of what reaches the station
    first: list[float]  # of what reaches its first pod
    crowded: list[float]  # share of what reaches it that comes to a pod with too much to do


@dataclass(frozen=True)
class _Inside:
    """What becomes of an accepted job in the end."""

    ok: float
    hangs: float
    bad: float


class Breakers(Enum):
    """How the clients' breakers stand: closed; open; let a trial through, and what follows if it succeeds."""

    CLOSED = 0
    OPEN = 1
    TRIAL = 2


@dataclass
class Waves:
    """What the clients' breakers let waves."""

    breakers: Breakers
    carried: float  # share of the load that comes between waves
    first_s: float = 0.0  # how long the first wave of load lasts until breakers open; 0: they stay closed
    again_s: float = 0.0  # how long the next one lasts, when they let a trial through
    opens_s: float = 0.0  # from its begin until a breaker opens again, on average


class Flows:
    """Computes flows of one system."""

    def __init__(self, system: System) -> None:
        self._stations, self._regions = len(system.station_names), len(system.region_names)
        self._replicas = len(system.replica_station)
        spread = np.where(system.work_kind == 1, 1.0, np.exp(system.work_sigma**2 / 2))
        self._mean_s: list[float] = (system.work_scale * spread / 1e9).tolist()
        self._warm_factor: list[float] = (system.warm_milli / 1000.0).tolist()
        self._warm_time: list[int] = system.warm_time.tolist()
        self._database: list[int] = system.database_of.tolist()
        self._edge: list[int] = system.station_edge.tolist()
        self._entry: list[int] = system.entry_station.tolist()
        self._least = bool(system.edge_balancer[0] == Balancer.LEAST_CONNECTIONS)
        self._sync: list[bool] = system.edge_sync.tolist()
        timeouts = [own or int(system.edge_timeout[0]) for own in system.edge_timeout.tolist()]
        self._deadline_s: list[float] = [t / 1e9 if t else NEVER_S for t in timeouts]
        self._pool: list[int] = system.pool_size.tolist()
        self._wait_s: list[float] = np.where(system.pool_size > 0, system.pool_patience / 1e9, 0.0).tolist()
        self._patience_s: list[float] = (system.queue_patience / 1e9).tolist()
        self._clients = system.clients
        self._window = int(system.breaker_window[0])
        self._breaker_s = float(system.breaker_open[0]) / 1e9
        self._breaker_at = -(-int(system.breaker_threshold_milli[0]) * self._window // 1000)  # failures of a window
        self._retries = float(system.max_retries[0])
        self._budget = float(system.budget_milli[0]) / 1000.0 if system.budget_milli[0] >= 0 else self._retries
        self._deliveries = Deliveries(system, self._mean_s, self._deadline_s)

    def flow(self, state: State, loads: list[float], at_ns: int, breakers: Breakers, carried: float = 0.0) -> Flow:
        """Flow at an instant; `loads` is the offered load by region of the address, new orders a second.

        `carried`: the share of the load that came between the waves so far.
        """
        at = self._now(state, at_ns)
        stations = at.stations
        counted = [[0.0] * self._stations for _ in range(3)]  # ok, failed, own work done
        waves = Waves(breakers, carried)
        chains, databases = [], []
        picks = [self._deliveries.edge_pick(state, stations, s, 0.0, 0.0) for s in range(self._stations)]
        for region, load in enumerate(loads if state.trading else [0.0] * self._regions):
            path = self._path(state, self._entry[region])
            chains.append(self._walk(at, path, load, counted, picks, waves))
            databases.append(self._database[path[-1][1]])
        asked = [at.kept[s] if s in self._entry else at.first[s] for s in range(self._stations)]
        own = [_ends(picks[s], asked[s], _Inside(1.0, 0.0, 0.0), Status.OK) for s in range(self._stations)]
        write = [self._written(state, s, row) for s, row in enumerate(own)]
        rows = np.array([*own, *write, *chains])
        sure = np.where(rows.max(axis=1) > CERTAIN, rows.argmax(axis=1), -1)
        first = np.array([x.serving[0] if x.serving else -1 for x in stations])
        ok, failed, worked = (self._spread(stations, c) for c in counted)
        work = worked * at.each_s * 1e9
        chances = np.cumsum(rows, axis=1)
        return Flow(sure, chances, first, databases, ok, failed, work, not state.trading, waves)

    def _spread(self, stations: list[Station], totals: list[float]) -> F64:
        """What stations count, on their replicas."""
        result = np.zeros(self._replicas)
        for known, total in zip(stations, totals, strict=True):
            if total > 0.0 and known.serving:
                result[known.serving] = total / len(known.serving)
        return result

    def _path(self, state: State, entry: int) -> Path:
        """Stations of the call chain with the edge that leads to each (0: the client's)."""
        path = [(0, entry)]
        while (edge := self._edge[path[-1][1]]) >= 0:
            path.append((edge, state.target[edge]))
        return path

    # --- an order's way

    def _walk(
        self, at: _Now, path: Path, load: float, counted: list[list[float]], own: list[Pick], waves: Waves,
    ) -> list[float]:  # fmt: skip
        """Ends of an order along the path; notes the share of its load each station keeps, and what it counts."""
        entry = path[0][1]
        picks = [self._deliveries.pick(at.state, at.stations, e, s) for e, s in path]
        inside: list[_Inside] = []

        def play(offered: float) -> tuple[float, float]:
            """Shares of an offered load that end well, and that hang; leaves `inside`, `at` and `picks` as they are."""
            nonlocal inside
            stays_s = sum(at.work_s[s] for _, s in path)
            picks[0] = self._deliveries.edge_pick(at.state, at.stations, entry, offered, stays_s)
            if offered > 0.0 and (at.stations[entry].hanging or at.stations[entry].refusing):
                stays_s = self._capacities(at, path, picks)[1]
                picks[0] = self._deliveries.edge_pick(at.state, at.stations, entry, offered, stays_s)
            inside = self._inside(at, path, picks, offered)
            accepted = picks[0].accepted * at.kept[entry]
            return accepted * inside[0].ok, picks[0].hangs + accepted * inside[0].hangs

        offered = self._let_through(play, load, waves)
        play(offered)
        own[entry] = picks[0]
        ok, failed, worked = counted
        arriving = offered
        for pick, (_, station), end in zip(picks, path, inside, strict=True):
            arriving *= pick.accepted
            answered = arriving * at.kept[station] * end.ok
            ok[station] += answered
            failed[station] += arriving - answered
            arriving *= at.kept[station]
            worked[station] += arriving
        bad = Status.CALLEE_FAILED if len(path) > 1 else Status.READ_ONLY
        return _ends(picks[0], at.kept[entry], inside[0], bad)

    def _let_through(self, play: Callable[[float], tuple[float, float]], load: float, waves: Waves) -> float:
        """Load that the clients' breakers let through and retries add to; notes the waves in which it comes."""
        is_open = waves.breakers == Breakers.OPEN
        share, hanging = play(load) if load > 0.0 else (1.0, 0.0)
        if share > ENOUGH:
            return load * waves.carried if is_open else load
        opens = self._opens(1.0 - share)
        per_client = load / self._clients
        if opens * per_client * self._breaker_s <= 1.0:  # seldom
            if is_open:
                return load * waves.carried
            return load * (1.0 + min(self._budget, (1.0 - share) * self._retries))
        idle, _ = play(0.0)
        late_s = hanging * self._deadline_s[0]  # what hangs is known to have failed at its deadline
        wave_s = (self._window + 1.0 / opens - 1.0) / per_client
        slowest = max(1.0, math.log(self._clients))  # of the clients' next calls, each at its own rate
        waves.first_s = max(waves.first_s, wave_s + late_s)
        waves.again_s = max(waves.again_s, (wave_s if idle > 0.0 else slowest / per_client) + late_s)
        waves.opens_s = max(waves.opens_s, (wave_s if idle > 0.0 else 1.0 / per_client) + late_s)
        if not is_open:
            return load / slowest if waves.breakers == Breakers.TRIAL and not idle else load
        overload = self._opens(1.0 - idle) * per_client * self._breaker_s <= 1.0
        waves.carried = CARRIED * share if overload else 0.0
        return load * waves.carried

    def _opens(self, failing: float) -> float:
        """Chance that a result opens the breaker of a client that sees so many of its calls fail."""
        if not self._window:
            return 0.0
        return sum(
            math.comb(self._window, k) * failing**k * (1.0 - failing) ** (self._window - k)
            for k in range(self._breaker_at, self._window + 1)
        )

    def _inside(self, at: _Now, path: Path, picks: list[Pick], offered: float) -> list[_Inside]:
        """For each station, the ends of a job that it has accepted; fills in what each keeps."""
        alone = [[most for most, _ in at.pods[station]] for _, station in path]  # as if nobody waited for a callee
        self._shed(at, path, picks, offered, alone)
        if offered > 0.0:
            self._shed(at, path, picks, offered, self._capacities(at, path, picks)[0])
        found = [self._commit(at.state, path[-1][1])]
        for i in reversed(range(len(path) - 1)):
            pick, end = picks[i + 1], found[-1]
            accepted = pick.accepted * at.kept[path[i + 1][1]]
            hangs = pick.hangs + accepted * end.hangs
            found.append(_Inside(accepted * end.ok, hangs, max(0.0, 1.0 - accepted * end.ok - hangs)))
        return found[::-1]

    def _shed(self, at: _Now, path: Path, picks: list[Pick], offered: float, capacity: list[list[float]]) -> None:
        """What a station sheds does not reach the next one. Only least connections spares a pod that does less."""
        arriving = offered
        for (edge, station), pick, pods in zip(path, picks, capacity, strict=True):
            reach = arriving * pick.accepted
            each = reach / len(pods) if pods else 0.0
            if each <= 0.0:
                at.kept[station], at.first[station], at.crowded[station] = 1.0, 1.0, 0.0
            elif edge == 0 and self._least:
                at.kept[station] = at.first[station] = min(1.0, sum(pods) / reach)
                at.crowded[station] = float(sum(pods) < reach)
            else:
                at.kept[station] = sum(min(each, most) for most in pods) / reach
                at.first[station] = min(1.0, pods[0] / each)
                at.crowded[station] = sum(most < each for most in pods) / len(pods)
            arriving = reach * at.kept[station]

    def _capacities(self, at: _Now, path: Path, picks: list[Pick]) -> tuple[list[list[float]], float]:
        """Most jobs a second of each pod along a path, whose slots are held while a job waits for its callee.

        At a pod with too much to do a call waits as long as the queue, or the pool before it, lets it. Returned with
        the time that a call stays in the first station.
        """
        last = self._commit(at.state, path[-1][1])
        hold_s = self._deadline_s[path[-1][0]] if last.hangs else 0.0
        found: list[list[float]] = []
        inside_s = 0.0
        for i in reversed(range(len(path))):
            edge, station = path[i]
            slots, work_s = float(at.state.slots[station]), at.work_s[station]
            pods = [min(most, slots / (each_s + hold_s)) for most, each_s in at.pods[station]]
            if i and self._pool[edge] and pods:
                connections = self._pool[edge] * len(at.stations[path[i - 1][1]].serving)
                narrow = min(1.0, connections / (work_s + hold_s) / sum(pods))
                pods = [most * narrow for most in pods]
            found.append(pods)
            waits_s = at.crowded[station] * (self._wait_s[edge] or self._patience_s[station])
            inside_s = min(waits_s + work_s + hold_s, self._deadline_s[edge])
            held = picks[i].accepted * inside_s + picks[i].hangs * self._deadline_s[edge]
            hold_s = held if self._sync[edge] else 0.0
        return found[::-1], inside_s

    def _commit(self, state: State, station: int) -> _Inside:
        d = self._database[station]
        if d < 0 or (state.writable[d] and state.gate[d]):
            return _Inside(1.0, 0.0, 0.0)
        return _Inside(0.0, 1.0, 0.0) if state.writable[d] else _Inside(0.0, 0.0, 1.0)

    def _written(self, state: State, station: int, own: list[float]) -> list[float]:
        """Ends of a probe that writes."""
        commit = self._commit(state, station)
        if commit.ok:
            return own
        row = list(own)
        row[Status.TIMEOUT if commit.hangs else Status.READ_ONLY] += row[Status.OK]
        row[Status.OK] = 0.0
        return row

    # --- capacity

    def _now(self, state: State, at_ns: int) -> _Now:
        """Work and capacity of each station at an instant."""
        stations = self._deliveries.stations(state)
        by_replica = np.zeros(self._replicas)
        pods: list[list[tuple[float, float]]] = []
        for s, known in enumerate(stations):
            pods.append([])
            for r, factor in zip(known.serving, self._factors(state, known, s, at_ns), strict=True):
                each_s = by_replica[r] = self._mean_s[s] * factor
                cores = state.cpu_milli[r] / 1000.0 if state.cpu_milli[r] else math.inf
                pods[s].append((min(cores, float(state.slots[s])) / each_s, each_s))
        work_s = [sum(each_s for _, each_s in of) / len(of) if of else 0.0 for of in pods]
        some, none = [1.0] * self._stations, [0.0] * self._stations
        return _Now(state, stations, pods, work_s, by_replica, list(some), list(some), none)

    def _factors(self, state: State, known: Station, station: int, at_ns: int) -> list[float]:
        """How much longer than the mean each serving replica works."""
        extra, lasts = self._warm_factor[station] - 1.0, self._warm_time[station]
        factors = []
        for r in known.serving:
            cold = min(max(state.warm_until[r] - at_ns, 0) / lasts, 1.0)
            factors.append(state.slow_milli[r] / 1000.0 * (1.0 + extra * cold))
        return factors


def _ends(pick: Pick, kept: float, inside: _Inside, bad: Status) -> list[float]:
    """Ends as the sender sees them: of the delivery, of the queue, of the work inside."""
    row = [0.0] * STATUSES
    row[Status.NO_ENDPOINT], row[Status.REFUSED] = pick.nobody, pick.refused
    row[Status.QUEUE_TIMEOUT] = pick.accepted * (1.0 - kept)
    row[Status.TIMEOUT] = pick.hangs + pick.accepted * kept * inside.hangs
    row[bad] += pick.accepted * kept * inside.bad
    row[Status.OK] += pick.accepted * kept * inside.ok
    return row
