"""The offered load over time, and when each order is due.

The rate is piecewise linear. Orders are a Poisson process of that rate: the n-th is due when the integral of the rate
reaches the sum of n exponential draws, so that it needs no small steps, and has no error, however the rate changes.
Source of the profiles: CALIBRATION 5.
"""

import bisect
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Integral:
    """The integral of a rate, and its inverse."""

    points: Points

    def until(self, t_s: float) -> float:
        """Orders due before an instant, on average."""
        total = 0.0
        for (a_s, a), (b_s, b) in self._pieces():
            if t_s <= a_s:
                break
            x = min(t_s, b_s) - a_s
            total += a * x + (0.0 if math.isinf(b_s) else (b - a) / (b_s - a_s) * x * x / 2)
        return total

    def _pieces(self) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
        last = (math.inf, self.points[-1][1])
        yield from zip(self.points, (*self.points[1:], last), strict=True)

    def reached(self, total: float) -> float:
        """Instant in seconds at which the integral reaches a value."""
        marks = [self.until(s) for s, _ in self.points]
        i = bisect.bisect_right(marks, total) - 1
        (a_s, a), (b_s, b) = list(self._pieces())[i]
        need = total - marks[i]
        slope = 0.0 if math.isinf(b_s) else (b - a) / (b_s - a_s)
        # a x + slope x^2 / 2 = need, in the form that stays exact when the slope is near 0
        return a_s + 2 * need / (a + math.sqrt(max(0.0, a * a + 2 * slope * need)))


def arrivals(rate: Points, seed: int, from_us: int = 0) -> Iterator[int]:
    """Instants in microseconds at which orders are due, from an instant on, for ever."""
    draws, integral = random.Random(seed), Integral(rate)
    total = integral.until(from_us / 1e6)
    while True:
        total += draws.expovariate(1.0)
        yield max(from_us, round(integral.reached(total) * 1e6))
