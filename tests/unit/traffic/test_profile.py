"""When orders are due: the integral of the rate and its inverse agree, and arrivals are a Poisson process of it."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.traffic.profile import Integral, arrivals, points

FACTORS = {"opening_first_minute": 8.0, "opening_first_five_minutes": 3.0, "diurnal_edges": 2.2, "diurnal_trough": 0.5}
PROFILES = ("steady", "opening-burst", "diurnal")


@given(st.sampled_from(PROFILES), st.floats(0.1, 20_000), st.floats(0, 30_000))
def test_the_instant_at_which_the_integral_reaches_a_value_is_its_inverse(
    profile: str, rate_per_s: float, t_s: float
) -> None:
    integral = Integral(points(profile, rate_per_s, FACTORS))
    assert math.isclose(integral.reached(integral.until(t_s)), t_s, rel_tol=1e-6, abs_tol=1e-6)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_integral_is_that_of_the_rate(profile: str) -> None:
    rate = points(profile, 10.0, FACTORS)
    integral, step_s, total = Integral(rate), 0.5, 0.0

    def at(t_s: float) -> float:
        for (a_s, a), (b_s, b) in itertools.pairwise(rate):
            if t_s < b_s:
                return a + (b - a) * (t_s - a_s) / (b_s - a_s)
        return rate[-1][1]

    for i in range(4_000):
        total += at((i + 0.5) * step_s) * step_s
    assert math.isclose(integral.until(4_000 * step_s), total, rel_tol=1e-3)


@pytest.mark.parametrize("profile", PROFILES)
def test_as_many_orders_are_due_as_the_rate_says(profile: str) -> None:
    rate, until_us = points(profile, 100.0, FACTORS), 600_000_000
    due = list(itertools.takewhile(lambda t: t < until_us, arrivals(rate, seed=7)))
    expected = Integral(rate).until(until_us / 1e6)
    assert abs(len(due) - expected) < 4.5 * math.sqrt(expected)  # of a Poisson number, once in 100,000
    assert due == sorted(due)


def test_a_sender_that_starts_late_begins_with_what_is_due_then() -> None:
    first = next(arrivals(points("steady", 50.0, FACTORS), seed=1, from_us=90_000_000))
    assert 90_000_000 <= first < 91_000_000


def test_the_same_seed_gives_the_same_orders() -> None:
    rate = points("diurnal", 10.0, FACTORS)
    assert [*itertools.islice(arrivals(rate, 3), 50)] == [*itertools.islice(arrivals(rate, 3), 50)]
    assert [*itertools.islice(arrivals(rate, 3), 50)] != [*itertools.islice(arrivals(rate, 4), 50)]
