"""Bounded structures: full means growth at a safe point, a modelled rejection, or CapacityError; never a wrap."""

import numpy as np
import pytest

from sim.data import memory
from sim.data.commands import Command, Patience, ReplicaState, Status
from sim.data.event_plane import EventPlane
from sim.data.memory import CapacityError
from sim.reference.check import check
from tests.properties.systems import MS, S, SystemBuilder, Timed, bursty_arrivals, poisson_arrivals


def _overloaded(queue_capacity: int, patience: Patience = Patience.FIXED) -> SystemBuilder:
    builder = SystemBuilder(clients=3)
    station = {"slots": 1, "queue_capacity": queue_capacity, "queue_patience": 900 * MS, "patience_kind": patience}
    entry = builder.station("entry", entry=True, work_scale=0.05 * MS, **station)
    inner = builder.station("inner", work_scale=0.05 * MS, **station)
    builder.client_edge(edge_timeout=600 * MS, max_retries=2, backoff_base=400 * MS)
    builder.edge(entry, inner, edge_sync=True, pool_size=1, pool_queue=50)
    return builder


@pytest.mark.parametrize("patience", [Patience.FIXED, Patience.EXPONENTIAL])
def test_growth_of_every_table_is_equal_to_the_reference(monkeypatch: pytest.MonkeyPatch, patience: Patience) -> None:
    """Thousands of calls wait, time out and back off at once; the tables begin small and grow several times."""
    monkeypatch.setattr(memory, "FIRST_CALLS", 128)
    monkeypatch.setattr(memory, "FIRST_RING", 4)
    system = _overloaded(1_000_000, patience).build()
    script = [
        Timed(100 * MS, Command.SLOTS, 0, 40),
        Timed(200 * MS, Command.STATE, 1, ReplicaState.BLACK_HOLE),
        Timed(500 * MS, Command.STATE, 1, ReplicaState.SERVING),
        Timed(600 * MS, Command.LOSE, 0, 1),
    ]
    report = check(system, script, bursty_arrivals(20_000, 6_000), until_ns=3 * S)
    assert report.differing == 0, report.first_difference
    assert report.features["retry"] > 1_000


def test_a_full_queue_is_a_rejection() -> None:
    plane = EventPlane(_overloaded(5).build(max_retries=np.zeros(2, dtype=np.int64)))
    plane.feed(poisson_arrivals(20_000, 2_000))
    plane.advance(3 * S)
    status = plane.drain(final=True).finished_status
    assert np.sum(status == Status.QUEUE_FULL) > 500


def test_beyond_all_bounds_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST_CALLS", 1 << 13)
    plane = EventPlane(_overloaded(1_000_000).build())
    plane.command(Command.SLOW, 0, 1_000_000)
    plane.feed(poisson_arrivals(100_000, 50_000))
    with pytest.raises(CapacityError, match="calls are open at"):
        plane.advance(3 * S)


def test_output_of_a_long_run_is_taken_in_parts() -> None:
    """More requests end between two drains than the kernel's own tables hold."""
    builder = SystemBuilder()
    builder.station("entry", replicas=4, entry=True, work_scale=0.01 * MS)
    plane = EventPlane(builder.build())
    plane.feed(poisson_arrivals(50_000, 120_000))
    plane.advance(10 * S)
    assert np.array_equal(np.sort(plane.drain(final=True).finished_index), np.arange(120_000))
