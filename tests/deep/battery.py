"""Cases that the reference plays once, and of which every kernel must say the same."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from sim.data.commands import Balancer, Command, Patience
from sim.data.event_plane import EventPlane
from sim.data.plane import DataPlane
from sim.data.system import System
from sim.reference.check import Facts, Feeding, differences, play
from sim.reference.reference_plane import ReferencePlane
from tests.contract.features import arrivals_of, build, default_balancer
from tests.properties.generated import Case, generate, generate_forward
from tests.properties.systems import MS, US, S, SystemBuilder, Timed, bursty_arrivals, poisson_arrivals

GENERATED = 120
FORWARD = 40  # what may be played in stages: by the event loop, then in stages
PAIRS = (
    ("retry", "budget"),
    ("breaker", "client timeout"),
    ("queue timeout", "sync call"),
    ("least connections", "power of two"),
    ("slowdown", "round robin"),
    ("pod lost", "database failover"),
    ("sync call", "breaker"),
)


@dataclass(frozen=True)
class Played:
    """A case and what the reference said about it: facts, positions of the write-ahead log."""

    name: str
    case: Case
    facts: Facts
    wal: list[list[int]]


def made_cases() -> Iterator[tuple[str, Case]]:
    """Cases made for what generated ones seldom meet, and pairs of features."""
    yield "commands", _commands()
    yield "gate and fork", _gate_and_fork()
    yield "ties", _ties()
    yield "breaker on a grid", _breaker_on_a_grid()
    yield "equal deadlines", _equal_deadlines()
    yield "lost callers", _lost_callers()
    yield "many jobs", _many_jobs()
    yield "a long queue", _long_queue()
    yield "drawn patience", _drawn_patience()
    yield "equal back-offs", _equal_backoffs()
    yield from _chain_that_stops()
    yield "a chain whose watch fires", _chain_whose_watch_fires()
    yield "a chain with a short queue", _chain_with_a_short_queue()
    for number, pair in enumerate(PAIRS):
        arrivals = arrivals_of(600, number)
        on = frozenset(pair)
        end = int(arrivals[-1])
        played = build(on, end, number, default_balancer(on))
        yield " + ".join(pair), Case(played.system, played.script, arrivals, end + S, Feeding())


def _commands() -> Case:
    """Two regions with databases, a pool between them, and most commands at instants at which other things occur."""
    builder = SystemBuilder(regions=2, clients=9, dns_ttl=20 * MS, databases=2, unwritable=(1,))
    station: dict[str, Any] = {"slots": 3, "queue_capacity": 20, "queue_patience": 8 * MS, "warm_time": 100 * MS}
    entry = builder.station("entry", replicas=3, work_scale=0.8 * MS, entry=True, **station)
    store = builder.station("store", slots=6, work_scale=0.5 * MS, database_of=0)
    other = builder.station("store", region=1, slots=6, work_scale=0.5 * MS, database_of=1)
    builder.client_edge(edge_balancer=Balancer.LEAST_CONNECTIONS, edge_timeout=15 * MS, max_retries=2)
    edge = builder.edge(entry, store, edge_timeout=10 * MS, pool_size=3, pool_queue=5, pool_patience=4 * MS)
    builder.probe(stations=(entry, other), spacing=3 * MS, timeout=10 * MS, end=402 * MS, writes=True)
    builder.probe(stations=(entry, other), spacing=5 * MS, timeout=5 * MS, end=400 * MS, chain=False, region=0)
    script = [
        Timed(40 * MS, Command.WARM, 0, 90 * MS),
        Timed(60 * MS, Command.DNS, 1),
        Timed(80 * MS, Command.DNS, 0),
        Timed(100 * MS, Command.POOL, edge, 1),
        Timed(130 * MS, Command.POOL, edge, 6),
        Timed(150 * MS, Command.SLOTS, entry, 1),
        Timed(170 * MS, Command.LIST, 0, 0),
        Timed(180 * MS, Command.SLOTS, entry, 9),
        Timed(200 * MS, Command.LOSE, 1, 1),
        Timed(210 * MS, Command.CUT, edge, 1),
        Timed(240 * MS, Command.CUT, edge, 0),
        Timed(250 * MS, Command.LOSE, 2, 0),
        Timed(260 * MS, Command.TRADING, 0),
        Timed(270 * MS, Command.TRADING, 1),
    ]
    watches = ((1, 2, 2), (2, 3, 1))
    return Case(builder.build(), script, poisson_arrivals(3_000, 900), 1 * S, Feeding(watches=watches))


def _gate_and_fork() -> Case:
    """Commits wait while clients try again at a fork: which rows are old is decided one by one, up to its position."""
    builder = SystemBuilder(clients=3, databases=2, unwritable=(1,))
    entry = builder.station("entry", replicas=2, slots=400, work_scale=0.3 * MS, work_sigma=1.0)
    old = builder.station("store", slots=400, work_scale=0.2 * MS, work_sigma=1.0, database_of=0)
    new = builder.station("copy", slots=400, work_scale=0.2 * MS, database_of=1)
    builder.client_edge(edge_timeout=20 * MS, max_retries=4, backoff_base=5 * MS)
    edge = builder.edge(entry, old)
    script = [
        Timed(20 * MS, Command.GATE, 0, 0),
        Timed(30 * MS, Command.GATE, 0, 1),
        Timed(40 * MS, Command.GATE, 0, 0),
        Timed(50 * MS, Command.FORK, 1, 0, 106),
        Timed(50 * MS, Command.WRITABLE, 1, 1),
        Timed(50 * MS, Command.TARGET, edge, new),
        Timed(70 * MS, Command.LOSE, 2, 1),
        Timed(75 * MS, Command.GATE, 0, 1),
    ]
    return Case(builder.build(), script, poisson_arrivals(2_000, 200), 400 * MS, Feeding(drain_often=True))


def _ties() -> Case:
    """Everything takes a whole number of 100 us, so that most instants see several occurrences and horizons."""
    builder = SystemBuilder(clients=4)
    station: dict[str, Any] = {"work_sigma": 0.0, "slots": 3, "queue_capacity": 4, "queue_patience": 600 * US}
    entry = builder.station("entry", replicas=3, work_scale=0.4 * MS, **station)
    inner = builder.station("inner", replicas=2, work_scale=0.3 * MS, cpu_milli=1500, **station)
    builder.client_edge(
        edge_balancer=Balancer.LEAST_CONNECTIONS, edge_timeout=2 * MS, max_retries=3, budget_milli=500, budget_burst=2
    )
    pool: dict[str, Any] = {"pool_size": 2, "pool_queue": 20, "pool_patience": 500 * US}
    balancer = Balancer.POWER_OF_TWO
    builder.edge(entry, inner, edge_balancer=balancer, edge_timeout=1 * MS, max_retries=2, backoff_base=0, **pool)
    splits = tuple(range(0, 100 * MS, 500 * US))
    script = [Timed(t, Command.STATE, 0, t // (10 * MS) % 2) for t in range(10 * MS, 100 * MS, 10 * MS)]
    return Case(builder.build(), script, bursty_arrivals(7_000, 700), 2 * S, Feeding(chunk=50, splits=splits))


def _equal_deadlines() -> Case:
    """Calls that waited in a pool join a queue at the instant at which later ones did; most of them wait in vain."""
    builder = SystemBuilder(clients=3)
    station: dict[str, Any] = {"work_sigma": 0.0, "queue_capacity": 100}
    entry = builder.station("entry", replicas=3, slots=50, work_scale=0.4 * MS, **station)
    inner = builder.station("inner", slots=1, work_scale=0.5 * MS, queue_patience=300 * US, **station)
    builder.edge(entry, inner, pool_size=2, pool_queue=100)
    return Case(builder.build(), [], bursty_arrivals(12_000, 600), 1 * S, Feeding())


def _breaker_on_a_grid() -> Case:
    """Breakers open, try and close at instants at which calls are made."""
    builder = SystemBuilder(clients=2)
    builder.station("entry", replicas=2, work_sigma=0.0, work_scale=0.5 * MS, slots=1, queue_capacity=1)
    builder.client_edge(
        edge_timeout=900 * US,
        max_retries=1,
        backoff_base=0,
        breaker_window=4,
        breaker_threshold_milli=500,
        breaker_open=1 * MS,
    )
    return Case(builder.build(), [], bursty_arrivals(6_000, 900), 2 * S, Feeding())


def _lost_callers() -> Case:
    """Pods are lost while their breakers have seen failures, nearly enough of them to open."""
    builder = SystemBuilder(clients=3)
    entry = builder.station("entry", replicas=2, slots=50, work_scale=0.2 * MS)
    inner = builder.station("inner", slots=2, queue_capacity=0, work_scale=0.5 * MS)
    builder.edge(entry, inner, breaker_window=20, breaker_threshold_milli=650, breaker_open=5 * MS)
    script = [Timed(t, Command.LOSE, t // (7 * MS) % 2, 1) for t in range(7 * MS, 200 * MS, 7 * MS)]
    return Case(builder.build(), script, poisson_arrivals(4_000, 800), 1 * S, Feeding())


def _many_jobs() -> Case:
    """Dozens of jobs work at a replica at once, many of which are done at the same instant."""
    builder = SystemBuilder(clients=3)
    station: dict[str, Any] = {"slots": 60, "work_sigma": 0.0}
    entry = builder.station("entry", replicas=2, work_scale=6.0 * MS, **station)
    inner = builder.station("inner", work_scale=1.0 * MS, cpu_milli=16_500, **station)
    builder.edge(entry, inner)
    builder.client_edge(edge_timeout=9 * MS, max_retries=1)
    script = [
        Timed(10 * MS, Command.CPU, 0, 8_200),
        Timed(20 * MS, Command.LOSE, 1, 1),
        Timed(25 * MS, Command.CPU, 0, 2_040),
        Timed(30 * MS, Command.CPU, 0, 0),
    ]
    return Case(builder.build(), script, bursty_arrivals(15_000, 700), 2 * S, Feeding())


def _long_queue() -> Case:
    """Requests are served long after they came: draws made ahead for them are made no more."""
    builder = SystemBuilder(clients=5)
    station: dict[str, Any] = {"slots": 4, "queue_capacity": 100_000, "work_scale": 0.1 * MS}
    entry = builder.station("entry", replicas=2, work_sigma=0.7, **station)
    inner = builder.station("inner", replicas=3, work_sigma=0.5, **station)
    last = builder.station("last", replicas=2, work_kind=1, **station)
    builder.client_edge(edge_balancer=Balancer.POWER_OF_TWO)
    builder.edge(entry, inner, edge_sync=False, edge_balancer=Balancer.POWER_OF_TWO)
    builder.edge(inner, last, edge_sync=False, edge_balancer=Balancer.RANDOM)
    return Case(builder.build(), [], poisson_arrivals(400_000, 3_000), 1 * S, Feeding(chunk=700))


def _drawn_patience() -> Case:
    """Thousands of drawn deadlines at once, so that the heap of them is packed, and retries under equal draws."""
    builder = SystemBuilder(clients=3)
    station: dict[str, Any] = {"slots": 2, "queue_capacity": 100_000, "patience_sigma": 1.5}
    entry = builder.station(
        "entry", work_scale=0.05 * MS, queue_patience=300 * MS, patience_kind=Patience.EXPONENTIAL, **station
    )
    inner = builder.station(
        "inner", work_scale=0.08 * MS, queue_patience=2 * MS, patience_kind=Patience.LOGNORMAL, **station
    )
    builder.edge(entry, inner, max_retries=1, backoff_base=1 * MS)
    builder.client_edge(max_retries=1, backoff_base=3 * MS)
    return Case(
        builder.build(), [Timed(60 * MS, Command.SLOTS, entry, 40)], poisson_arrivals(60_000, 7_000), 1 * S, Feeding()
    )


def _equal_backoffs() -> Case:
    """Attempts that end at one instant are made again at one instant: the first in the queue is served first.

    The orders come eight at a time, and the queues are empty again before the next eight: who is served when can be
    seen, as each order succeeds in the end.
    """
    builder = SystemBuilder(clients=3)
    builder.station("entry", replicas=2, slots=1, work_scale=0.4 * MS, work_sigma=0.0)
    builder.client_edge(edge_balancer=Balancer.LEAST_CONNECTIONS, edge_timeout=1 * MS, max_retries=2, backoff_base=0)
    arrivals = np.repeat(np.arange(1, 61, dtype=np.int64) * 5 * MS, 8)
    return Case(builder.build(), [], arrivals, 1 * S, Feeding())


def _chain(queue_capacity: int) -> tuple[SystemBuilder, int]:
    """A chain that feeds forward, nearly at its limit, with a database; its builder and the last edge."""
    builder = SystemBuilder(clients=3, databases=1)
    station: dict[str, Any] = {"slots": 5, "work_scale": 1.0 * MS, "queue_capacity": queue_capacity}
    entry = builder.station("entry", **station)
    inner = builder.station("inner", **station)
    store = builder.station("store", database_of=0, **station)
    builder.edge(entry, inner, edge_sync=False)
    edge = builder.edge(inner, store, edge_sync=False)
    builder.probe(spacing=2 * MS, timeout=1 * S, end=300 * MS, writes=True)
    return builder, edge


def _chain_that_stops() -> Iterator[tuple[str, Case]]:
    """What makes a chain no longer feed forward, each alone: not all of it can be left behind again."""
    builder, edge = _chain(100_000)
    scripts = {
        "a closed gate": [Timed(30 * MS, Command.GATE, 0, 0), Timed(45 * MS, Command.GATE, 0, 1)],
        "shared cores": [Timed(30 * MS, Command.CPU, 1, 2_000), Timed(60 * MS, Command.CPU, 1, 0)],
        "a partition": [Timed(30 * MS, Command.CUT, edge, 1), Timed(45 * MS, Command.CUT, edge, 0)],
        "a watch": [Timed(30 * MS, Command.WRITABLE, 0, 0), Timed(90 * MS, Command.WRITABLE, 0, 1)],
    }
    for name, script in scripts.items():
        feeding = Feeding(watches=((1, 2, 2),) if name == "a watch" else ())
        yield f"a chain with {name}", Case(builder.build(), script, poisson_arrivals(4_000, 600), 1 * S, feeding)


def _chain_whose_watch_fires() -> Case:
    """A watch fires between two commands, and no probe is under way when the requests might go over to the stages."""
    builder = SystemBuilder(clients=3, databases=1, unwritable=(0,))
    entry = builder.station("entry", slots=5, work_scale=1.0 * MS)
    store = builder.station("store", slots=5, work_scale=1.0 * MS, database_of=0)
    builder.edge(entry, store, edge_sync=False)
    builder.probe(phase=10 * MS, spacing=20 * MS, timeout=1 * S, end=300 * MS, writes=True)
    return Case(builder.build(), [], poisson_arrivals(2_000, 300), 1 * S, Feeding(watches=((1, 2, 2),)))


def _chain_with_a_short_queue() -> Case:
    builder, _ = _chain(5)
    return Case(builder.build(), [], poisson_arrivals(4_000, 600), 1 * S, Feeding())


def positions(plane: DataPlane, system: System, facts: Facts) -> list[list[int]]:
    """Positions of each timeline now, and at each tenth commit (strictly before it)."""
    instants = [int(t) for t in facts.columns["rows_commit_ns"][::10]]
    return [[plane.wal_position(d), *(plane.wal_position_at(d, t) for t in instants)] for d in range(system.databases)]


def play_case(plane: DataPlane, case: Case, positions_too: bool) -> tuple[Facts, list[list[int]]]:
    """All that a plane says about a case."""
    facts = play(plane, case.script, case.arrivals, case.until_ns, case.feeding)
    return facts, positions(plane, case.system, facts) if positions_too else []


def all_played() -> list[Played]:
    """Play all cases on the reference."""
    played = [Played(name, case, *play_case(ReferencePlane(case.system), case, True)) for name, case in made_cases()]
    # Generated scripts fork past the end of a timeline, whose past positions then mean nothing.
    for seed in range(GENERATED):
        case = generate(Random(seed), 150)
        played.append(Played(f"generated {seed}", case, *play_case(ReferencePlane(case.system), case, False)))
    for seed in range(FORWARD):
        case = generate_forward(Random(seed))
        played.append(Played(f"forward {seed}", case, *play_case(ReferencePlane(case.system), case, False)))
    return played


def first_difference(played: list[Played]) -> str | None:
    """Describe the first fact in which the kernel differs from the reference."""
    for one in played:
        for stages_from in (0, 1):
            plane = EventPlane(one.case.system, stages_from)
            if stages_from and not plane.feeds_forward:
                continue
            facts, wal = play_case(plane, one.case, bool(one.wal))
            count, text = differences(facts, one.facts)
            if count:
                return f"{one.name}{', in stages' if stages_from else ''}: {text}"
            if wal != one.wal:
                return f"{one.name}: positions of the log differ"
    return None
