"""What must not change anything: how arrivals are fed, where horizons lie, idle commands, names and units."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.data.arrivals import Arrivals
from sim.data.commands import Balancer, Command
from sim.data.event_plane import EventPlane
from sim.data.system import I64, System
from sim.reference.check import Facts, Feeding, differences, play
from tests.properties.generated import Case, generate
from tests.properties.systems import MS, S, SystemBuilder, Timed, bursty_arrivals, poisson_arrivals

seeds = st.integers(0, 2**32)


def _facts(case: Case, script: list[Timed], feeding: Feeding) -> Facts:
    return play(EventPlane(case.system), script, case.arrivals, case.until_ns, feeding)


def _assert_same(one: Facts, other: Facts) -> None:
    count, first = differences(one, other)
    assert count == 0, first
    for name, column in one.columns.items():
        assert column.tobytes() == other.columns[name].tobytes(), name


@pytest.mark.proves("any chunk size of arrivals and any split of horizons leave all output byte-identical")
@settings(max_examples=60, deadline=None, derandomize=True)
@given(seeds, st.sampled_from([1, 7, 64, 1000]))
def test_chunks_and_horizons(seed: int, chunk: int) -> None:
    case = generate(Random(seed))
    random = Random(seed + 1)
    splits = tuple(sorted(random.randrange(case.until_ns + 1) for _ in range(40)))
    whole = Feeding(scrape=False, watches=case.feeding.watches)
    pieces = Feeding(chunk=chunk, splits=splits, drain_often=True, scrape=False, watches=case.feeding.watches)
    _assert_same(_facts(case, case.script, whole), _facts(case, case.script, pieces))


@pytest.mark.proves("commands that change nothing leave all output byte-identical, at whatever instant they are given")
@settings(max_examples=60, deadline=None, derandomize=True)
@given(seeds)
def test_commands_that_do_nothing(seed: int) -> None:
    case = generate(Random(seed))
    random = Random(seed + 1)
    nothing = _Nothing(case)
    for _ in range(40):
        nothing.add(random, random.randrange(case.until_ns + 1))
    feeding = Feeding(scrape=False, watches=case.feeding.watches)
    _assert_same(_facts(case, case.script, feeding), _facts(case, nothing.script, feeding))


class _Nothing:
    """A script with commands added that say what is so already."""

    def __init__(self, case: Case) -> None:
        self._system, self._original = case.system, case.script
        self.script = list(case.script)

    def _now(self, at_ns: int, command: Command, thing: int, initial: int) -> int:
        """Value that the last command before an instant gave a thing."""
        said = [e.b for e in self._original if e.command == command and e.a == thing and e.at_ns <= at_ns]
        return int(said[-1]) if said else int(initial)

    def _global(self, at_ns: int, command: Command, initial: int) -> int:
        said = [e.a for e in self._original if e.command == command and e.at_ns <= at_ns]
        return int(said[-1]) if said else int(initial)

    def add(self, random: Random, at_ns: int) -> None:
        """Add one at an instant."""
        system = self._system
        replica = random.randrange(len(system.replica_station))
        station = random.randrange(len(system.station_names))
        edge = random.randrange(1, len(system.edge_names)) if len(system.edge_names) > 1 else 0
        chances: list[tuple[Command, int, int]] = [
            (Command.LIST, replica, self._now(at_ns, Command.LIST, replica, system.initial_listed[replica])),
            (Command.STATE, replica, self._now(at_ns, Command.STATE, replica, system.initial_state[replica])),
            (Command.CPU, replica, self._now(at_ns, Command.CPU, replica, system.initial_cpu_milli[replica])),
            (Command.SLOW, replica, self._now(at_ns, Command.SLOW, replica, 1000)),
            (Command.SLOTS, station, self._now(at_ns, Command.SLOTS, station, system.slots[station])),
            (Command.DNS, self._global(at_ns, Command.DNS, system.initial_dns), 0),
            (Command.TRADING, self._global(at_ns, Command.TRADING, 1), 0),
            (Command.SEND, self._global(at_ns, Command.SEND, 1), 0),
        ]
        if edge:
            chances += [
                (Command.POOL, edge, self._now(at_ns, Command.POOL, edge, system.pool_size[edge])),
                (Command.TARGET, edge, self._now(at_ns, Command.TARGET, edge, system.initial_target[edge])),
                (Command.CUT, edge, self._now(at_ns, Command.CUT, edge, 0)),
            ]
        if system.databases:
            d = random.randrange(system.databases)
            chances += [
                (Command.GATE, d, self._now(at_ns, Command.GATE, d, 1)),
                (Command.WRITABLE, d, self._now(at_ns, Command.WRITABLE, d, system.initial_writable[d])),
            ]
        command, a, b = random.choice(chances)
        place = sum(entry.at_ns <= at_ns for entry in self.script)
        self.script.insert(place, Timed(at_ns, command, a, b))


def _scaled(system: System, factor: int) -> System:
    """The same system in units of time `factor` times as fine."""
    times = ("queue_patience", "work_scale", "warm_time", "edge_timeout", "breaker_open", "pool_patience")
    times += ("probe_phase", "probe_spacing", "probe_end", "probe_timeout")
    return replace(system, dns_ttl=system.dns_ttl * factor, **{name: getattr(system, name) * factor for name in times})


@pytest.mark.proves("rates x 2^k with times / 2^k: the same requests end alike, at times / 2^k")
@pytest.mark.parametrize("k", [1, 3, 7])
def test_units_of_time(k: int) -> None:
    """Fixed work, no jitter: every time is a whole multiple, so that the scaling is exact."""
    builder = SystemBuilder(clients=3)
    fixed = {"work_sigma": 0.0, "queue_capacity": 4, "queue_patience": 3 * MS}
    entry = builder.station("entry", replicas=3, entry=True, **fixed)
    inner = builder.station("inner", replicas=2, work_scale=0.9 * MS, slots=3, work_sigma=0.0)
    builder.client_edge(
        edge_timeout=6 * MS, max_retries=1, backoff_base=0, breaker_window=6, breaker_threshold_milli=600
    )
    builder.edge(entry, inner, pool_size=3, pool_queue=2, edge_balancer=Balancer.POWER_OF_TWO)
    builder.probe(spacing=7 * MS, timeout=5 * MS, end=800 * MS)
    system, arrivals = builder.build(), bursty_arrivals(2_500, 2_000)
    script = [Timed(200 * MS, Command.SLOW, 1, 4000), Timed(400 * MS, Command.LOSE, 0, 1)]
    fine = [replace(entry, at_ns=entry.at_ns << k) for entry in script]
    one = play(EventPlane(system), script, arrivals, 2 * S).columns
    other = play(EventPlane(_scaled(system, 1 << k)), fine, arrivals << k, 2 * S << k).columns
    assert len(set(one["finished_outcome"])) > 1
    for name, column in one.items():
        expected = column << k if name.endswith("_ns") else column
        assert np.array_equal(other[name], expected), name


def _relabelled(unlisted: int, order: tuple[int, int, int]) -> tuple[System, dict[int, int]]:
    """Three services in a chain, added in some order, each with places that are never used before its pods."""
    builder = SystemBuilder(clients=4)
    numbers, new_pod, pods = {}, {}, 0
    for which in order:
        kind = {"work_scale": (0.5 + 0.2 * which) * MS, "slots": 2, "queue_capacity": 6}
        numbers[which] = builder.station(f"service-{which}", replicas=unlisted + 3, entry=which == 0, **kind)
        for i in range(3):
            new_pod[3 * which + i] = pods + unlisted + i
        pods += unlisted + 3
    builder.client_edge(edge_timeout=9 * MS, max_retries=1, edge_balancer=Balancer.LEAST_CONNECTIONS)
    for caller in (0, 1):
        builder.edge(numbers[caller], numbers[caller + 1], edge_balancer=list(Balancer)[caller])
    system = builder.build()
    listed = np.isin(np.arange(pods), list(new_pod.values()))
    entries = np.array([numbers[0]])
    return replace(system, initial_listed=listed, entry_station=entries, probe_station=entries[None, :]), new_pod


@pytest.mark.proves("numbers of pods and order of services do not matter, nor do places that are never used")
@pytest.mark.parametrize(("unlisted", "order"), [(2, (0, 1, 2)), (0, (2, 0, 1)), (1, (1, 2, 0))])
def test_relabelled_pods(unlisted: int, order: tuple[int, int, int]) -> None:
    arrivals = poisson_arrivals(3_000, 3_000)
    facts = []
    for system, pods in (_relabelled(0, (0, 1, 2)), _relabelled(unlisted, order)):
        script = [Timed(300 * MS, Command.SLOW, pods[1], 5000), Timed(500 * MS, Command.LOSE, pods[7], 1)]
        facts.append(play(EventPlane(system), script, arrivals, 2 * S).columns)
    assert len(set(facts[0]["finished_outcome"])) > 1
    for name in facts[0]:
        assert np.array_equal(facts[0][name], facts[1][name]), name


@pytest.mark.proves("a slowdown of x1 changes nothing")
@settings(max_examples=20, deadline=None, derandomize=True)
@given(seeds)
def test_slowdown_of_one(seed: int) -> None:
    case = generate(Random(seed))
    quiet = [entry for entry in case.script if entry.command != Command.SLOW]
    pods = range(len(case.system.replica_station))
    slow = [*[Timed(case.until_ns // 3, Command.SLOW, pod, 1000) for pod in pods], *quiet]
    feeding = Feeding(scrape=False)
    _assert_same(_facts(case, quiet, feeding), _facts(case, slow, feeding))


def _trace(source: Arrivals, until_ns: int, step_ns: int) -> list[I64]:
    return [source.take(t) for t in range(step_ns, until_ns + step_ns, step_ns)]


@pytest.mark.proves("a trace of arrivals plays as its generator does")
def test_trace_equals_its_generator() -> None:
    builder = SystemBuilder()
    builder.station("entry", replicas=4, entry=True)
    system = builder.build()
    points = np.array([0, 300 * MS, 700 * MS])
    rates = np.array([500.0, 9_000.0, 1_000.0])
    trace = np.concatenate(_trace(Arrivals(points, rates, np.uint64(3)), 1 * S, 1 * S))
    generated = EventPlane(system)
    source = Arrivals(points, rates, np.uint64(3))
    for horizon in range(50 * MS, 1 * S + 1, 50 * MS):
        while generated.needs_arrivals_before(horizon):
            generated.feed(source.take(horizon))
        generated.advance(horizon)
    played = EventPlane(system)
    played.feed(trace)
    played.advance(1 * S)
    one, other = generated.drain(final=True), played.drain(final=True)
    assert len(one.finished_index) > 2_000
    for name in ("finished_index", "finished_done_ns", "finished_outcome"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()
