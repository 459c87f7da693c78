"""Retries, budgets, overload and drain against theory. Each interval holds with confidence 99.99 %; seeds are fixed."""

import numpy as np
import pytest
from scipy import optimize

from sim.data.commands import Command, Status
from sim.data.event_plane import EventPlane
from sim.data.system import System
from tests.analytic import theory
from tests.analytic.runs import interval, play, poisson, replicate
from tests.properties.systems import MS, S, SystemBuilder, Timed

SERVICE = 1000.0


@pytest.mark.proves("retries never exceed the budget: what is saved up at the start, plus its share of the requests")
@pytest.mark.parametrize(("milli", "burst"), [(100, 10), (0, 3), (500, 1)])
def test_retries_stay_within_the_budget(milli: int, burst: int) -> None:
    clients, requests = 20, 40_000
    builder = SystemBuilder(seed=1, clients=clients)
    builder.client_edge(max_retries=3, backoff_base=5 * MS, budget_milli=milli, budget_burst=burst)
    builder.station("service", slots=1, queue_capacity=0, work_scale=200.0 * MS, work_sigma=0.0)
    run = play(builder.build(), poisson(1000.0, requests, 1))
    retries = int(run.attempts.sum()) - requests
    most = clients * burst + requests * milli // 1000
    assert retries <= most
    assert retries >= 0.97 * (most - clients)  # nearly all fail, so nearly all of the budget is used


@pytest.mark.proves("with long back-offs the attempts are rate (1 + p + p^2 + ...), p the loss of Erlang at that rate")
def test_attempts_are_a_geometric_series() -> None:
    rate, slots, retries = 700.0, 2, 3

    def attempts(total: float) -> float:
        p = theory.erlang_b(slots, total / SERVICE)
        return rate * sum(p**k for k in range(retries + 1))

    total = float(optimize.brentq(lambda x: attempts(x) - x, rate, rate * (retries + 1)))

    def per_request(seed: int) -> float:
        builder = SystemBuilder(seed=seed).client_edge(max_retries=retries, backoff_base=10 * S)
        builder.station("service", slots=slots, queue_capacity=0, work_kind=1, work_scale=1.0 * MS)
        run = play(builder.build(), poisson(rate, 140_000, seed))
        # A request of the middle of the run meets the retries of those up to 70 s before it.
        middle = (run.intended_ns > 75 * S) & (run.intended_ns < 130 * S)
        return float(run.attempts[middle].mean())

    assert replicate(per_request, 12).holds(total / rate, within=0.01)


def metastable(seed: int, *, budget_milli: int = -1) -> System:
    """One station at 70 % of its capacity; clients give up after 20 ms and retry, abandoned work is done."""
    builder = SystemBuilder(seed=seed, clients=50)
    builder.client_edge(
        edge_timeout=20 * MS, max_retries=3, backoff_base=5 * MS, budget_milli=budget_milli, budget_burst=3
    )
    builder.station("service", slots=4, queue_capacity=200, work_kind=1, work_scale=1.0 * MS)
    return builder.build()


def good_late(seed: int, script: list[Timed], **constants: int) -> float:
    """Share of requests answered in the last third of 12 seconds."""
    rate, seconds = 2800.0, 12
    run = play(metastable(seed, **constants), poisson(rate, int(rate * seconds), seed), script=script)
    return float(run.ok[run.intended_ns > 8 * S].mean())


@pytest.mark.proves(
    "retries without a budget make a second stable point: the same load stays bad after its cause is gone"
)
def test_two_stable_points() -> None:
    # Four attempts each are 280 % of the capacity: what the station does is for clients that have given up.
    trigger = [Timed(2 * S, Command.SLOW, 0, 3_000), Timed(4 * S, Command.SLOW, 0, 1_000)]
    untouched = replicate(lambda seed: good_late(seed, []), 8)
    disturbed = replicate(lambda seed: good_late(seed, trigger), 8)
    budgeted = replicate(lambda seed: good_late(seed, trigger, budget_milli=100), 8)
    assert untouched.mean - untouched.half > 0.999
    assert disturbed.mean + disturbed.half < 0.2
    assert budgeted.mean - budgeted.half > 0.999


@pytest.mark.proves("a backlog drains in backlog / (c mu - lambda)")
@pytest.mark.parametrize(("slots", "load"), [(1, 0.5), (4, 0.8)])
def test_drain_time(slots: int, load: float) -> None:
    rate = load * slots * SERVICE
    stopped_ns, step_ns = 1 * S, MS

    def per_job(seed: int) -> float:
        """Seconds until nobody waits, for each job that waited when the slots came back."""
        builder = SystemBuilder(seed=seed)
        builder.station("service", slots=slots, queue_capacity=1_000_000, work_kind=1, work_scale=1.0 * MS)
        plane = EventPlane(builder.build())
        plane.feed(poisson(rate, int(rate * 30), seed))
        plane.command(Command.SLOTS, 0, 0)
        plane.advance(stopped_ns)
        plane.command(Command.SLOTS, 0, slots)
        backlog = int(plane.counters().waiting[0])
        now_ns = stopped_ns
        while plane.counters().waiting[0] > 0:
            now_ns += step_ns
            plane.advance(now_ns)
        return (now_ns - step_ns / 2 - stopped_ns) / S / backlog

    found = interval([per_job(seed) for seed in range(1, 25)])
    assert found.holds(1 / (slots * SERVICE - rate), within=0.08)


def test_lost_status_is_the_last_attempts() -> None:
    """With the retries exhausted the request fails with what the last attempt met."""
    builder = SystemBuilder(seed=1).client_edge(max_retries=2, backoff_base=1 * MS)
    builder.station("service", slots=1, queue_capacity=0, work_scale=10.0 * S, work_sigma=0.0)
    run = play(builder.build(), poisson(1000.0, 200, 1))
    assert np.all(run.status[1:] == Status.QUEUE_FULL)
    assert np.all(run.attempts[1:] == 3)
