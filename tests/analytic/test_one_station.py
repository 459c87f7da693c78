"""One station against queueing theory. Each interval holds with confidence 99.99 %; seeds are fixed."""

from math import exp

import numpy as np
import pytest

from sim.data.commands import Balancer, Patience, Status
from sim.data.system import System
from tests.analytic import theory
from tests.analytic.runs import Run, interval, late, play, poisson, replicate
from tests.properties.systems import MS, S, SystemBuilder

SERVICE = 1000.0  # a second, of one slot
MEAN_NS = 1.0 * MS


def station(seed: int, *, replicas: int = 1, balancer: Balancer = Balancer.RANDOM, **constants: object) -> System:
    builder = SystemBuilder(seed=seed).client_edge(edge_balancer=balancer)
    defaults = {"slots": 1, "work_kind": 1, "work_scale": MEAN_NS, "queue_capacity": 1_000_000}
    builder.station("service", replicas=replicas, **{**defaults, **constants})
    return builder.build()


def run(seed: int, rate: float, requests: int = 30_000, **constants: object) -> Run:
    return play(station(seed, **constants), poisson(rate, requests, seed))


def lost(run: Run, status: Status) -> float:
    return float((late(run.status) == status).mean())


@pytest.mark.proves("waits in the twin are those of M/M/1 and M/M/c (Erlang C), each at 99.99 % confidence")
@pytest.mark.parametrize(("slots", "load"), [(1, 0.5), (1, 0.7), (4, 0.8), (8, 0.85)])
def test_mean_wait_and_share_that_waits(slots: int, load: float) -> None:
    rate = load * slots * SERVICE
    waits = [late(run(seed, rate, 100_000, slots=slots).wait_s()) for seed in range(1, 21)]
    assert interval([w.mean() for w in waits]).holds(theory.mmc_wait(slots, rate, SERVICE), within=0.1)
    some = interval([(w > 0.5e-9).mean() for w in waits])
    assert some.holds(theory.erlang_c(slots, load * slots), within=0.03)


def test_sojourn_of_mm1_is_exponential() -> None:
    rate, after_s = 600.0, 5e-3

    def beyond(seed: int) -> float:
        return float((late(run(seed, rate).sojourn_s) > after_s).mean())

    assert replicate(beyond).holds(exp(-(SERVICE - rate) * after_s), within=0.1)


@pytest.mark.proves("a full queue loses the share of M/M/c/K, full slots without a queue that of Erlang B")
@pytest.mark.parametrize(("slots", "queue", "load"), [(1, 3, 0.9), (4, 6, 1.2), (8, 0, 0.8)])
def test_share_lost_with_a_finite_queue(slots: int, queue: int, load: float) -> None:
    rate = load * slots * SERVICE

    def share(seed: int) -> float:
        return lost(run(seed, rate, slots=slots, queue_capacity=queue), Status.QUEUE_FULL)

    assert replicate(share).holds(theory.mmck_lost(slots, slots + queue, load * slots), within=0.04)


@pytest.mark.proves("Erlang's loss depends on the mean of the work only (M/G/c/c under lognormal work)")
@pytest.mark.parametrize("sigma", [0.5, 1.2])
def test_erlang_b_under_lognormal_work(sigma: float) -> None:
    slots, load = 8, 0.9
    median = MEAN_NS * exp(-(sigma**2) / 2)

    def share(seed: int) -> float:
        constants = {"work_kind": 0, "work_scale": median, "work_sigma": sigma}
        return lost(run(seed, load * slots * SERVICE, slots=slots, queue_capacity=0, **constants), Status.QUEUE_FULL)

    assert replicate(share).holds(theory.erlang_b(slots, load * slots), within=0.03)


@pytest.mark.proves("the wait grows with the variance of the work as Pollaczek and Khinchine say")
@pytest.mark.parametrize("sigma", [0.0, 0.5, 1.0])
def test_pollaczek_khinchine(sigma: float) -> None:
    rate = 700.0
    median = MEAN_NS * exp(-(sigma**2) / 2)
    wait = theory.pollaczek_khinchine(rate, 1 / SERVICE, exp(sigma**2) / SERVICE**2)

    def sojourn(seed: int) -> float:
        constants = {"work_kind": 0, "work_scale": median, "work_sigma": sigma}
        return float(late(run(seed, rate, 60_000, **constants).sojourn_s).mean())

    assert replicate(sojourn).holds(wait + 1 / SERVICE, within=0.06)


@pytest.mark.proves("patience in a queue loses the share of M/M/c+D")
@pytest.mark.parametrize(("slots", "load", "patience_ms"), [(1, 0.9, 3), (4, 1.1, 2)])
def test_patience_is_that_of_mmc_d(slots: int, load: float, patience_ms: int) -> None:
    rate = load * slots * SERVICE

    def share(seed: int) -> float:
        return lost(run(seed, rate, 60_000, slots=slots, queue_patience=patience_ms * MS), Status.QUEUE_TIMEOUT)

    expected = theory.impatient_lost(slots, rate, SERVICE, patience_ms / 1000)
    assert replicate(share).holds(expected, within=0.05)


@pytest.mark.proves("exponential patience in a queue: share lost, mean wait and share that waits of M/M/c+M (Erlang A)")
@pytest.mark.parametrize(("slots", "load", "patience_ms"), [(1, 0.9, 3), (4, 1.2, 2)])
def test_exponential_patience_is_erlang_a(slots: int, load: float, patience_ms: int) -> None:
    """Also at more load than the slots can bear, where only patience keeps the queue short."""
    rate = load * slots * SERVICE
    constants = {"slots": slots, "queue_patience": patience_ms * MS, "patience_kind": Patience.EXPONENTIAL}
    runs = [run(seed, rate, 60_000, **constants) for seed in range(1, 21)]
    lost_share, mean_wait_s, some_wait = theory.erlang_a(slots, rate, SERVICE, patience_ms / 1000)
    assert interval([lost(r, Status.QUEUE_TIMEOUT) for r in runs]).holds(lost_share, within=0.04)
    gave_up = [r.status == Status.QUEUE_TIMEOUT for r in runs]
    waits = [late(np.where(g, r.sojourn_s, r.wait_s())) for r, g in zip(runs, gave_up, strict=True)]
    assert interval([w.mean() for w in waits]).holds(mean_wait_s, within=0.04)
    assert interval([(w > 0.5e-9).mean() for w in waits]).holds(some_wait, within=0.02)


@pytest.mark.proves("round robin makes Erlang arrivals at each replica (GI/M/1), which wait less than Poisson ones")
@pytest.mark.parametrize("replicas", [2, 4])
def test_round_robin_is_erlang_m_1(replicas: int) -> None:
    load = 0.8
    waits = [
        late(run(seed, load * replicas * SERVICE, 60_000, replicas=replicas, balancer=Balancer.ROUND_ROBIN).wait_s())
        for seed in range(1, 21)
    ]
    share = theory.erlang_m_1_waiting(replicas, load * SERVICE, SERVICE)
    assert interval([(w > 0.5e-9).mean() for w in waits]).holds(share, within=0.02)
    assert interval([w.mean() for w in waits]).holds(share / (SERVICE * (1 - share)), within=0.08)


@pytest.mark.proves("the wait stays below Kingman's bound, and near it when the load is high")
def test_kingman_bounds_the_wait_from_above() -> None:
    load, sigma, replicas = 0.9, 1.0, 2
    median = MEAN_NS * exp(-(sigma**2) / 2)
    rate = load * SERVICE  # at each replica, with Erlang-2 arrivals

    def wait(seed: int) -> float:
        constants = {"work_kind": 0, "work_scale": median, "work_sigma": sigma, "replicas": replicas}
        played = run(seed, rate * replicas, 200_000, balancer=Balancer.ROUND_ROBIN, **constants)
        return float(late(played.sojourn_s).mean()) - 1 / SERVICE

    found = replicate(wait)
    bound = theory.kingman(rate, 1 / (2 * rate**2), (exp(sigma**2) - 1) / SERVICE**2, load)
    assert found.mean + found.half <= bound
    assert found.mean - found.half >= 0.75 * bound


@pytest.mark.proves("arrivals of a Poisson process see time averages; those of a round robin do not")
def test_pasta() -> None:
    rate, begin, end = 600.0, 4 * S, 34 * S
    instants = range(begin, end, 10 * MS)

    def seen_more(seed: int, replicas: int, balancer: Balancer) -> float:
        """Share of arrivals that find their replica busy, less the share of time it is busy."""
        system = station(seed, replicas=replicas, balancer=balancer)
        played = play(system, poisson(rate * replicas, int(36 * rate * replicas), seed), scrape_ns=instants)
        inside = (played.intended_ns >= begin) & (played.intended_ns < end)
        busy = np.mean([scrape.busy.mean() for scrape in played.scrapes])
        return float((played.wait_s()[inside] > 0.5e-9).mean() - busy)

    poissonian = replicate(lambda seed: seen_more(seed, 1, Balancer.RANDOM), 10)
    assert poissonian.half < 0.02
    assert abs(poissonian.mean) <= poissonian.half
    in_turn = replicate(lambda seed: seen_more(seed, 2, Balancer.ROUND_ROBIN), 10)
    assert in_turn.mean + in_turn.half < -0.05
