"""What servers had counted before the run: the part of a rule's window that lies before the record's first second.

The samples `answered_ok` and `answered_5xx` of a service in a region count up from the first of them on; see
docs/reference/record.md. A count stands at the scrape that found it, so it may be older by as long as two scrapes are
apart: what the scrape after the start found may have been counted before it, or in the run.
Source: DESIGN, What is measured, exactly (detection).
"""

import numpy as np

from validators import integrity
from validators.columns import F64
from validators.model import Observations

SECOND_US = 1_000_000
COUNTS = ("answered_ok", "answered_5xx")


def lacking(observations: Observations, window_us: int) -> list[str]:
    """Return the services ("us-east-1/risk") of which it is not on record what was counted in a window before it."""
    return observations.once(("lacking before", window_us), lambda: _lacking(observations, window_us))


def _lacking(observations: Observations, window_us: int) -> list[str]:
    regions, services = observations.topology["regions"], observations.topology["services"]
    every = (f"{region}/{service}" for region in regions for service in services)
    return [s for s in every if not all(_covered(observations, s, name, window_us) for name in COUNTS)]


def _covered(observations: Observations, station: str, name: str, window_us: int) -> bool:
    t_us, counted = integrity.sample(observations, name, station)
    return len(t_us) > 0 and bool(t_us[0] <= -window_us and t_us[-1] >= 0 and (np.diff(counted) >= 0).all())


def reach_s(observations: Observations, window_us: int) -> int:
    """Seconds before the record of which it is known what every service counted: the window, or none."""
    return 0 if lacking(observations, window_us) else window_us // SECOND_US


def anything(observations: Observations) -> bool:
    """Whether any service counted anything."""
    return any(bool((integrity.sample(observations, name)[1] > 0).any()) for name in COUNTS)


def counted(observations: Observations, station: str, name: str, reach: int, *, early: bool) -> F64:
    """A count at each second from `reach` seconds before the record to its first instant.

    `early`: what a scrape found was counted as long before it as may be; else just before it.
    """
    t_us, value = integrity.sample(observations, name, station)
    apart_us = int(observations.topology["monitoring"]["scrape_us"]) * 3 // 2  # else it would not be on record
    at_us = np.arange(-reach, 1) * SECOND_US + early * apart_us
    return np.asarray(value[np.searchsorted(t_us, at_us, side="right") - 1], dtype=np.float64)
