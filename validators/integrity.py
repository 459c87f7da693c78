"""Faults of the instrument: sender lag, observer gaps, clock steps, probes or samples too coarse for the limit.

Each makes both PASS and FAIL of what it measures INCONCLUSIVE, before anything is merged; a proven lost or doubled
write stays FAIL. Every function returns words for a reason, none when the instrument was sound.
Source: DESIGN, What is measured, exactly.
"""

from collections.abc import Iterable

import numpy as np

from validators.columns import F64, I64, Names, names, real, whole
from validators.marks import of_kind
from validators.measures.goodness import WINDOW_US, Outage, Series, blind
from validators.model import Observations
from validators.words import at, seconds

SECOND_US = 1_000_000
RESOLUTION = 10  # an instrument resolves a limit when ten of its steps fit into it


def clock_steps(observations: Observations, from_us: int, to_us: int) -> tuple[str, ...]:
    """Jumps of the clock within an interval that exceed its declared bound."""
    steps = [m for m in of_kind(observations, "clock_step") if from_us <= m.t_us <= to_us]
    large = [m for m in steps if abs(int(m.detail["step_us"])) > observations.clock_bound_us]
    return tuple(
        f"the instrument's clock jumped by {seconds(int(m.detail['step_us']) / 1e6)} at {at(m.t_us)}" for m in large
    )


def coarse(what: str, spacing_us: float, limit_us: float | None) -> tuple[str, ...]:
    """Spacing above a tenth of the limit: what happens in between is not seen."""
    if limit_us is None or spacing_us * RESOLUTION <= limit_us:
        return ()
    return (f"{what} came every {seconds(spacing_us / 1e6)}, too coarse for a limit of {seconds(limit_us / 1e6)}",)


def late_prober(series: Series, limit_us: float | None) -> tuple[str, ...]:
    """Probes sent later than a tenth of the limit (or of a window) after they were due."""
    allowed = min(WINDOW_US, limit_us or WINDOW_US) / RESOLUTION
    if series.lag_us_p99 <= allowed:
        return ()
    return (f"probes of {series.service} were sent {seconds(series.lag_us_p99 / 1e6)} late (p99)",)


def unseen(
    observations: Observations, series: Series, from_us: int, to_us: int, outages: Iterable[Outage]
) -> tuple[str, ...]:
    """Gaps of a prober within an interval, save those wholly inside an outage, which hide nothing that counts."""
    stretches = [*series.gaps, *blind(observations, "probes", "prober", series.service, f"probes/{series.service}")]
    inside = [(o.first_wrong_us, o.last_wrong_us) for o in outages]
    counting = [
        (a, b)
        for a, b in stretches
        if a < to_us and b > from_us and not any(first <= a and b <= last for first, last in inside)
    ]
    shown = [f"no probe of {series.service} from {at(a)} to {at(b)}" for a, b in sorted(set(counting))[:3]]
    return tuple(shown)


def sample(observations: Observations, name: str, subject: str | None = None) -> tuple[I64, F64]:
    """Instants and values of a sampled quantity within the judged interval, of one subject or of all."""
    return observations.once(("sample", name, subject), lambda: _sample(observations, name, subject))


def _sample(observations: Observations, name: str, subject: str | None) -> tuple[I64, F64]:
    t_us, subjects_of, values, rows = _judged(observations, name)
    if subject is not None:
        rows = rows[subjects_of.equal(subject, rows)]
    rows = rows[np.argsort(t_us[rows], kind="stable")]
    return t_us[rows], values[rows]


def subjects(observations: Observations, name: str) -> list[str]:
    """Subjects of which a quantity was sampled within the judged interval."""
    _, subjects_of, _, rows = _judged(observations, name)
    return sorted({subjects_of.names[c] for c in np.unique(subjects_of.codes[rows]) if c >= 0})


def _judged(observations: Observations, name: str) -> tuple[I64, Names, F64, I64]:
    """Instants, subjects and values of all samples, and the rows of this quantity within the judged interval."""
    table = observations.tables("samples")
    t_us, subjects_of, quantities, values = observations.once(
        "samples",
        lambda: (whole(table, "t_us"), names(table, "subject"), names(table, "name"), real(table, "value")),
    )
    chosen = quantities.equal(name) & (t_us < observations.duration_us) & np.isfinite(values)
    return t_us, subjects_of, values, np.flatnonzero(chosen)


def late_sender(observations: Observations, limit_us: float, stretches: Iterable[tuple[int, int]]) -> tuple[str, ...]:
    """Lag of the load's sender (p99 of a second) above a tenth of the limit, within the judged stretches, or not known.

    Each second in which something was sent needs a sample: taken in it, or at its end.
    """
    second, lag_us = _lags(observations)
    judged = np.zeros(len(second), dtype=np.bool_)
    for a, b in stretches:
        judged |= (second * SECOND_US >= a) & (second * SECOND_US < b)
    if not judged.any():
        return ()
    worst = float(np.quantile(lag_us[judged], 0.99, method="higher"))
    if worst == np.inf:
        unknown = second[judged & np.isinf(lag_us)]
        first = at(int(unknown[0]) * SECOND_US)
        return (f"how late the load was sent is not on record for {len(unknown):,} s, first at {first}",)
    if worst * RESOLUTION <= limit_us:
        return ()
    return (f"the load was sent {seconds(worst / 1e6)} late (p99), above a tenth of the limit",)


def _lags(observations: Observations) -> tuple[I64, F64]:
    """Seconds in which the load was sent, and the lag in each; infinite where nobody sampled it."""
    table = observations.tables("load")
    sent = names(table, "service").equal("edge") & (whole(table, "sent") > 0)
    second = np.unique(whole(table, "second")[sent])
    t_us, sampled_us = sample(observations, "sender_lag_us_p99")
    lag_us = np.full(len(second), -np.inf)
    for of in (t_us // SECOND_US, (t_us - 1) // SECOND_US):
        known = np.isin(of, second)
        np.maximum.at(lag_us, np.searchsorted(second, of[known]), sampled_us[known])
    return second, np.where(np.isinf(lag_us), np.inf, lag_us)


def clock_bound_us(observations: Observations) -> int:
    """Greatest error between two clocks: declared, or sampled."""
    _, sampled = sample(observations, "clock_bound_us")
    return max(observations.clock_bound_us, round(float(sampled.max())) if len(sampled) else 0)
