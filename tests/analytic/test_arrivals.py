"""Arrivals whose rate changes, against theory. Confidence 99.99 %; seeds are fixed."""

import numpy as np
import pytest
from scipy import integrate, stats

from scenarios.files.load import load as load_scenario
from sim.load import Load, load
from tests.analytic.runs import CONFIDENCE, arrivals, interval, play
from tests.properties.systems import MS, S, SystemBuilder

PROFILES = ("steady", "opening-burst", "diurnal")


def offered(profile: str, rate: str) -> Load:
    """The load of a scenario with this profile."""
    overrides = {"workload.profile": profile, "workload.rate": rate}
    return load(load_scenario("opening-burst", overrides=overrides))


def cumulated(offer: Load, times_ns: np.ndarray) -> np.ndarray:
    """Expected arrivals before each instant: trapezia between the points, exact for straight lines."""
    points = np.unique(np.concatenate([[0], offer.points_ns, times_ns]))
    rates = np.interp(points, offer.points_ns, offer.rates_per_s)
    return np.interp(times_ns, points, np.concatenate([[0], integrate.cumulative_trapezoid(rates, points / S)]))


@pytest.mark.proves(
    "arrivals of each profile are a Poisson process of its rate (time-rescaled Kolmogorov-Smirnov test)"
)
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_time_rescaled_arrivals_are_a_unit_poisson_process(profile: str, seed: int) -> None:
    rate = {"steady": "300/s", "opening-burst": "100/s", "diurnal": "3/s"}[profile]
    offer = offered(profile, rate)
    until_ns = max(600 * S, int(offer.points_ns[-1]))
    times = arrivals(offer.points_ns, offer.rates_per_s, seed, until_ns=until_ns)
    gaps = np.diff(cumulated(offer, times), prepend=0.0)
    assert len(gaps) > 30_000
    assert stats.kstest(gaps, "expon").pvalue > 1 - CONFIDENCE
    assert abs(np.corrcoef(gaps[:-1], gaps[1:])[0, 1]) < 4 / np.sqrt(len(gaps))


def test_the_rescaled_test_tells_a_wrong_rate() -> None:
    offer = offered("diurnal", "3/s")
    times = arrivals(offer.points_ns, offer.rates_per_s, 1, until_ns=int(offer.points_ns[-1]))
    flat = Load(np.zeros(1, dtype=np.int64), np.array([len(times) / (times[-1] / S)]))
    assert stats.kstest(np.diff(cumulated(flat, times), prepend=0.0), "expon").pvalue < 1e-6


@pytest.mark.proves("the number in service follows a changing rate as in M_t/G/infinity (diurnal and burst)")
@pytest.mark.parametrize("profile", ["opening-burst", "diurnal"])
def test_busy_follows_m_t_g_infinity(profile: str) -> None:
    # The profile a thousand times faster, so that work (20 ms) lasts as long as the rate takes to change.
    offer = offered(profile, "1/s")
    points_ns, rates = offer.points_ns // 1_000, offer.rates_per_s * 4_000.0
    work_s = 0.02
    end_ns = int(points_ns[-1]) + 100 * MS
    instants = [int(end_ns * share) for share in np.linspace(0.02, 1.0, 25)]

    def busy(seed: int) -> list[int]:
        builder = SystemBuilder(seed=seed)
        builder.station("service", slots=10_000, queue_capacity=0, work_kind=1, work_scale=work_s * S)
        times = arrivals(points_ns, rates, seed, until_ns=end_ns + S // 10)
        run = play(builder.build(), times, scrape_ns=instants, until_ns=end_ns + S)
        return [int(scrape.busy.sum()) for scrape in run.scrapes]

    found = np.array([busy(seed) for seed in range(1, 31)], dtype=float)
    for i, instant in enumerate(instants):
        ages_s = np.linspace(0, instant / S, 20_001)
        rate_then = np.interp(instant - ages_s * S, points_ns, rates)
        mean = float(integrate.trapezoid(rate_then * np.exp(-ages_s / work_s), ages_s))
        # Poisson with this mean: the mean of 30 such numbers, at 1 - (1 - CONFIDENCE) / 25 for 25 instants.
        z = stats.norm.ppf(1 - (1 - CONFIDENCE) / 50)
        assert abs(found[:, i].mean() - mean) <= z * np.sqrt(mean / len(found)), f"at {instant} ns"
        assert z * np.sqrt(mean / len(found)) < 0.15 * mean
    dispersion = interval(found.var(axis=0, ddof=1) / found.mean(axis=0))
    assert dispersion.holds(1.0, within=0.3)
