"""The path in stages and the event loop say the same, wherever the first is taken."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from sim.data.commands import Patience, Status
from sim.data.event_plane import EventPlane
from sim.reference.check import Feeding, differences, play
from sim.reference.reference_plane import ReferencePlane
from tests.properties.generated import generate_forward
from tests.properties.systems import MS, S, SystemBuilder, poisson_arrivals

SYSTEMS = 100


@pytest.mark.proves("path in stages = event loop = SimPy reference, bit for bit, on systems that feed forward")
def test_stages_equal_events(record_property: Callable[[str, object], None]) -> None:
    requests = staged = 0
    ends: set[int] = set()
    for seed in range(SYSTEMS):
        case = generate_forward(Random(seed))
        planes = {"in stages": EventPlane(case.system, 1), "by events": EventPlane(case.system, 0)}
        found = ReferencePlane(case.system)
        expected = play(found, case.script, case.arrivals, case.until_ns, case.feeding)
        for name, plane in planes.items():
            facts = play(plane, case.script, case.arrivals, case.until_ns, case.feeding)
            count, first = differences(facts, expected)
            assert count == 0, f"seed {seed}, {name}: {first}"
        assert planes["in stages"].events == planes["by events"].events, seed
        assert planes["by events"].staged == 0
        requests += len(case.arrivals)
        staged += planes["in stages"].staged
        ends |= set(expected.columns["finished_status"].tolist())
    assert staged > requests // 4
    assert {Status.OK, Status.QUEUE_TIMEOUT, Status.READ_ONLY} <= ends
    record_property("summary", f"path in stages = event loop: {staged:,} of {requests:,} requests came in stages")


@pytest.mark.proves("horizons, chunks and going over between stages and events leave all output byte-identical")
@pytest.mark.parametrize("seed", range(25))
def test_splits_of_horizons(seed: int) -> None:
    case = generate_forward(Random(1000 + seed))
    random = Random(seed)
    splits = tuple(sorted(random.randrange(case.until_ns + 1) for _ in range(40)))
    whole = play(EventPlane(case.system, 1), case.script, case.arrivals, case.until_ns, Feeding(scrape=False))
    pieces = Feeding(chunk=random.choice([1, 64, 1000]), splits=splits, drain_often=True, scrape=False)
    for stages_from in (1, 20):
        other = play(EventPlane(case.system, stages_from), case.script, case.arrivals, case.until_ns, pieces)
        count, first = differences(whole, other)
        assert count == 0, first
        for name, column in whole.columns.items():
            assert column.tobytes() == other.columns[name].tobytes(), name


@pytest.mark.parametrize(
    "constants",
    [
        {"edge_timeout": 5 * MS},
        {"edge_timeout": 5 * MS, "max_retries": 1},
        {"budget_milli": 100},
        {"breaker_window": 5},
    ],
)
def test_what_goes_back_is_played_by_events(constants: dict[str, int]) -> None:
    plain, other = SystemBuilder(), SystemBuilder().client_edge(**constants)
    for builder in (plain, other):
        builder.edge(builder.station("entry"), builder.station("inner"), edge_sync=False)
    assert EventPlane(plain.build()).feeds_forward
    assert not EventPlane(other.build()).feeds_forward


def test_drawn_patience_is_played_by_events() -> None:
    kinds = {kind: SystemBuilder() for kind in Patience}
    for kind, builder in kinds.items():
        builder.station("entry", queue_patience=1 * MS, patience_kind=kind)
    forward = {kind: EventPlane(builder.build()).feeds_forward for kind, builder in kinds.items()}
    assert forward == {Patience.FIXED: True, Patience.LOGNORMAL: False, Patience.EXPONENTIAL: False}


def test_held_slots_are_played_by_events() -> None:
    builder = SystemBuilder()
    builder.edge(builder.station("entry"), builder.station("inner"))
    assert not EventPlane(builder.build()).feeds_forward


def test_a_short_queue_or_shared_cores_are_played_by_events() -> None:
    """The topology feeds forward, but a queue may become full, or a job's speed depends on others."""
    arrivals = poisson_arrivals(2_000, 2_000)
    staged = []
    kinds: tuple[dict[str, Any], ...] = ({}, {"queue_capacity": 100}, {"cpu_milli": 1_500})
    for constants in kinds:
        builder = SystemBuilder()
        builder.station("entry", **constants)
        plane = EventPlane(builder.build())
        play(plane, [], arrivals, 2 * S)
        staged.append(plane.staged)
    assert staged == [2_000, 0, 0]
