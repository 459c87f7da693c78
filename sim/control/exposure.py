"""What services know of the firm's positions: value at risk as a share of its limit, shown as a gauge by their pods.

A topology says which services compute it; a shock of the market moves it. Source: CALIBRATION 8, 45.
"""

from collections.abc import Callable

from sim.control.roles import Gauges
from sim.control.series import Series

CURRENT, LIMIT = "risk_var_current", "risk_var_limit"  # the limit is 1: the share itself is what counts


class Exposure:
    """Value at risk by region and service; `series` makes what is sampled into the record."""

    def __init__(self, shares: dict[tuple[str, str], float], series: Callable[[str, str, float], Series]) -> None:
        self._usual = shares
        self._current: dict[tuple[str, str], Series] = {}
        for (region, service), share in shares.items():
            self._current[region, service] = series(f"{region}/{service}", CURRENT, share)
            series(f"{region}/{service}", LIMIT, 1.0)

    def shock(self, region: str, service: str, factor: float) -> None:
        """From now on it is so many times what it usually is."""
        self._current[region, service].set(factor * self._usual[region, service])

    def gauges(self, region: str, service: str) -> Gauges:
        """What a pod of a service shows when it is scraped; nothing where it computes no value at risk."""
        current = self._current.get((region, service))
        return () if current is None else ((CURRENT, current.now), (LIMIT, 1.0))
