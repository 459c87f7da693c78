"""The offered load over time, and when each order is due.

The rate is piecewise linear. Orders are a Poisson process of that rate: the n-th is due when the integral of the rate
reaches the sum of n exponential draws, so that it needs no small steps, and has no error, however the rate changes.
Source of the profiles: CALIBRATION 5.
"""

import bisect
import itertools
import math
import random
from collections.abc import Iterator, Mapping

MINUTE_S = 60.0
Points = tuple[tuple[float, float], ...]  # (second, orders a second); the last rate holds on


def points(profile: str, rate_per_s: float, factors: Mapping[str, float]) -> Points:
    """Rate of a profile over time; `factors`: the parameters `client.*` of its shape."""
    first, later = factors["opening_first_minute"], factors["opening_first_five_minutes"]
    edge, trough = factors["diurnal_edges"], factors["diurnal_trough"]
    shoulder, side = trough + 0.5 * (edge - trough), trough + 0.15 * (edge - trough)
    shapes: dict[str, tuple[tuple[float, float], ...]] = {
        "steady": ((0, 1),),
        "opening-burst": ((0, first), (1, first), (1.5, later), (5, later), (7, 1)),
        "diurnal": ((0, edge), (30, shoulder), (120, side), (210, trough), (300, side), (360, shoulder), (390, edge)),
    }
    return tuple((minute * MINUTE_S, factor * rate_per_s) for minute, factor in shapes[profile])


class Integral:
    """The integral of a rate, and its inverse."""

    def __init__(self, rate: Points) -> None:
        last = (math.inf, rate[-1][1])
        # pieces: from when, the rate then, its slope, and the integral up to then
        self._begin_s = [t_s for t_s, _ in rate]
        self._rate = [r for _, r in rate]
        pairs = list(zip(rate, (*rate[1:], last), strict=True))
        self._slope = [0.0 if math.isinf(b_s) else (b - a) / (b_s - a_s) for (a_s, a), (b_s, b) in pairs]
        whole = [(a + b) / 2 * (b_s - a_s) for (a_s, a), (b_s, b) in pairs[:-1]]
        self._before = [0.0, *itertools.accumulate(whole)]

    def until(self, t_s: float) -> float:
        """Orders due before an instant, on average."""
        i = max(0, bisect.bisect_right(self._begin_s, t_s) - 1)
        x = max(0.0, t_s - self._begin_s[i])
        return self._before[i] + self._rate[i] * x + self._slope[i] * x * x / 2

    def reached(self, total: float) -> float:
        """Instant in seconds at which the integral reaches a value."""
        i = bisect.bisect_right(self._before, total) - 1
        need, rate, slope = total - self._before[i], self._rate[i], self._slope[i]
        # rate x + slope x^2 / 2 = need, in the form that stays exact when the slope is near 0
        return self._begin_s[i] + 2 * need / (rate + math.sqrt(max(0.0, rate * rate + 2 * slope * need)))


def arrivals(rate: Points, seed: int, from_us: int = 0) -> Iterator[int]:
    """Instants in microseconds at which orders are due, from an instant on, for ever."""
    draws, integral = random.Random(seed), Integral(rate)
    total = integral.until(from_us / 1e6)
    while True:
        total += draws.expovariate(1.0)
        yield max(from_us, round(integral.reached(total) * 1e6))
