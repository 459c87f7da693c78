"""Loss of copied classes (models, configuration, logs): the greatest age of the copy's recovery point over the run.

Age at t = min(t, last write of the source) - recovery point, from samples in the region that survives (else in the
copy's region). Between samples the age can only grow by their spacing: that is the interval. The source must be written
at least ten times within the limit, and be seen to be, until a fault takes it; else the age says nothing.
Source: DESIGN, What is measured, exactly.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scenarios.model.faults import data_hit
from validators import integrity
from validators.columns import F64, I64
from validators.marks import faults, hits_data, never_injected
from validators.model import Evidence, Measurement, Observations
from validators.words import at, seconds

METHOD = "greatest age of the copy's recovery point, from samples"


def measure(observations: Observations, objective: Mapping[str, Any]) -> Measurement:
    """Greatest age of a copy in seconds."""
    name, data_class, limit = str(objective["objective"]), str(objective["subject"]), int(objective["limit_us"])
    region, point_t, age_us = ages(observations, data_class)
    write_t, write_us = integrity.sample(observations, "last_write_us", f"source/{data_class}")
    if len(point_t) == 0:
        words = f"the recovery point of {data_class} was not sampled in any region but its own"
        return Measurement(name, None, None, None, "s", 0, METHOD, doubts=(words,), says=words)
    worst = int(np.argmax(age_us))
    spacing = float(np.median(np.diff(point_t))) if len(point_t) > 1 else float(observations.duration_us)
    low = max(0.0, float(age_us[worst])) / 1e6
    doubts = [*never_injected(observations, lambda k, t: data_class in data_hit(k, t, observations.topology))]
    if len(write_t) == 0:
        doubts.append(f"the last write of {data_class} at its source was not sampled")
    end, alive_until = observations.duration_us, _alive_until_us(observations, data_class)
    declared = observations.topology["database"]["copies"][data_class]
    problems = [
        *integrity.clock_steps(observations, 0, end),
        *_unseen(f"the recovery point of {data_class}", point_t, end, limit),
        *_ahead(observations, f"the recovery point of {data_class}", "recovery_point_us", f"{region}/{data_class}"),
        *_ahead(observations, f"the last write of {data_class}", "last_write_us", f"source/{data_class}"),
        *integrity.coarse(f"samples of {data_class}", spacing, limit),
        *integrity.coarse(f"writes of {data_class}", float(declared["write_spacing_us"]), limit),
    ]
    if len(write_t):
        problems += _unseen(f"the last write of {data_class} at its source", write_t, alive_until, limit)
        idle = write_t - write_us
        longest = float(idle[write_t < alive_until].max(initial=0.0))
        if longest * integrity.RESOLUTION > limit:
            problems.append(f"nothing was written to {data_class} for {seconds(longest / 1e6)}")
    at_worst = int(point_t[worst])
    return Measurement(
        name, low, low, low + spacing / 1e6, "s", len(point_t), METHOD,
        (Evidence("samples", f"recovery_point_us of {region}/{data_class}", at_worst),),
        {"region": region, "worst_at_us": at_worst, "sample_spacing_seconds": spacing / 1e6},
        tuple(problems), tuple(doubts), says=f"the copy of {data_class} in {region} was up to {seconds(low)} old",
    )  # fmt: skip


def ages(observations: Observations, data_class: str) -> tuple[str, I64, F64]:
    """Region whose copy counts, and the age of its recovery point in microseconds at each sample of it."""
    region = _region(observations, data_class)
    point_t, point_us = integrity.sample(observations, "recovery_point_us", f"{region}/{data_class}")
    write_t, write_us = integrity.sample(observations, "last_write_us", f"source/{data_class}")
    return region, point_t, np.minimum(point_t, _known_at(point_t, write_t, write_us)) - point_us


def _alive_until_us(observations: Observations, data_class: str) -> int:
    """Until when the source must be seen: the first fault that takes it, or the end."""
    taken = [f.begun_us for f in faults(observations) if data_class in hits_data(f, observations.topology)]
    return min([*taken, observations.duration_us])


def _unseen(what: str, t_us: I64, until_us: int, limit_us: int) -> tuple[str, ...]:
    """Whether samples leave out a tenth of the limit, up to an instant."""
    edges = np.concatenate([[0], t_us[t_us < until_us], [until_us]])
    widest = float(np.diff(edges).max())
    return (f"{what} was not sampled for {seconds(widest / 1e6)}",) if widest * integrity.RESOLUTION > limit_us else ()


def _ahead(observations: Observations, what: str, name: str, subject: str) -> tuple[str, ...]:
    """Whether samples name an instant that had not come when they were taken, by more than clocks may differ."""
    t_us, named_us = integrity.sample(observations, name, subject)
    ahead = np.flatnonzero(named_us - t_us > integrity.clock_bound_us(observations))
    if not len(ahead):
        return ()
    return (f"{what} was dated ahead of the clock in {len(ahead):,} samples, first at {at(int(t_us[ahead[0]]))}",)


def _known_at(t_us: I64, write_t: I64, write_us: F64) -> F64:
    """Last write of the source as known at each instant; the instant itself when it was not sampled."""
    if len(write_t) == 0:
        return t_us.astype(np.float64)
    place = np.searchsorted(write_t, t_us, side="right") - 1
    return np.where(place >= 0, write_us[np.maximum(place, 0)], t_us.astype(np.float64))


def _region(observations: Observations, data_class: str) -> str:
    """Region whose copy counts: the one that survives, else the copy's."""
    sampled = {
        s.partition("/")[0]
        for s in integrity.subjects(observations, "recovery_point_us")
        if s.endswith(f"/{data_class}")
    }
    surviving = (observations.surviving_timeline or "").partition("/")[0]
    database = observations.topology["database"]
    elsewhere = sorted(sampled - {database["home"]})
    if surviving in sampled:
        return surviving
    return str(database.get("replica_region") or (elsewhere[0] if elsewhere else surviving))
