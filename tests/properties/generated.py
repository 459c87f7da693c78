"""Generated systems with generated scripts of commands, small enough to play in a second."""

from dataclasses import dataclass, replace
from random import Random

from sim.data.commands import Balancer, Command, Patience, ReplicaState
from sim.data.system import I64, System
from sim.reference.check import Feeding
from tests.properties.systems import MS, US, S, SystemBuilder, Timed, bursty_arrivals, poisson_arrivals


@dataclass(frozen=True)
class Case:
    """One thing to compare: a system, its load, what happens to it, and how it is fed."""

    system: System
    script: list[Timed]
    arrivals: I64
    until_ns: int
    feeding: Feeding


def generate(random: Random, requests: int = 250) -> Case:
    """Any case; every rule of the page can come to bear."""
    builder = SystemBuilder(
        seed=random.randrange(1000),
        regions=random.choice([1, 1, 2]),
        clients=random.choice([1, 3, 20]),
        dns_ttl=random.choice([5 * MS, 50 * MS, 2 * S]),
        initial_dns=random.choice([0, 0, 0, 0, -1]),
        idempotent=random.random() < 0.8,
    )
    builder.ignoring_clients = random.choice([0, 0, 1])
    builder.databases = random.choice([0, 2, 3])
    if random.random() < 0.3 and builder.databases:
        builder.unwritable = (1,)
    depth = random.choice([1, 2, 2, 3, 4])
    chains = [_chain(random, builder, region, depth) for region in range(builder.regions)]
    builder.client_edge(**_edge(random, sync=True, inner=False))
    if depth > 1:
        _edges(random, builder, chains)
    for _ in range(random.choice([0, 1, 3])):
        _probe(random, builder, chains)
    rate = random.choice([300.0, 1000.0, 2500.0])
    make = random.choice([poisson_arrivals, bursty_arrivals])
    arrivals = make(rate, requests, random.randrange(1000))
    busy_ns = int(arrivals[-1])
    system = builder.build()
    until_ns = busy_ns + random.choice([0, 5 * MS, 2 * S])
    return Case(system, _script(random, system, busy_ns), arrivals, until_ns, _feeding(random, system, until_ns))


def generate_forward(random: Random) -> Case:
    """A case in which nothing goes back, except by commands: it may be played in stages, most of the time."""
    regions = random.choice([1, 1, 1, 2])
    builder = SystemBuilder(
        seed=random.randrange(1000),
        regions=regions,
        clients=random.choice([1, 3, 20]),
        dns_ttl=random.choice([5 * MS, 50 * MS, 2 * S]),
        databases=random.choice([0, 2, 3]),
    )
    depth = random.choice([1, 2, 3, 3, 4])
    chains = [_forward_chain(random, builder, region, depth) for region in range(regions)]
    builder.client_edge(edge_balancer=random.choice(list(Balancer)))
    for level in range(depth - 1):
        balancer = random.choice(list(Balancer))
        for chain in chains:
            builder.edge(chain[level], chain[level + 1], edge_sync=False, edge_balancer=balancer)
    for _ in range(random.choice([0, 1, 3])):
        _probe(random, builder, chains)
    make = random.choice([poisson_arrivals, bursty_arrivals])
    requests = random.choice([300, 300, 1500])
    arrivals = make(random.choice([1000.0, 2500.0, 4000.0]), requests, random.randrange(1000))
    busy_ns = int(arrivals[-1])
    system = builder.build()
    until_ns = busy_ns + random.choice([0, 5 * MS, 2 * S])
    feeding = _feeding(random, system, until_ns)
    watches = feeding.watches if random.random() < 0.2 else ()
    script = _script(random, system, busy_ns)[: random.choice([0, 2, 8, 60])]
    return Case(system, script, arrivals, until_ns, replace(feeding, watches=watches))


def _forward_chain(random: Random, builder: SystemBuilder, region: int, depth: int) -> list[int]:
    chain = []
    on_a_grid = random.random() < 0.3  # work and arrivals in whole steps: most instants see several occurrences
    for level in range(depth):
        database = random.randrange(builder.databases) if builder.databases and level == depth - 1 else -1
        replicas = random.choice([1, 2, 3])
        slots = random.choice([1, 1, 2, 5, 20])
        number = builder.station(
            f"service-{level}",
            region=region,
            replicas=replicas,
            listed=random.choice([replicas, replicas, 1]),
            cpu_milli=random.choice([0, 1000 * slots]),
            slots=slots,
            queue_capacity=random.choice([700, 100_000]),
            queue_patience=random.choice([0, 500 * US, 500 * US, 3 * MS]),
            work_scale=random.choice([1, 4, 4, 10, 10, 30]) * 100 * US * (slots if slots > 2 else 1),
            work_sigma=0.0 if on_a_grid else random.choice([0.0, 0.5, 1.0]),
            work_kind=0 if on_a_grid else random.choice([0, 0, 1]),
            warm_milli=random.choice([1000, 3000]),
            database_of=database,
        )
        chain.append(number)
    return chain


def _chain(random: Random, builder: SystemBuilder, region: int, depth: int) -> list[int]:
    chain = []
    for level in range(depth):
        database = random.randrange(builder.databases) if builder.databases and level == depth - 1 else -1
        replicas = random.choice([1, 1, 2, 3])
        number = builder.station(
            f"service-{level}",
            region=region,
            replicas=replicas,
            listed=random.choice([replicas, replicas, 1]),
            cpu_milli=random.choice([0, 0, 500, 1000, 1700]),
            slots=random.choice([1, 2, 4]),
            queue_capacity=random.choice([0, 1, 3, 1000]),
            queue_patience=random.choice([0, 500 * US, 500 * US, 3 * MS]),
            patience_kind=random.choice([Patience.FIXED, *Patience]),
            patience_sigma=random.choice([0.0, 0.5, 1.5]),
            work_scale=random.choice([0.1, 0.4, 1.0, 1.0, 3.0]) * MS,
            work_sigma=random.choice([0.0, 0.0, 0.5, 1.0]),
            work_kind=random.choice([0, 0, 0, 1]),
            warm_milli=random.choice([1000, 3000, 500]),
            warm_time=random.choice([1 * MS, 100 * MS]),
            database_of=database,
        )
        chain.append(number)
    return chain


def _edge(random: Random, *, sync: bool, inner: bool) -> dict[str, object]:
    edge: dict[str, object] = {"edge_sync": sync, "edge_balancer": random.choice(list(Balancer))}
    if not sync:
        return edge
    edge["edge_timeout"] = random.choice([0, 1 * MS, 5 * MS, 20 * MS])
    edge["max_retries"] = random.choice([0, 1, 2, 4])
    edge["backoff_base"] = random.choice([0, 100 * US, 1 * MS, 10 * MS])
    if random.random() < 0.4:
        edge["budget_milli"] = random.choice([0, 100, 500])
        edge["budget_burst"] = random.choice([0, 1, 3])
    if random.random() < 0.4:
        edge["breaker_window"] = random.choice([1, 3, 10])
        edge["breaker_threshold_milli"] = random.choice([300, 500, 1000])
        edge["breaker_open"] = random.choice([1 * MS, 20 * MS])
    if inner and random.random() < 0.5:
        edge["pool_size"] = random.choice([1, 2])
        edge["pool_queue"] = random.choice([0, 1, 20])
        edge["pool_patience"] = random.choice([0, 300 * US, 2 * MS])
    return edge


def _edges(random: Random, builder: SystemBuilder, chains: list[list[int]]) -> None:
    shares_database = random.random() < 0.5
    for level in range(len(chains[0]) - 1):
        constants = _edge(random, sync=random.random() < 0.7, inner=True)
        for chain in chains:
            last = level == len(chain) - 2
            target = chains[0][level + 1] if last and shares_database else chain[level + 1]
            builder.edge(chain[level], target, **constants)


def _probe(random: Random, builder: SystemBuilder, chains: list[list[int]]) -> None:
    level = random.randrange(len(chains[0])) if random.random() < 0.5 else 0
    builder.probe(
        region=random.randrange(-2, builder.regions),
        stations=tuple(chain[level] for chain in chains),
        chain=random.random() < 0.5,
        writes=random.random() < 0.5,
        spacing=random.choice([1 * MS, 7 * MS]),
        phase=random.choice([0, 300 * US]),
        end=random.choice([40 * MS, 300 * MS]),
        timeout=random.choice([1 * MS, 10 * MS]),
        expiry=random.choice([0, 30 * MS]),
    )


def _script(random: Random, system: System, busy_ns: int) -> list[Timed]:
    forks = list(range(1, system.databases))
    script = []
    for at_ns in sorted(random.randrange(busy_ns + 1) for _ in range(random.choice([0, 5, 20, 60]))):
        at_ns = random.choice([at_ns, at_ns // (100 * US) * (100 * US)])
        script.append(_command(random, system, at_ns, forks))
    script.sort(key=lambda entry: entry.at_ns)
    return [entry for entry in script if entry is not None]


def _command(random: Random, system: System, at_ns: int, forks: list[int]) -> Timed:
    replica = random.randrange(len(system.replica_station))
    station = random.randrange(len(system.station_names))
    kinds = [Command.LIST, Command.STATE, Command.LOSE, Command.WARM, Command.SLOW, Command.CPU, Command.SLOTS]
    kinds += [Command.DNS, Command.TRADING, Command.SEND, Command.LOSE, Command.STATE, Command.SLOTS]
    inner = range(1, len(system.edge_names))
    kinds += [Command.TARGET, Command.CUT] if inner else []
    pooled = [e for e in inner if system.pool_size[e] > 0]
    kinds += [Command.POOL] if pooled else []
    kinds += [Command.WRITABLE, Command.GATE, Command.GATE] if system.databases else []
    kinds += [Command.FORK] if forks else []
    kind = random.choice(kinds)
    on = random.choice([0, 1, 1])
    arguments: dict[Command, tuple[int, ...]] = {
        Command.LIST: (replica, random.choice([0, 1, 1])),
        Command.STATE: (replica, random.choice([ReplicaState.SERVING, ReplicaState.SERVING, *ReplicaState])),
        Command.LOSE: (replica, random.choice([0, 1])),
        Command.WARM: (replica, at_ns + random.choice([1, 500 * US, 50 * MS])),
        Command.SLOW: (replica, random.choice([1000, 1, 2500, 300])),
        Command.CPU: (replica, random.choice([0, 1, 300, 1000, 2500])),
        Command.SLOTS: (station, random.randrange(2 * int(system.slots[station]) + 1)),
        Command.DNS: (random.randrange(-1, len(system.region_names)),),
        Command.TRADING: (on,),
        Command.SEND: (on,),
    }
    if inner:
        edge = random.choice(list(inner))
        arguments[Command.TARGET] = (edge, _target(random, system, edge))
        arguments[Command.CUT] = (edge, random.choice([0, 0, 1]))
    if pooled:
        arguments[Command.POOL] = (random.choice(pooled), random.choice([1, 2, 4]))
    if system.databases:
        database = random.randrange(system.databases)
        arguments[Command.WRITABLE] = (database, on)
        arguments[Command.GATE] = (database, on)
    if kind == Command.FORK:
        new = forks.pop(0)
        return Timed(at_ns, kind, new, random.randrange(new), random.randrange(60))
    a, b, c, *_ = (*arguments[kind], 0, 0, 0)
    return Timed(at_ns, kind, int(a), int(b), int(c))


def _target(random: Random, system: System, edge: int) -> int:
    """A station one level further, in any region (a chain stays a chain)."""
    service = system.station_names[int(system.initial_target[edge])].split("/")[1]
    same = [s for s, name in enumerate(system.station_names) if name.split("/")[1] == service]
    return random.choice(same)


def _feeding(random: Random, system: System, until_ns: int) -> Feeding:
    splits = tuple(sorted(random.randrange(until_ns + 1) for _ in range(random.choice([0, 3]))))
    classes = range(1, len(system.class_names))
    watches = tuple((p, random.choice([1, 3]), random.choice([1, 2])) for p in classes if random.random() < 0.5)
    chunk = random.choice([1, 17, 1 << 20])
    return Feeding(chunk=chunk, splits=splits, drain_often=random.random() < 0.5, watches=watches)
