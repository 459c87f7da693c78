"""Arrivals: unit-rate exponentials, cumulated, mapped through the inverse of the cumulative rate. Never thinned.

A rate is piecewise linear over time, so its integral is piecewise quadratic and is inverted exactly.
Source: DESIGN, Draws; Lewis and Shedler (1979) for the time change.
"""

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sim.data.compiled import allocating
from sim.data.draws import exponential

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]


class ArrivalSource(Protocol):
    """Anything that says when the next orders are due (Hawkes and trace arrivals fit here)."""

    def take(self, until_ns: int) -> I64:
        """Return times of the next arrivals, the last of them at or after `until_ns`."""
        ...


class Arrivals:
    """Arrivals of a Poisson process with a piecewise linear rate: points (t_ns, rate_per_s); the last rate holds on."""

    def __init__(self, points_ns: I64, rates_per_s: F64, key: np.uint64) -> None:
        self._points = np.asarray(points_ns, dtype=np.int64)
        self._rates = np.asarray(rates_per_s, dtype=np.float64) * 1e-9
        self._key = key
        self._state = np.zeros(2)  # sum of the exponentials so far, and the number of the next one
        spans = np.diff(self._points)
        areas = (self._rates[1:] + self._rates[:-1]) / 2 * spans
        self._cumulated = np.concatenate([[0.0], np.cumsum(areas)])

    def take(self, until_ns: int) -> I64:
        """Return times (ns, increasing) of the next arrivals, the last of them at or after `until_ns`."""
        parts = []
        while True:
            chunk = _chunk(self._points, self._rates, self._cumulated, self._key, self._state, 4096)
            parts.append(chunk)
            if chunk[-1] >= until_ns:
                return np.concatenate(parts)


@allocating
def _chunk(points, rates, cumulated, key, state, count):
    """Return the next arrivals one by one, so that the sum is the same whatever the chunk."""
    times = np.empty(count, dtype=np.int64)
    gaps = np.empty(count, dtype=np.float64)
    total = state[0]
    n = int(state[1])
    piece = np.searchsorted(cumulated, total, side="right") - 1
    last = len(points) - 1
    for i in range(count):  # many at a time, as nothing in this loop waits for the one before
        gaps[i] = exponential(key, n + i)
    for i in range(count):
        total += gaps[i]
        while piece < last and cumulated[piece + 1] <= total:
            piece += 1
        left = total - cumulated[piece]
        rate = rates[piece]
        slope = 0.0
        if piece < last:
            slope = (rates[piece + 1] - rate) / (points[piece + 1] - points[piece])
        if slope == 0.0:
            step = left / rate if rate > 0.0 else math.inf
        else:
            step = 2.0 * left / (rate + math.sqrt(rate * rate + 2.0 * slope * left))
        times[i] = points[piece] + np.int64(step) if step < 1e18 else np.int64(1) << 61
    state[0] = total
    state[1] = n + count
    return times


def profile_points(profile: str, rate_per_s: float) -> tuple[I64, F64]:
    """Points of a named profile at a base rate.

    steady; opening-burst: five times the rate in the first minute, three times until the fifth, then falling to the
    rate by the seventh (CALIBRATION 5); diurnal: the intraday U over 6.5 hours.
    """
    minute = 60_000_000_000
    if profile == "opening-burst":
        minutes, factors = [0, 1, 1.5, 5, 7], [5.0, 5.0, 3.0, 3.0, 1.0]
    elif profile == "diurnal":
        minutes, factors = [0, 30, 120, 210, 300, 360, 390], [1.8, 1.3, 0.8, 0.6, 0.8, 1.3, 2.0]
    else:
        minutes, factors = [0], [1.0]
    return (
        np.array([round(m * minute) for m in minutes], dtype=np.int64),
        np.array([f * rate_per_s for f in factors]),
    )
