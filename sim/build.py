"""From a resolved topology to the arrays that the data plane plays."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from scenarios.files.resolved import Resolved
from scenarios.model.topology import Call, Database, DrawnTime, Queue, Service
from sim.data.commands import Balancer, Patience, ReplicaState
from sim.data.draws import stream_key, uniform
from sim.data.system import System
from sim.names import Names, ProbeClass

NS = 1_000  # nanoseconds in a microsecond
FOREVER_NS = 1 << 61
# A timer fires a little late. Without it a call that hangs ends at the very instant of its prober's next probe, which
# takes its place at the pod that hangs, and so on: of several probers always the same one would see it.
TIMER_NS = 1_000_000
SIDE_ROUTES = 4  # routes that only inform, stale and direct ones, are probed so many times slower


def names(resolved: Resolved) -> Names:
    """Number stations, replica places, edges and classes."""
    topology = resolved.topology
    regions, services = tuple(topology.regions), (*topology.services, "database")
    station: dict[tuple[str, str], int] = {}
    replicas: dict[int, tuple[int, ...]] = {}
    edge: dict[tuple[str, str], int] = {}
    place = 0
    for region in regions:
        for service in services:
            number = station[region, service] = len(station)
            count = 1 if service == "database" else _places(resolved, service)
            replicas[number] = tuple(range(place, place + count))
            place += count
    inner = [c for c in topology.calls if c.caller != "client"]
    for region in regions:
        for call in inner:
            edge[region, call.caller] = 1 + len(edge)
    databases = {region: i for i, region in enumerate(regions)}
    return Names(regions, services, station, replicas, edge, tuple(_classes(resolved, regions, services)), databases)


def _places(resolved: Resolved, service: str) -> int:
    """Places for the pods of a service in a region: two plans and a surge, and a plan for each further node lost.

    The largest plan counts; pods that are being deleted keep their places for a while, those of a lost node for good.
    """
    steps = [s for p in resolved.procedures.values() for s in p.steps if s.verb == "scale"]
    scaled = [int(s.options["replicas"]) for s in steps if s.target.get("service", service) == service]
    plan = max([resolved.topology.services[service].replicas, *scaled])
    surge = math.ceil(resolved.parameters.number("kubernetes.surge") * plan)
    nodes_lost = sum(e.fault == "node-loss" for e in resolved.scenario.timeline)
    return (2 + max(0, nodes_lost - 1)) * plan + surge


def _classes(resolved: Resolved, regions: tuple[str, ...], services: tuple[str, ...]) -> list[ProbeClass]:
    """The load, the users' probes, and those of who else looks: automation, health check, a fault's landed-probe."""
    topology, parameters = resolved.topology, resolved.parameters
    home = topology.database.home
    classes = [ProbeClass("load", "clients", "load", "order", None, 0)]
    for service in services:
        spacing = _part(resolved, service).probe.spacing_us * NS
        classes.append(ProbeClass(f"{service}/dns", "user", "dns", service, None, spacing))
        side = SIDE_ROUTES * spacing
        classes.append(ProbeClass(f"{service}/stale", "stale-user", "stale", service, None, side))
        classes += [ProbeClass(f"{service}/direct/{r}", f"direct-{r}", "direct", service, r, side) for r in regions]
    order_ns = parameters.duration_us("client.order_probe_spacing") * NS
    classes.append(ProbeClass("order/dns", "user", "dns", "order", None, order_ns))
    if topology.automation is not None:
        poll = topology.automation.poll_us * NS
        writer = next(c.caller for c in topology.calls if c.callee == "database")
        classes += [ProbeClass(f"poll/{s}", "automation", "poll", s, home, poll) for s in (writer, "database")]
    if topology.dns.health_check_failover:
        checkers = parameters.number("dns.health_checkers")
        turn = int(parameters.duration_us("dns.health_check_period") * NS / checkers)
        classes.append(ProbeClass(f"health/{home}", "checkers", "health", _entry(resolved), home, turn))
    cut = [e.target["region"] for e in resolved.scenario.timeline if e.fault == "partition"]
    classes += [ProbeClass(f"order/look/{r}", "look", "look", "order", r, order_ns) for r in dict.fromkeys(cut)]
    return classes


def _entry(resolved: Resolved) -> str:
    """Service that the clients call."""
    return next(c for c in resolved.topology.calls if c.caller == "client").callee


def _part(resolved: Resolved, service: str) -> Service | Database:
    return resolved.topology.database if service == "database" else resolved.topology.services[service]


def system(resolved: Resolved, seed: int, trial: int) -> tuple[System, Names]:
    """Arrays of the data plane at time 0, with the stream keys of one trial."""
    known = names(resolved)

    def key(entity: str, purpose: str) -> Any:
        return stream_key(seed, trial, entity, purpose)

    fields: dict[str, Any] = {
        "station_names": tuple(f"{r}/{s}" for r in known.regions for s in known.services),
        "region_names": known.regions,
        "class_names": tuple(c.name for c in known.classes),
    }
    fields |= _stations(resolved, known) | _replicas(resolved, known) | _edges(resolved, known)
    fields |= _clients(resolved, known, key) | _probes(resolved, known, key)
    databases = len(known.regions)
    home = known.database[resolved.topology.database.home]
    fields |= {"databases": databases, "initial_writable": np.arange(databases) == home}
    fields["idempotent"] = resolved.parameters.on("switches.idempotent_writes")
    fields |= _keys(fields, known, key)
    return System(**fields), known


def _i(values: Any) -> Any:
    return np.array(values, dtype=np.int64)


def _stations(resolved: Resolved, known: Names) -> dict[str, Any]:
    on = resolved.parameters.on
    order = [(r, s) for r in known.regions for s in known.services]
    parts = [_part(resolved, s) for _, s in order]
    warm = [p.warm_up if isinstance(p, Service) and on("switches.warm_up") else None for p in parts]
    waits = [_patience(p.queue) for p in parts]
    inner = {c.caller: c for c in resolved.topology.calls}
    return {
        "slots": _i([p.slots for p in parts]),
        "queue_capacity": _i([p.queue.capacity for p in parts]),
        "queue_patience": _i([longest_us * NS * on("switches.queue_patience") for _, longest_us, _ in waits]),
        "patience_kind": _i([kind for kind, _, _ in waits]),
        "patience_sigma": np.array([sigma for _, _, sigma in waits]),
        "work_scale": np.array([p.own.mean_us * NS * math.exp(-(p.own.sigma**2) / 2) for p in parts]),
        "work_sigma": np.array([p.own.sigma for p in parts]),
        "work_kind": _i([0] * len(parts)),
        "warm_milli": _i([round(w.factor * 1000) if w else 1000 for w in warm]),
        "warm_time": _i([max(1, w.duration_us * NS) if w else 1 for w in warm]),
        "database_of": _i([known.database[r] if s == "database" else -1 for r, s in order]),
        "station_region": _i([known.regions.index(r) for r, _ in order]),
        "station_edge": _i([known.edge[r, s] if s in inner else -1 for r, s in order]),
    }


def _patience(queue: Queue) -> tuple[Patience, int, float]:
    """Kind, size in us (the time itself, the median, the mean) and log-sd of the patience in a queue."""
    match queue.patience_us:
        case int(fixed_us):
            return Patience.FIXED, fixed_us, 0.0
        case DrawnTime(lognormal=(median_us, sigma)):
            return Patience.LOGNORMAL, median_us, sigma
        case DrawnTime(exponential_us=mean_us):
            return Patience.EXPONENTIAL, mean_us or 0, 0.0


def _replicas(resolved: Resolved, known: Names) -> dict[str, Any]:
    sharing = resolved.parameters.on("switches.processor_sharing")
    station, listed, state, cpu = [], [], [], []
    for (region, service), number in known.station.items():
        part = _part(resolved, service)
        running = initial_replicas(resolved, region, service)
        for i, _ in enumerate(known.replicas[number]):
            station.append(number)
            listed.append(i < running)
            state.append(ReplicaState.SERVING if i < running else ReplicaState.REFUSING)
            cpu.append(round(part.cpu * 1000) if sharing else 0)
    return {
        "replica_station": _i(station),
        "initial_listed": np.array(listed),
        "initial_state": _i(state),
        "initial_cpu_milli": _i(cpu),
    }


def initial_replicas(resolved: Resolved, region: str, service: str) -> int:
    """Pods of a service that stand ready in a region at the start."""
    if service == "database":
        database = resolved.topology.database
        return int(region in (database.home, database.replica_region))
    return resolved.topology.regions[region].standing(resolved.topology.services[service].replicas)


_BALANCERS = {
    "random": Balancer.RANDOM,
    "round-robin": Balancer.ROUND_ROBIN,
    "least-connections": Balancer.LEAST_CONNECTIONS,
    "power-of-two": Balancer.POWER_OF_TWO,
}


def _edges(resolved: Resolved, known: Names) -> dict[str, Any]:
    on = resolved.parameters.on
    client = next(c for c in resolved.topology.calls if c.caller == "client")
    by_caller = {c.caller: c for c in resolved.topology.calls}
    calls: list[tuple[str | None, Call]] = [(None, client), *((r, by_caller[caller]) for r, caller in known.edge)]
    rows = [
        _edge(call, None if region is None else known.station[region, call.caller], _target(known, region, call), on)
        for region, call in calls
    ]
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    columns = {n: c if c.dtype == np.bool_ else c.astype(np.int64) for n, c in columns.items()}
    return columns | {"edge_names": ("client->entry", *(f"{r}/{c.caller}->{c.callee}" for r, c in calls[1:]))}


def _target(known: Names, region: str | None, call: Call) -> int:
    """Station that an inner edge leads to at the start; DNS says where the clients' leads."""
    return -1 if region is None else known.station[region, call.callee]


def _edge(call: Call, caller: int | None, target: int, on: Callable[[str], bool]) -> dict[str, Any]:
    """One edge; `caller` None: the clients'. Without held slots an inner edge is async, and has no pool or deadline."""
    outer = caller is None
    holds = outer or on("switches.held_slots")
    breaker = call.breaker if on("switches.breaker") and holds else None
    budget = call.budget if on("switches.retry_budget") else None
    return {
        "edge_caller": -1 if outer else caller,
        "initial_target": target,
        "edge_sync": call.mode == "sync" and holds,
        "edge_balancer": _BALANCERS[call.balancer] if on("switches.balancing") else Balancer.ROUND_ROBIN,
        "edge_timeout": call.timeout_us * NS * (on("switches.client_timeout") if outer else holds),
        "max_retries": call.retries * (on("switches.client_retries") if outer else holds),
        "backoff_base": call.back_off_us * NS,
        "budget_milli": -1 if budget is None else round(budget * 1000),
        "budget_burst": call.budget_burst,
        "breaker_window": breaker.window if breaker else 0,
        "breaker_threshold_milli": round(breaker.threshold * 1000) if breaker else 0,
        "breaker_open": breaker.open_us * NS if breaker else 0,
        "pool_size": call.pool * (on("switches.pools") and holds),
        "pool_queue": call.pool_queue,
        "pool_patience": call.pool_patience_us * NS,
    }


def _ttl_ns(resolved: Resolved) -> int:
    return resolved.topology.dns.ttl_us * NS if resolved.parameters.on("switches.dns_cache") else 1


def _clients(resolved: Resolved, known: Names, key: Any) -> dict[str, Any]:
    on = resolved.parameters.on
    count = resolved.topology.client.count
    ignoring = round(count * resolved.topology.client.ignore_ttl) if on("switches.stale_clients") else 0
    entry = _entry(resolved)
    return {
        "clients": count,
        "client_ignores_ttl": np.arange(count) < ignoring,
        "dns_ttl": _ttl_ns(resolved),
        "initial_dns": known.regions.index(resolved.topology.database.home),
        "entry_station": _i([known.station[r, entry] for r in known.regions]),
        "client_key": key("client", "which"),
        "expiry_key": key("client", "dns expiry"),
    }


def _probes(resolved: Resolved, known: Names, key: Any) -> dict[str, Any]:
    """Request classes. Each prober ticks at a phase of its own, which goes by its name."""
    entry = _entry(resolved)
    region_of = {"dns": -1, "stale": -2, "load": -1}
    ttl_ns = _ttl_ns(resolved)
    health_us = resolved.parameters.duration_us("dns.health_check_timeout")
    rows = []
    for i, c in enumerate(known.classes):
        service = entry if c.service == "order" else c.service
        probe = _part(resolved, service).probe
        writing = c.service == "database" and probe.asks == "write" and c.route in ("dns", "stale")
        rows.append(
            {
                "class_writes": c.service == "order" or writing,
                "probe_phase": int(uniform(key(c.name, "phase"), 0) * c.spacing_ns),
                "probe_spacing": c.spacing_ns or 1,
                "probe_end": FOREVER_NS if i else 0,
                "probe_timeout": (health_us if c.route == "health" else probe.timeout_us) * NS + TIMER_NS,
                "probe_region": region_of[c.route] if c.route in region_of else known.regions.index(c.region or ""),
                "probe_expiry": int(uniform(key(c.name, "dns expiry"), 0) * ttl_ns),
                "probe_chain": c.service == "order" and i > 0,
                "probe_station": [known.station[r, service] for r in known.regions],
            }
        )
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return {n: c if c.dtype == np.bool_ else c.astype(np.int64) for n, c in columns.items()}


def _keys(fields: dict[str, Any], known: Names, key: Any) -> dict[str, Any]:
    """Stream keys by the names of class and service, the same in every region."""
    services = [s for _ in known.regions for s in known.services]
    callers = ["client", *(caller for _, caller in known.edge)]

    def table(entities: list[str], purpose: str) -> Any:
        return np.array([[key(f"{c.name}/{e}", purpose) for e in entities] for c in known.classes], dtype=np.uint64)

    return {
        "work_key": table(services, "own work"),
        "patience_key": table(services, "patience"),
        "pick_key": table(callers, "balancer"),
        "backoff_key": table(callers, "back-off"),
    }
