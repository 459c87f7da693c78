"""From a resolved topology to the arrays that the data plane plays."""

import math
from typing import Any

import numpy as np

from scenarios.files.resolved import Resolved
from scenarios.model.topology import Call, Database, Service
from sim.data.commands import Balancer, ReplicaState
from sim.data.draws import stream_key
from sim.data.system import System
from sim.names import Names, ProbeClass

NS = 1_000  # nanoseconds in a microsecond
FOREVER_NS = 1 << 61
POLL_NS = 1_000_000_000


def names(resolved: Resolved) -> Names:
    """Number stations, replica places, edges and classes."""
    topology = resolved.topology
    regions, services = tuple(topology.regions), (*topology.services, "database")
    station, replicas, edge = {}, {}, {}
    place = 0
    for region in regions:
        for service in services:
            number = station[region, service] = len(station)
            count = 1 if service == "database" else 2 * topology.services[service].replicas
            replicas[number] = tuple(range(place, place + count))
            place += count
    inner = [c for c in topology.calls if c.caller != "client"]
    for region in regions:
        for call in inner:
            edge[region, call.caller] = 1 + len(edge)
    databases = {region: i for i, region in enumerate(regions)}
    return Names(regions, services, station, replicas, edge, tuple(_classes(resolved, regions, services)), databases)


def _classes(resolved: Resolved, regions: tuple[str, ...], services: tuple[str, ...]) -> list[ProbeClass]:
    topology = resolved.topology
    classes = [ProbeClass("load", "clients", "load", "order", None, 0)]
    for service in services:
        spacing = _part(resolved, service).probe.spacing_us * NS
        classes.append(ProbeClass(f"{service}/dns", "user", "dns", service, None, spacing))
        classes.append(ProbeClass(f"{service}/stale", "stale-user", "stale", service, None, 4 * spacing))
        classes += [
            ProbeClass(f"{service}/direct/{r}", f"direct-{r}", "direct", service, r, 4 * spacing) for r in regions
        ]
    classes.append(ProbeClass("order/dns", "user", "dns", "order", None, 500_000_000))
    if topology.automation is not None:
        poll = topology.automation.poll_us * NS
        home = topology.database.home
        classes += [ProbeClass(f"poll/{s}", "automation", "poll", s, home, poll) for s in ("risk", "database")]
    return classes


def _part(resolved: Resolved, service: str) -> Service | Database:
    return resolved.topology.database if service == "database" else resolved.topology.services[service]


def system(resolved: Resolved, seed: int, trial: int) -> tuple[System, Names]:
    """Arrays of the data plane at time 0, with the stream keys of one trial."""
    known = names(resolved)
    key = lambda entity, purpose: stream_key(seed, trial, entity, purpose)  # noqa: E731  a short name for a long argument list
    fields: dict[str, Any] = {
        "station_names": tuple(f"{r}/{s}" for r in known.regions for s in known.services),
        "region_names": known.regions,
        "class_names": tuple(c.name for c in known.classes),
    }
    fields |= _stations(resolved, known) | _replicas(resolved, known) | _edges(resolved, known)
    fields |= _clients(resolved, known, key) | _probes(resolved, known)
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
    inner = {c.caller: c for c in resolved.topology.calls}
    return {
        "slots": _i([p.slots for p in parts]),
        "queue_capacity": _i([p.queue.capacity for p in parts]),
        "queue_patience": _i([p.queue.patience_us * NS * on("switches.queue_patience") for p in parts]),
        "work_scale": np.array([p.own.mean_us * NS * math.exp(-(p.own.sigma**2) / 2) for p in parts]),
        "work_sigma": np.array([p.own.sigma for p in parts]),
        "work_kind": _i([0] * len(parts)),
        "warm_milli": _i([round(w.factor * 1000) if w else 1000 for w in warm]),
        "warm_time": _i([w.duration_us * NS if w else 1 for w in warm]),
        "database_of": _i([known.database[r] if s == "database" else -1 for r, s in order]),
        "station_region": _i([known.regions.index(r) for r, _ in order]),
        "station_edge": _i([known.edge[r, s] if s in inner else -1 for r, s in order]),
    }


def _replicas(resolved: Resolved, known: Names) -> dict[str, Any]:
    topology = resolved.topology
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
    role = resolved.topology.regions[region]
    if role.role == "active":
        return resolved.topology.services[service].replicas
    return role.warm_replicas if role.role == "warm" else 0


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
    rows = []
    for region, call in calls:
        breaker = call.breaker if on("switches.breaker") else None
        outer = region is None
        rows.append(
            {
                "edge_caller": -1 if region is None else known.station[region, call.caller],
                "initial_target": -1 if region is None else known.station[region, call.callee],
                "edge_sync": call.mode == "sync",
                "edge_balancer": _BALANCERS[call.balancer],
                "edge_timeout": call.timeout_us * NS * (on("switches.client_timeout") or not outer),
                "max_retries": call.retries * (on("switches.client_retries") or not outer),
                "backoff_base": call.back_off_us * NS,
                "budget_milli": -1
                if call.budget is None or not on("switches.retry_budget")
                else round(call.budget * 1000),
                "budget_burst": 10,
                "breaker_window": breaker.window if breaker else 0,
                "breaker_threshold_milli": round(breaker.threshold * 1000) if breaker else 0,
                "breaker_open": breaker.open_us * NS if breaker else 0,
                "pool_size": call.pool * on("switches.pools"),
                "pool_queue": 200,
                "pool_patience": 50_000_000,
            }
        )
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    columns = {n: c if c.dtype == np.bool_ else c.astype(np.int64) for n, c in columns.items()}
    return columns | {"edge_names": ("client->entry", *(f"{r}/{c.caller}->{c.callee}" for r, c in calls[1:]))}


def _clients(resolved: Resolved, known: Names, key: Any) -> dict[str, Any]:
    on = resolved.parameters.on
    count = resolved.topology.client.count
    ignoring = round(count * resolved.topology.client.ignore_ttl) if on("switches.stale_clients") else 0
    entry = next(c for c in resolved.topology.calls if c.caller == "client").callee
    return {
        "clients": count,
        "client_ignores_ttl": np.arange(count) < ignoring,
        "dns_ttl": resolved.topology.dns.ttl_us * NS if on("switches.dns_cache") else 1,
        "initial_dns": known.regions.index(resolved.topology.database.home),
        "entry_station": _i([known.station[r, entry] for r in known.regions]),
        "client_key": key("client", "which"),
        "expiry_key": key("client", "dns expiry"),
    }


def _probes(resolved: Resolved, known: Names) -> dict[str, Any]:
    entry = next(c for c in resolved.topology.calls if c.caller == "client").callee
    region_of = {"dns": -1, "stale": -2, "load": -1}
    rows = []
    for i, c in enumerate(known.classes):
        service = entry if c.service == "order" else c.service
        probe = _part(resolved, service).probe
        rows.append(
            {
                "class_writes": i == 0
                or c.service == "order"
                or (c.service == "database" and probe.asks == "write" and c.route in ("dns", "stale")),
                "probe_phase": (i * 1_300_003) % 10_000_000,  # probers do not tick together
                "probe_spacing": c.spacing_ns or 1,
                "probe_end": FOREVER_NS if i else 0,
                "probe_timeout": probe.timeout_us * NS,
                "probe_region": region_of[c.route] if c.route in region_of else known.regions.index(c.region or ""),
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
    table = lambda entities, purpose: np.array(  # noqa: E731
        [[key(f"{c.name}/{e}", purpose) for e in entities] for c in known.classes], dtype=np.uint64
    )
    return {
        "work_key": table(services, "own work"),
        "pick_key": table(callers, "balancer"),
        "backoff_key": table(callers, "back-off"),
    }
