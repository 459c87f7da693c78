"""Systems in which chosen features of the data plane are on, to be compared with and without them."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from sim.data.commands import Balancer, Command, ReplicaState
from sim.data.event_plane import EventPlane
from sim.data.system import I64, System
from sim.reference.check import play
from tests.properties.systems import MS, US, SystemBuilder, Timed, poisson_arrivals

BALANCERS = {
    "random": Balancer.RANDOM,
    "round robin": Balancer.ROUND_ROBIN,
    "least connections": Balancer.LEAST_CONNECTIONS,
    "power of two": Balancer.POWER_OF_TWO,
}
# What the reference counts when the feature comes to bear.
EVIDENCE = {
    "sync call": ("sync call",),
    "queue timeout": ("call ended QUEUE_TIMEOUT",),
    "client timeout": ("call ended TIMEOUT",),
    "retry": ("retry",),
    "budget": ("retry", "budget refused"),
    "breaker": ("breaker opened", "call ended BREAKER", "breaker trial"),
    **{name: (f"picked {balancer.name}",) for name, balancer in BALANCERS.items()},
    "slowdown": ("slow start",),
    "pod lost": ("lost queued", "lost working"),
    "database failover": ("call ended READ_ONLY", "call ended REFUSED"),
}
FEATURES = tuple(EVIDENCE)
PAIRS = tuple(combinations(FEATURES, 2))
RATE_PER_S = 8_000.0


@dataclass(frozen=True)
class Played:
    """A system with some features on, and what happens to it."""

    system: System
    script: list[Timed]


def default_balancer(features: frozenset[str]) -> Balancer:
    """Balancer of edges for which none is chosen, and in place of a chosen one that is left out."""
    return next(BALANCERS[name] for name in ("round robin", "random", "power of two") if name not in features)


def build(features: frozenset[str], end_ns: int, seed: int, default: Balancer) -> Played:
    """Three services in a chain, loaded so that queues are sometimes full, and two databases."""
    on = features.__contains__
    chosen = [balancer for name, balancer in BALANCERS.items() if on(name)]
    outer, inner = [*chosen, default, default][:2]
    builder = SystemBuilder(seed=seed, clients=5, databases=2, unwritable=(1,))
    patience = 700 * US if on("queue timeout") else 0
    station = {"slots": 4, "queue_capacity": 3, "queue_patience": patience, "work_sigma": 0.6}
    held = on("sync call")  # slots held for a callee need room
    entry = builder.station("entry", replicas=3, work_scale=(0.25 if held else 0.8) * MS, entry=True, **station)
    service = builder.station("service", replicas=3, cpu_milli=3000, work_scale=(0.4 if held else 0.8) * MS, **station)
    row = {"slots": 6, "work_scale": 0.4 * MS, "work_sigma": 0.6}
    stores = [builder.station(f"store-{d}", database_of=d, **row) for d in (0, 1)]
    builder.client_edge(
        edge_balancer=outer,
        edge_timeout=3 * MS if on("client timeout") else 0,
        max_retries=2 * on("retry") + on("budget"),
        backoff_base=2 * MS,
        budget_milli=60 if on("budget") else -1,
        budget_burst=3,
        breaker_window=5 if on("breaker") else 0,
        breaker_threshold_milli=400,
        breaker_open=10 * MS,
    )
    builder.edge(entry, service, edge_sync=on("sync call"), edge_balancer=inner)
    store_edge = builder.edge(service, stores[0], edge_sync=on("sync call"), edge_balancer=inner)
    return Played(builder.build(), _script(features, end_ns, stores, store_edge))


def _script(features: frozenset[str], end_ns: int, stores: list[int], store_edge: int) -> list[Timed]:
    script = []
    part = end_ns // 20
    first_of_service, store_pods = 3, (6, 7)
    if "slowdown" in features:
        script += [Timed(2 * part, Command.SLOW, 1, 2500), Timed(8 * part, Command.SLOW, 1, 1000)]
    if "pod lost" in features:
        for n in range(2, 18):
            pod = first_of_service + n % 3
            script += [
                Timed(n * part, Command.LIST, pod, 0),
                Timed(n * part, Command.STATE, pod, ReplicaState.REFUSING),
                Timed(n * part, Command.LOSE, pod, 1),
                Timed((n + 1) * part, Command.STATE, pod, ReplicaState.SERVING),
                Timed((n + 1) * part, Command.LIST, pod, 1),
            ]
    if "database failover" in features:
        script += [
            Timed(10 * part, Command.STATE, store_pods[0], ReplicaState.REFUSING),
            Timed(10 * part, Command.LOSE, store_pods[0], 1),
            Timed(11 * part, Command.TARGET, store_edge, stores[1]),
            Timed(12 * part, Command.FORK, 1, 0, 100),
            Timed(12 * part, Command.WRITABLE, 1, 1),
        ]
    return sorted(script, key=lambda entry: entry.at_ns)


def arrivals_of(requests: int, seed: int) -> I64:
    """Arrivals at the rate for which the system is laid out."""
    return poisson_arrivals(RATE_PER_S, requests, seed)


def fates(played: Played, arrivals: I64, until_ns: int) -> I64:
    """Outcome, status and end of each request, by index (kernel); 0 for those still open."""
    columns = play(EventPlane(played.system), played.script, arrivals, until_ns).columns
    table = np.zeros((len(arrivals), 3), dtype=np.int64)
    names = ("finished_outcome", "finished_status", "finished_done_ns")
    table[columns["finished_index"]] = np.column_stack([columns[name] for name in names])
    return table
