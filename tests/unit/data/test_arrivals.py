"""Arrivals: their rates, and that chunks do not matter."""

import numpy as np
import pytest
from scipy import stats

from sim.data.arrivals import Arrivals, profile_points
from sim.data.draws import stream_key

S = 1_000_000_000


def _take(points: list[int], rates: list[float], until_ns: int, step_ns: int) -> np.ndarray:
    source = Arrivals(np.array(points), np.array(rates), stream_key(1, 0, "load", "arrivals"))
    times = np.concatenate([source.take(t) for t in range(step_ns, until_ns + 1, step_ns)])
    return times[times < until_ns]


def test_chunks_do_not_matter() -> None:
    points, rates = [0, 2 * S, 3 * S], [500.0, 5_000.0, 1_000.0]
    assert np.array_equal(_take(points, rates, 6 * S, 6 * S), _take(points, rates, 6 * S, S // 10))


def test_times_increase() -> None:
    assert np.all(np.diff(_take([0], [50_000.0], 2 * S, S)) >= 0)


def test_time_rescaled_arrivals_are_a_poisson_process() -> None:
    """Mapped through the cumulative rate the gaps are unit-rate exponentials."""
    points, rates = np.array([0, 2 * S, 3 * S]), np.array([500.0, 5_000.0, 1_000.0])
    times = _take([0, 2 * S, 3 * S], list(rates), 6 * S, S)
    grid = np.linspace(0, 6 * S, 600_001)
    rate = np.interp(grid, points, rates) / S
    cumulated = np.concatenate([[0.0], np.cumsum((rate[1:] + rate[:-1]) / 2 * np.diff(grid))])
    gaps = np.diff(np.interp(times, grid, cumulated))
    assert stats.kstest(gaps, stats.expon().cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    ("profile", "minute", "factor"), [("steady", 3, 1.0), ("opening-burst", 0.5, 5.0), ("diurnal", 210, 0.6)]
)
def test_profiles(profile: str, minute: float, factor: float) -> None:
    points, rates = profile_points(profile, 100.0)
    assert np.interp(minute * 60 * S, points, rates) == pytest.approx(100.0 * factor)


def test_rate_zero_is_waited_out() -> None:
    times = _take([0, S, S + 1, 2 * S, 2 * S + 1], [1_000.0, 1_000.0, 0.0, 0.0, 1_000.0], 3 * S, S)
    assert not np.any((times > S + 1) & (times < 2 * S))
    assert np.sum(times > 2 * S) > 800
