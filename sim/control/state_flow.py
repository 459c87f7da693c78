"""Where a request ends, from capacity against load alone: the heart of fidelity `control`.

While nothing changes, the chance of each end is constant. It follows from which replicas are listed, which of them
answer, refuse or hang, and how the offered load compares with the capacity of those that answer. No queues, no latency.
Approximations, each on the side that keeps an outage an outage:

* A station whose load exceeds its capacity answers the share capacity / load.
* Where more calls fail than a breaker bears for the time it stays open, it opens again and again. On a path that
  fails whatever its load, what gets through is a window of calls and a trial for each client and opening. On one that
  only has too much to do, breakers keep the load below its capacity, at about a half of it: probes are answered, and
  each opening costs as many failures as it takes.
* Least connections sends a call to a replica that refuses unless one with a lower number is idle, and to one that hangs
  as often as it takes to keep as many calls hanging there as are busy elsewhere.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.data.commands import Balancer, ReplicaState, Status
from sim.data.system import System

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
STATUSES = len(Status)
OK = int(Status.OK)
CERTAIN = 1.0 - 1e-9
ENOUGH = 0.999  # of a path's calls succeed: its breakers and retries do not matter
CARRIED = (
    0.5  # of its capacity a path carries while breakers open and close; request fidelity: .1 to .7, mostly .4 to .6
)
NEVER_S = 900.0  # what hangs without a deadline hangs until TCP gives up


@dataclass
class State:
    """What commands have made of the system; `version` counts changes."""

    listed: list[int]  # R
    replica: list[int]  # R, ReplicaState
    slow_milli: list[int]  # R
    cpu_milli: list[int]  # R
    warm_until: list[int]  # R
    slots: list[int]  # S
    target: list[int]  # E
    cut: list[int]  # E
    writable: list[int]  # D
    gate: list[int]  # D, open
    trading: bool = True
    sending: bool = True
    version: int = 0

    @staticmethod
    def initial(system: System) -> "State":
        """State at time 0."""
        replicas = len(system.replica_station)
        return State(
            system.initial_listed.astype(int).tolist(),
            system.initial_state.tolist(),
            [1000] * replicas,
            system.initial_cpu_milli.tolist(),
            [0] * replicas,
            system.slots.tolist(),
            system.initial_target.tolist(),
            [0] * len(system.edge_caller),
            system.initial_writable.astype(int).tolist(),
            [1] * system.databases,
        )


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


@dataclass
class _Station:
    """Its listed replicas."""

    serving: list[int]
    refusing: int
    hanging: int
    before_refusing: int  # serving ones with a number below the first that refuses
    hanging_first: int  # hanging ones with a number below the first that serves


@dataclass(frozen=True)
class _Pick:
    """What becomes of a call when it is delivered."""

    accepted: float
    refused: float = 0.0
    hangs: float = 0.0
    nobody: float = 0.0


@dataclass(frozen=True)
class _Inside:
    """What becomes of an accepted job in the end."""

    ok: float
    hangs: float
    bad: float


class Flows:
    """Computes flows of one system."""

    def __init__(self, system: System) -> None:
        self._stations, self._regions = len(system.station_names), len(system.region_names)
        self._replicas = [np.flatnonzero(system.replica_station == s).tolist() for s in range(self._stations)]
        spread = np.where(system.work_kind == 1, 1.0, np.exp(system.work_sigma**2 / 2))
        self._mean_s: list[float] = (system.work_scale * spread / 1e9).tolist()
        self._warm_factor: list[float] = (system.warm_milli / 1000.0).tolist()
        self._warm_time: list[int] = system.warm_time.tolist()
        self._database: list[int] = system.database_of.tolist()
        self._edge: list[int] = system.station_edge.tolist()
        self._entry: list[int] = system.entry_station.tolist()
        self._sync: list[bool] = system.edge_sync.tolist()
        self._least: list[bool] = (system.edge_balancer == Balancer.LEAST_CONNECTIONS).tolist()
        timeouts = [own or int(system.edge_timeout[0]) for own in system.edge_timeout.tolist()]
        self._deadline_s: list[float] = [t / 1e9 if t else NEVER_S for t in timeouts]
        self._clients = system.clients
        self._window = int(system.breaker_window[0])
        self._breaker_s = float(system.breaker_open[0]) / 1e9
        self._breaker_at = -(-int(system.breaker_threshold_milli[0]) * self._window // 1000)  # failures of a window
        self._retries = float(system.max_retries[0])
        self._budget = float(system.budget_milli[0]) / 1000.0 if system.budget_milli[0] >= 0 else self._retries
        self._probes_per_s, self._probe_deadline_s = self._probe_rates(system)
        self._known: tuple[int, list[_Station]] = (-1, [])

    def _probe_rates(self, system: System) -> tuple[F64, list[float]]:
        """Probes a second at each station when all of them are led there (G x S), and their longest timeout."""
        rates, deadline = np.zeros((self._regions, self._stations)), np.ones(self._stations)
        for p in range(1, len(system.class_names)):
            for g in range(self._regions):
                station = int(system.probe_station[p, g])
                fixed = int(system.probe_region[p])
                if fixed in (-1, g) or (fixed == -2 and g == system.initial_dns):
                    rates[g, station] += 1e9 / float(system.probe_spacing[p])
                    deadline[station] = max(deadline[station], float(system.probe_timeout[p]) / 1e9)
        return rates, deadline.tolist()

    def flow(self, state: State, loads: list[float], at_ns: int) -> Flow:
        """Flow at an instant; `loads` is the offered load by region of the address, new orders a second."""
        stations = self._summaries(state)
        kept = [1.0] * self._stations
        ok, failed, work = ([0.0] * self._stations for _ in range(3))
        chains, databases = [], []
        picks = [self._edge_pick(state, stations, s, 0.0, 0.0) for s in range(self._stations)]
        for region, load in enumerate(loads if state.trading else [0.0] * self._regions):
            path = self._path(state, self._entry[region])
            chains.append(self._walk(state, stations, path, load, at_ns, kept, ok, failed, work, picks))
            databases.append(self._database[path[-1][1]])
        own = [_ends(picks[s], kept[s], _Inside(1.0, 0.0, 0.0), Status.OK) for s in range(self._stations)]
        write = [self._written(state, s, row) for s, row in enumerate(own)]
        rows = np.array([*own, *write, *chains])
        sure = np.where(rows.max(axis=1) > CERTAIN, rows.argmax(axis=1), -1)
        first = np.array([x.serving[0] if x.serving else -1 for x in stations])
        counted = [self._spread(stations, c) for c in (ok, failed, work)]
        chances = np.cumsum(rows, axis=1)
        return Flow(sure, chances, first, databases, counted[0], counted[1], counted[2], not state.trading)

    # --- the state, by station

    def _summaries(self, state: State) -> list[_Station]:
        if self._known[0] != state.version:
            self._known = (state.version, [self._summary(state, s) for s in range(self._stations)])
        return self._known[1]

    def _summary(self, state: State, station: int) -> _Station:
        kinds = [(r, state.replica[r]) for r in self._replicas[station] if state.listed[r]]
        serving = [r for r, k in kinds if k == ReplicaState.SERVING]
        refusing = [r for r, k in kinds if k == ReplicaState.REFUSING]
        hanging = [r for r, k in kinds if k == ReplicaState.BLACK_HOLE]
        return _Station(
            serving,
            len(refusing),
            len(hanging),
            sum(r < refusing[0] for r in serving) if refusing else len(serving),
            sum(r < serving[0] for r in hanging) if serving else len(hanging),
        )

    def _spread(self, stations: list[_Station], totals: list[float]) -> F64:
        """What stations count, on their replicas."""
        result = np.zeros(sum(len(places) for places in self._replicas))
        for known, total in zip(stations, totals, strict=True):
            if total > 0.0 and known.serving:
                result[known.serving] = total / len(known.serving)
        return result

    def _path(self, state: State, entry: int) -> list[tuple[int, int]]:
        """Stations of the call chain with the edge that leads to each (0: the client's)."""
        path = [(0, entry)]
        while (edge := self._edge[path[-1][1]]) >= 0:
            path.append((edge, state.target[edge]))
        return path

    # --- deliveries

    def _pick(self, state: State, stations: list[_Station], edge: int, station: int) -> _Pick:
        """Over an inner edge: any listed replica with the same chance."""
        known = stations[station]
        listed = len(known.serving) + known.refusing + known.hanging
        if state.cut[edge]:
            return _Pick(0.0, hangs=1.0)
        if listed == 0:
            return _Pick(0.0, nobody=1.0)
        return _Pick(len(known.serving) / listed, known.refusing / listed, known.hanging / listed)

    def _edge_pick(
        self, state: State, stations: list[_Station], station: int, load: float, residence_s: float
    ) -> _Pick:
        """Over the clients' edge, on which probes come too."""
        known = stations[station]
        if not self._least[0] or not (known.refusing or known.hanging) or state.cut[0]:
            return self._pick(state, stations, 0, station)
        if not known.serving and not known.refusing:
            return _Pick(0.0, hangs=1.0)
        probes = float(self._probes_per_s[:, station].max())
        rate = load + probes
        busy = load * residence_s + probes * self._mean_s[station]
        level = busy / max(len(known.serving), 1)
        deadline_s = self._deadline_s[0] if load > probes else self._probe_deadline_s[station]
        held = known.hanging * level + (known.hanging_first if known.serving else known.hanging)
        hangs = held / (held + deadline_s * rate) if rate > 0.0 else float(held > 0.0)
        idle = _poisson_below(known.before_refusing, busy) if known.refusing else 1.0
        return _Pick((1.0 - hangs) * idle, (1.0 - hangs) * (1.0 - idle), hangs)

    # --- an order's way

    def _walk(
        self, state: State, stations: list[_Station], path: list[tuple[int, int]], load: float, at_ns: int,
        kept: list[float], ok: list[float], failed: list[float], work: list[float], own: list[_Pick],
    ) -> list[float]:  # fmt: skip
        """Ends of an order along the path; notes the share of its load each station keeps, and what it counts."""
        residence_s = sum(self._mean_s[s] for _, s in path)
        entry = path[0][1]
        picks = [self._pick(state, stations, e, s) for e, s in path]
        picks[0] = own[entry] = self._edge_pick(state, stations, entry, load, residence_s)
        inside: list[_Inside] = []

        def good(offered: float) -> float:
            """Share of an offered load that ends well; leaves `inside` and `kept` as they are at it."""
            nonlocal inside
            inside = self._inside(state, stations, path, picks, offered, at_ns, kept)
            return picks[0].accepted * kept[entry] * inside[0].ok

        offered, lost_per_s = self._let_through(good, load)
        good(offered)
        arriving = offered
        for pick, (_, station), end in zip(picks, path, inside, strict=True):
            arriving *= pick.accepted
            answered = arriving * kept[station] * end.ok
            ok[station] += answered
            failed[station] += arriving - answered
            arriving *= kept[station]
            work[station] += arriving * self._work_s(state, stations[station], station, at_ns) * 1e9
        if stations[entry].serving:
            failed[entry] += lost_per_s
        bad = Status.CALLEE_FAILED if len(path) > 1 else Status.READ_ONLY
        return _ends(picks[0], kept[entry], inside[0], bad)

    def _let_through(self, good: Callable[[float], float], load: float) -> tuple[float, float]:
        """Load that the clients' breakers let through and retries add to, and the failures that openings cost."""
        share = good(load) if load > 0.0 else 1.0
        if share > ENOUGH:
            return load, 0.0
        if self._opens(1.0 - share, load):
            idle = good(0.0)
            if self._opens(1.0 - idle, load):
                return min(load, self._clients * (self._window * idle + 1.0) / self._breaker_s), 0.0
            return CARRIED * share * load, self._clients * self._breaker_at / self._breaker_s
        return load * (1.0 + min(self._budget, (1.0 - share) * self._retries)), 0.0

    def _opens(self, failing: float, load: float) -> bool:
        """Whether a breaker that sees so many of its client's calls fail opens sooner than it would close again."""
        if not self._window or failing <= 0.0:
            return False
        chance = sum(
            math.comb(self._window, k) * failing**k * (1.0 - failing) ** (self._window - k)
            for k in range(self._breaker_at, self._window + 1)
        )
        return chance * load / self._clients * self._breaker_s > 1.0

    def _inside(
        self, state: State, stations: list[_Station], path: list[tuple[int, int]], picks: list[_Pick],
        offered: float, at_ns: int, kept: list[float],
    ) -> list[_Inside]:  # fmt: skip
        """For each station, the ends of a job that it has accepted; fills `kept`."""
        inside: list[_Inside] = []
        for _, station in path:
            kept[station] = 1.0
        for _ in range(3 if offered > 0.0 else 1):  # what a station sheds does not reach the next one
            reach, arriving = [], offered
            for pick, (_, station) in zip(picks, path, strict=True):
                reach.append(arriving * pick.accepted)
                arriving = reach[-1] * kept[station]
            inside = self._backwards(state, stations, path, picks, reach, at_ns, kept)
        return inside

    def _backwards(
        self, state: State, stations: list[_Station], path: list[tuple[int, int]], picks: list[_Pick],
        reach: list[float], at_ns: int, kept: list[float],
    ) -> list[_Inside]:  # fmt: skip
        edge, station = path[-1]
        end = self._commit(state, station)
        hold_s = self._deadline_s[edge] if end.hangs else 0.0
        found = [end]
        for i in reversed(range(len(path))):
            station = path[i][1]
            if i + 1 < len(path):
                edge, callee = path[i + 1]
                pick, share = picks[i + 1], kept[callee]
                hold_s = pick.accepted * share * hold_s + pick.hangs * self._deadline_s[edge]
                accepted = pick.accepted * share
                hangs = pick.hangs + accepted * end.hangs
                end = _Inside(accepted * end.ok, hangs, max(0.0, 1.0 - accepted * end.ok - hangs))
                found.append(end)
                hold_s = hold_s if self._sync[edge] else 0.0
            if reach[i] > 0.0:
                capacity = self._capacity(state, stations[station], station, hold_s, at_ns)
                kept[station] = min(1.0, capacity / reach[i])
            hold_s += self._mean_s[station]
        return found[::-1]

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

    def _factors(self, state: State, known: _Station, station: int, at_ns: int) -> list[float]:
        """How much longer than the mean each serving replica works."""
        extra, lasts = self._warm_factor[station] - 1.0, self._warm_time[station]
        factors = []
        for r in known.serving:
            cold = min(max(state.warm_until[r] - at_ns, 0) / lasts, 1.0)
            factors.append(state.slow_milli[r] / 1000.0 * (1.0 + extra * cold))
        return factors

    def _work_s(self, state: State, known: _Station, station: int, at_ns: int) -> float:
        """Mean own work of a job."""
        factors = self._factors(state, known, station, at_ns)
        return self._mean_s[station] * sum(factors) / len(factors) if factors else 0.0

    def _capacity(self, state: State, known: _Station, station: int, hold_s: float, at_ns: int) -> float:
        """Most jobs a second that the serving replicas can do; `hold_s` is how long each waits for its callee."""
        slots, total = float(state.slots[station]), 0.0
        for r, factor in zip(known.serving, self._factors(state, known, station, at_ns), strict=True):
            work_s = self._mean_s[station] * factor
            cores = state.cpu_milli[r] / 1000.0 if state.cpu_milli[r] else slots
            total += min(min(cores, slots) / work_s, slots / (work_s + hold_s))
        return total


def _ends(pick: _Pick, kept: float, inside: _Inside, bad: Status) -> list[float]:
    """Ends as the sender sees them: of the delivery, of the queue, of the work inside."""
    row = [0.0] * STATUSES
    row[Status.NO_ENDPOINT], row[Status.REFUSED] = pick.nobody, pick.refused
    row[Status.QUEUE_TIMEOUT] = pick.accepted * (1.0 - kept)
    row[Status.TIMEOUT] = pick.hangs + pick.accepted * kept * inside.hangs
    row[bad] += pick.accepted * kept * inside.bad
    row[Status.OK] += pick.accepted * kept * inside.ok
    return row


def _poisson_below(n: int, mean: float) -> float:
    """Chance that a Poisson number is below n."""
    term, total = math.exp(-mean), 0.0
    for k in range(n):
        total += term
        term *= mean / (k + 1)
    return min(1.0, total)
