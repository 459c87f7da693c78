"""The offered load of a scenario: its rate over time, as points that arrivals and capacities are computed from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenarios.files.resolved import Resolved
from scenarios.model.parameters import Parameters

MINUTE_NS = 60_000_000_000
FOREVER_NS = 1 << 61
Factors = tuple[tuple[float, ...], tuple[float, ...]]  # minutes, times the base rate


@dataclass(frozen=True)
class Load:
    """Piecewise linear rate of new orders: at `points_ns` it is `rates_per_s`; the last rate holds on."""

    points_ns: NDArray[np.int64]
    rates_per_s: NDArray[np.float64]

    def at(self, instant_ns: int) -> float:
        """Rate at an instant, new orders a second."""
        return float(np.interp(instant_ns, self.points_ns, self.rates_per_s))

    def steady_until(self, instant_ns: int) -> int:
        """Instant up to which the rate stays what it is at this instant; far away: for ever."""
        i = int(np.searchsorted(self.points_ns, instant_ns, side="right"))
        if i >= len(self.points_ns):
            return FOREVER_NS
        flat = i > 0 and self.rates_per_s[i - 1] == self.rates_per_s[i]
        return int(self.points_ns[i]) if flat else instant_ns + 1

    def scaled(self, factor: float) -> "Load":
        """The same profile at another base rate."""
        return Load(self.points_ns, self.rates_per_s * factor)


def load(resolved: Resolved) -> Load:
    """Offered load of a scenario. Source of the profiles: CALIBRATION 5."""
    workload = resolved.scenario.workload
    minutes, factors = _PROFILES[workload.profile](resolved.parameters)
    return Load(
        np.array([round(m * MINUTE_NS) for m in minutes], dtype=np.int64),
        np.array(factors) * workload.rate_per_s,
    )


def _steady(parameters: Parameters) -> Factors:
    return (0.0,), (1.0,)


def _opening_burst(parameters: Parameters) -> Factors:
    """The first minute's rate, then that of minutes two to five, then back to the base by the seventh."""
    first = parameters.number("client.opening_first_minute")
    later = parameters.number("client.opening_first_five_minutes")
    return (0.0, 1.0, 1.5, 5.0, 7.0), (first, first, later, later, 1.0)


def _diurnal(parameters: Parameters) -> Factors:
    """The U of a trading day of 6.5 hours; the base rate is the day's mean, or nearly."""
    edge, trough = parameters.number("client.diurnal_edges"), parameters.number("client.diurnal_trough")
    shoulder, side = trough + 0.5 * (edge - trough), trough + 0.15 * (edge - trough)
    return (0.0, 30.0, 120.0, 210.0, 300.0, 360.0, 390.0), (edge, shoulder, side, trough, side, shoulder, edge)


_PROFILES = {"steady": _steady, "opening-burst": _opening_burst, "diurnal": _diurnal}
