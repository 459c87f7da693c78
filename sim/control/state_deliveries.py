"""The state that commands have made at fidelity `control`, and what becomes of a call when it is delivered."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.data.commands import Balancer, ReplicaState
from sim.data.system import System

F64 = NDArray[np.float64]


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


@dataclass
class Station:
    """Its listed replicas."""

    serving: list[int]
    refusing: int
    hanging: list[int]  # for each that hangs: serving ones with a lower number
    before_refusing: int  # serving ones with a number below the first that refuses


@dataclass(frozen=True)
class Pick:
    """What becomes of a call when it is delivered."""

    accepted: float
    refused: float = 0.0
    hangs: float = 0.0
    nobody: float = 0.0


class Deliveries:
    """Deliveries in one system."""

    def __init__(self, system: System, mean_s: list[float], deadline_s: list[float]) -> None:
        self._stations, self._regions = len(system.station_names), len(system.region_names)
        self._replicas = [np.flatnonzero(system.replica_station == s).tolist() for s in range(self._stations)]
        self._mean_s, self._deadline_s = mean_s, deadline_s
        self._least = bool(system.edge_balancer[0] == Balancer.LEAST_CONNECTIONS)
        self._probes_per_s, self._probe_deadline_s = self._probe_rates(system)
        self._known: tuple[int, list[Station]] = (-1, [])

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

    def stations(self, state: State) -> list[Station]:
        """The stations as they are."""
        if self._known[0] != state.version:
            self._known = (state.version, [self._summary(state, s) for s in range(self._stations)])
        return self._known[1]

    def _summary(self, state: State, station: int) -> Station:
        kinds = [(r, state.replica[r]) for r in self._replicas[station] if state.listed[r]]
        serving = [r for r, k in kinds if k == ReplicaState.SERVING]
        refusing = [r for r, k in kinds if k == ReplicaState.REFUSING]
        hanging = [r for r, k in kinds if k == ReplicaState.BLACK_HOLE]
        return Station(
            serving,
            len(refusing),
            [sum(r < h for r in serving) for h in hanging],
            sum(r < refusing[0] for r in serving) if refusing else len(serving),
        )

    def pick(self, state: State, stations: list[Station], edge: int, station: int) -> Pick:
        """Over an inner edge: any listed replica with the same chance."""
        known = stations[station]
        listed = len(known.serving) + known.refusing + len(known.hanging)
        if state.cut[edge]:
            return Pick(0.0, hangs=1.0)
        if listed == 0:
            return Pick(0.0, nobody=1.0)
        return Pick(len(known.serving) / listed, known.refusing / listed, len(known.hanging) / listed)

    def edge_pick(self, state: State, stations: list[Station], station: int, load: float, residence_s: float) -> Pick:
        """Over the clients' edge, on which probes come too."""
        known = stations[station]
        if not self._least or not (known.refusing or known.hanging) or state.cut[0]:
            return self.pick(state, stations, 0, station)
        if not known.serving and not known.refusing:
            return Pick(0.0, hangs=1.0)
        probes = float(self._probes_per_s[:, station].max())
        rate = load + probes
        if rate <= 0.0:
            return self.pick(state, stations, 0, station)
        busy = load * residence_s + probes * self._mean_s[station]
        deadline_s = self._deadline_s[0] if load > probes else self._probe_deadline_s[station]
        held = sum(self._held(before, len(known.serving), busy, rate * deadline_s) for before in known.hanging)
        hangs = min(1.0, held / (rate * deadline_s))
        idle = 1.0 - _poisson_from(known.before_refusing, busy) if known.refusing else 1.0
        return Pick((1.0 - hangs) * idle, (1.0 - hangs) * (1.0 - idle), hangs)

    @staticmethod
    def _held(before: int, serving: int, busy: float, arrivals: float) -> float:
        """Mean number of calls that hang at a replica, with so many serving ones of lower numbers.

        It holds a call more whenever one arrives while each of the others has more; `arrivals` come in a deadline.
        """
        held, level = 0.0, before
        while (chance := _poisson_from(level, busy)) > 1e-3 and held < arrivals:
            held += arrivals * chance / (1.0 + arrivals * chance)
            level += max(serving, 1)
        return held


def _poisson_from(n: int, mean: float) -> float:
    """Chance that a Poisson number is at least n."""
    if mean > 50.0:
        return 0.5 * math.erfc((n - 0.5 - mean) / math.sqrt(2.0 * mean))
    term, below = math.exp(-mean), 0.0
    for k in range(n):
        below += term
        term *= mean / (k + 1)
    return max(0.0, 1.0 - below)
