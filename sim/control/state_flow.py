"""Where a request ends, from capacity against load alone: the heart of fidelity `control`.

While nothing changes, the chance of each end is constant. It follows from which replicas are listed, which of them
answer, refuse or hang, and how the offered load compares with the capacity of the listed ones. No queues, no latency.
Approximations, each on the side that keeps an outage an outage: a station whose load exceeds its capacity answers the
share capacity / load; with a breaker the load on a failing path is one trial a client and opening; the balancer
"least connections" at the edge sends nearly everything to a replica that refuses at once, and one call in a timeout
to one that hangs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.data.commands import Balancer, ReplicaState, Status
from sim.data.system import System

F64 = NDArray[np.float64]
STATUSES = len(Status)
OK = int(Status.OK)


@dataclass
class State:
    """What commands have made of the system; `version` counts changes."""

    listed: NDArray[np.bool_]  # R
    replica: NDArray[np.int64]  # R, ReplicaState
    slow_milli: NDArray[np.int64]  # R
    cpu_milli: NDArray[np.int64]  # R
    warm_until: NDArray[np.int64]  # R
    slots: NDArray[np.int64]  # S
    target: NDArray[np.int64]  # E
    cut: NDArray[np.bool_]  # E
    writable: NDArray[np.bool_]  # D
    gate: NDArray[np.bool_]  # D, open
    trading: bool = True
    sending: bool = True
    version: int = 0

    @staticmethod
    def initial(system: System) -> "State":
        """State at time 0."""
        replicas, edges = len(system.replica_station), len(system.edge_caller)
        return State(
            system.initial_listed.copy(),
            system.initial_state.copy(),
            np.full(replicas, 1000),
            system.initial_cpu_milli.copy(),
            np.zeros(replicas, dtype=np.int64),
            system.slots.copy(),
            system.initial_target.copy(),
            np.zeros(edges, dtype=bool),
            system.initial_writable.copy(),
            np.ones(system.databases, dtype=bool),
        )


@dataclass(frozen=True)
class Flow:
    """Chances while nothing changes. Rows of `own` and `chain` sum to 1 over the statuses."""

    own: F64  # S x statuses: a probe that the station answers itself
    own_write: F64  # S x statuses: the same, and it writes
    chain: F64  # G x statuses: an order that enters in the region
    first: NDArray[np.int64]  # S, the replica that answers probes, -1: none
    ok_per_s: F64  # S, what the stations count
    failed_per_s: F64  # S
    share: F64  # R, each replica's part of its station's answers


def certain(status: Status) -> F64:
    """The distribution of an end that is certain."""
    row = np.zeros(STATUSES)
    row[status] = 1.0
    return row


class Flows:
    """Computes flows of one system."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._replicas = [np.flatnonzero(system.replica_station == s) for s in range(len(system.station_names))]
        self._mean_s = (
            np.where(system.work_kind == 1, system.work_scale, system.work_scale * np.exp(system.work_sigma**2 / 2))
            / 1e9
        )
        per_station = np.zeros(len(system.station_names))
        for p in range(1, len(system.class_names)):
            for station in set(system.probe_station[p].tolist()):
                per_station[station] += 1e9 / system.probe_spacing[p]
        self._probes_per_s = per_station

    def flow(self, state: State, rates: F64, at_ns: int) -> Flow:
        """Flow at an instant; `rates` is the offered load by region of the address, new orders a second."""
        system = self._system
        stations, regions = len(system.station_names), len(system.region_names)
        own, chain = np.zeros((stations, STATUSES)), np.zeros((regions, STATUSES))
        ok, failed = np.zeros(stations), np.zeros(stations)
        kept = np.ones(stations)  # share of what arrives that is answered at all
        for region in range(regions):
            path = self._path(state, int(system.entry_station[region]))
            chain[region] = self._walk(state, path, float(rates[region]), at_ns, kept, ok, failed)
        share = np.zeros(len(system.replica_station))
        first = np.full(stations, -1)
        for s in range(stations):
            own[s] = self._edge_pick(state, s)
            own[s] = _thin(own[s], kept[s])
            serving = self._serving(state, s)
            if len(serving):
                first[s] = serving[0]
                share[serving] = 1.0 / len(serving)
        write = own.copy()
        for s in np.flatnonzero(system.database_of >= 0):
            d = int(system.database_of[s])
            if not state.writable[d]:
                write[s, Status.READ_ONLY] += write[s, OK]
                write[s, OK] = 0.0
            elif not state.gate[d]:
                write[s, Status.TIMEOUT] += write[s, OK]
                write[s, OK] = 0.0
        return Flow(own, write, chain, first, ok, failed, share)

    def _path(self, state: State, entry: int) -> list[tuple[int, int]]:
        """Stations of the call chain with the edge that leads to each (0: the client's)."""
        path = [(0, entry)]
        while (edge := int(self._system.station_edge[path[-1][1]])) >= 0:
            path.append((edge, int(state.target[edge])))
        return path

    def _serving(self, state: State, station: int) -> NDArray[np.int64]:
        places = self._replicas[station]
        return places[state.listed[places] & (state.replica[places] == ReplicaState.SERVING)]

    def _walk(
        self, state: State, path: list[tuple[int, int]], rate: float, at_ns: int, kept: F64, ok: F64, failed: F64
    ) -> F64:
        """Ends of an order along the path; notes how much of its load each station keeps, and what it counts."""
        if not state.trading:
            return certain(Status.STOPPED)
        picks = [self._pick(state, e, s, rate) for e, s in path]
        offered = rate * self._breaker(picks, state, path, rate, at_ns)
        ends = self._ends(state, path, picks, offered, at_ns, kept)
        reach = offered
        for i, (_, station) in enumerate(path):
            reach *= picks[i][OK]
            inside = ends[i]
            ok[station] += reach * kept[station] * inside[OK]
            failed[station] += reach * (1.0 - kept[station] * inside[OK])
            reach *= kept[station]
        return _through(picks[0], kept[path[0][1]], ends[0], outer=True)

    def _breaker(self, picks: list[F64], state: State, path: list[tuple[int, int]], rate: float, at_ns: int) -> float:
        """Part of the load that the clients' breakers let through (and retries add to)."""
        system = self._system
        trial = np.ones(len(system.station_names))
        ends = self._ends(state, path, picks, rate, at_ns, trial)
        good = float(_through(picks[0], trial[path[0][1]], ends[0], outer=True)[OK])
        if rate <= 0 or good > 0.999:
            return 1.0
        if system.breaker_window[0] > 0 and (1.0 - good) * 1000 >= system.breaker_threshold_milli[0]:
            return min(1.0, system.clients * 1e9 / float(system.breaker_open[0]) / rate)
        budget = float(system.budget_milli[0]) / 1000 if system.budget_milli[0] >= 0 else float(system.max_retries[0])
        return 1.0 + (min(budget, (1.0 - good) * float(system.max_retries[0])) if system.max_retries[0] else 0.0)

    def _ends(
        self, state: State, path: list[tuple[int, int]], picks: list[F64], offered: float, at_ns: int, kept: F64
    ) -> list[F64]:
        """For each station, the ends of a job that it has accepted; fills `kept` on the way back."""
        for _ in range(3):  # what a station sheds does not reach the next one
            reach, arriving = [], offered
            for pick, (_, station) in zip(picks, path, strict=True):
                reach.append(arriving * float(pick[OK]))
                arriving = reach[-1] * float(kept[station])
            ends = self._backwards(state, path, picks, reach, at_ns, kept)
        return ends

    def _backwards(
        self, state: State, path: list[tuple[int, int]], picks: list[F64], reach: list[float], at_ns: int, kept: F64
    ) -> list[F64]:
        system = self._system
        ends: list[F64] = [np.zeros(STATUSES)] * len(path)
        hold = 0.0
        for i in reversed(range(len(path))):
            edge, station = path[i]
            if i + 1 < len(path):
                below = picks[i + 1]
                hold = float(below[OK]) * hold + float(below[Status.TIMEOUT]) * self._patience_s(path[i + 1][0])
                ends[i] = _through(below, kept[path[i + 1][1]], ends[i + 1], outer=False)
            else:
                ends[i] = self._commit(state, station)
                hold = self._patience_s(edge) if ends[i][Status.TIMEOUT] else 0.0
            capacity = self._capacity(state, station, hold if system.edge_sync[edge] else 0.0, at_ns)
            kept[station] = 1.0 if reach[i] <= capacity else capacity / reach[i]
            hold += float(self._mean_s[station])
        return ends

    def _patience_s(self, edge: int) -> float:
        """How long a caller on this edge hangs: its own timeout, else the clients', else for long."""
        timeout = self._system.edge_timeout
        own = int(timeout[edge]) or int(timeout[0])
        return own / 1e9 if own else 900.0

    def _commit(self, state: State, station: int) -> F64:
        d = int(self._system.database_of[station])
        if d < 0 or (state.writable[d] and state.gate[d]):
            return certain(Status.OK)
        return certain(Status.TIMEOUT if state.writable[d] else Status.READ_ONLY)

    def _capacity(self, state: State, station: int, hold_s: float, at_ns: int) -> float:
        """Most jobs a second that the listed, serving replicas can do; `hold_s` is how long each waits for its callee."""
        system = self._system
        serving = self._serving(state, station)
        if len(serving) == 0:
            return 1e-9
        work = self._mean_s[station] * state.slow_milli[serving] / 1000.0
        warmth = np.maximum(state.warm_until[serving] - at_ns, 0) / float(system.warm_time[station])
        work = work * (1.0 + (system.warm_milli[station] / 1000.0 - 1.0) * np.minimum(warmth, 1.0))
        slots = float(state.slots[station])
        cores = np.where(state.cpu_milli[serving] == 0, slots, state.cpu_milli[serving] / 1000.0)
        by_cpu = np.minimum(cores, slots) / work
        by_slots = slots / (work + hold_s)
        return float(np.minimum(by_cpu, by_slots).sum())

    def _counts(self, state: State, station: int) -> tuple[int, int, int]:
        places = self._replicas[station]
        kinds = state.replica[places[state.listed[places]]]
        return tuple(int((kinds == k).sum()) for k in ReplicaState)  # type: ignore[return-value]

    def _pick(self, state: State, edge: int, station: int, rate: float) -> F64:
        """What becomes of an order's call when it is delivered: OK stands for accepted."""
        row = np.zeros(STATUSES)
        serving, refusing, hanging = self._counts(state, station)
        listed = serving + refusing + hanging
        if state.cut[edge]:
            return certain(Status.TIMEOUT)
        if listed == 0:
            return certain(Status.NO_ENDPOINT)
        if self._system.edge_balancer[edge] != Balancer.LEAST_CONNECTIONS:
            row[OK], row[Status.REFUSED], row[Status.TIMEOUT] = serving / listed, refusing / listed, hanging / listed
            return row
        if refusing:
            return certain(Status.REFUSED)
        busy = rate * float(self._mean_s[station]) / max(serving, 1)
        hang = 1.0 if serving == 0 else min(1.0, hanging * (busy + 1.0) / self._patience_s(edge) / max(rate, 1.0))
        row[Status.TIMEOUT], row[OK] = hang, 1.0 - hang
        return row

    def _edge_pick(self, state: State, station: int) -> F64:
        """The same for a probe, which comes over the clients' edge."""
        serving, refusing, hanging = self._counts(state, station)
        if serving + refusing + hanging == 0:
            return certain(Status.NO_ENDPOINT)
        if self._system.edge_balancer[0] != Balancer.LEAST_CONNECTIONS:
            return self._pick(state, 0, station, 0.0)
        places = self._replicas[station]
        kinds = state.replica[places[state.listed[places]]]
        before = kinds[: int(np.argmax(kinds != ReplicaState.BLACK_HOLE))] if (serving or refusing) else kinds
        if serving + refusing == 0:
            return certain(Status.TIMEOUT)
        row = np.zeros(STATUSES)
        timeout_s = float(self._system.probe_timeout[1:].max()) / 1e9 if len(self._system.probe_timeout) > 1 else 1.0
        rate = float(self._probes_per_s[station])
        hang = len(before) / (len(before) + timeout_s * rate)
        row[Status.TIMEOUT] = hang
        row[OK if kinds[len(before)] == ReplicaState.SERVING else Status.REFUSED] = 1.0 - hang
        return row


def _thin(row: F64, kept: float) -> F64:
    """Part of what was accepted waits too long in a queue."""
    result = row.copy()
    result[Status.QUEUE_TIMEOUT] += row[OK] * (1.0 - kept)
    result[OK] = row[OK] * kept
    return result


def _through(pick: F64, kept: float, inside: F64, *, outer: bool) -> F64:
    """Ends as the caller sees them: of the delivery, of the queue, of the work inside.

    An inner failure is the callee's to the outside: its caller answers CALLEE_FAILED.
    """
    result = _thin(pick, kept)
    accepted, result[OK] = result[OK], 0.0
    if outer:
        result += accepted * inside
        return result
    bad = float(result.sum())
    result[:] = 0.0
    hanging = float(pick[Status.TIMEOUT] + accepted * inside[Status.TIMEOUT])
    result[OK] = accepted * inside[OK]
    result[Status.TIMEOUT] = hanging
    result[Status.CALLEE_FAILED] = max(0.0, bad + accepted * (1.0 - inside[OK]) - hanging)
    return result
