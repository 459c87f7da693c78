"""Data loss: from the recovery point to the last acknowledged write that is gone, in seconds, with the count and which.

Nothing acknowledged is lost: 0. Else the recovery point P is the latest instant such that every write acknowledged
before it is recovered; loss = max(injection begun, last lost acknowledgement) - P. P lies between the last
acknowledgement before the first lost one and the first lost one: that is the interval. A timed-out write is unknown,
retried only under the same key, excluded from loss, reported as unknown-recovered or unknown-absent. An acknowledged
write that was not read back makes it INCONCLUSIVE, unless a loss above the limit is already proven. Copied classes:
`validators.measures.copies`.
Source: DESIGN, What is measured, exactly.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenarios.model.faults import data_hit
from validators import integrity, whole_ledger
from validators.ledger import Done, Found, done, found, sent
from validators.marks import faults, hits_data, never_injected
from validators.measures import copies
from validators.measures.goodness import series
from validators.model import Evidence, Measurement, Observations
from validators.packed import isin
from validators.words import seconds

METHOD = "each acknowledged write looked for on the surviving timeline"
I64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
SHOWN = 5  # lost keys named


def measure(observations: Observations, objective: Mapping[str, Any]) -> list[Measurement]:
    """Loss of a data class: from the ledger when its writes were numbered, else by the age of its copy."""
    data_class = str(objective["subject"])
    if data_class not in observations.topology["database"].get("copies", {}):
        return [transactions(observations, objective)]
    return [copies.measure(observations, objective)]


def transactions(observations: Observations, objective: Mapping[str, Any]) -> Measurement:
    """Loss of acknowledged, numbered writes."""
    name, data_class = str(objective["objective"]), str(objective["subject"])
    ends = done(observations, data_class)
    timeline = observations.surviving_timeline
    read = found(observations, data_class, timeline)
    recovered = isin(ends.acked_keys, read.keys)
    gone = ~recovered if read.asked else isin(ends.acked_keys, read.absent_keys)
    unread = ~recovered & ~gone
    begun = _begun_us(observations, data_class)
    low, high, point = _loss(ends, gone, begun, integrity.clock_bound_us(observations))
    doubts = _doubts(observations, objective, ends, unread, timeline, begun)
    detail = _detail(ends, read, gone, unread, timeline)
    faults_ = integrity.clock_steps(observations, 0, observations.duration_us)
    value = 0.0 if not gone.any() else low
    evidence: tuple[Evidence, ...] = (Evidence("readback", f"data_class={data_class}, timeline={timeline}"),)
    if gone.any():
        lost = ends.acked_keys.where(gone).values()
        shown = ", ".join(map(str, lost[:SHOWN].tolist())) + (" ..." if len(lost) > SHOWN else "")
        evidence = (Evidence("writes_done", f"keys {shown} acknowledged, not in {timeline}", point), *evidence)
        detail["recovery_point_us"] = point
        if high is None:
            doubts = (*doubts, "even the oldest known write is lost, so the recovery point lies before it")
    limit_s = float(objective["limit_us"]) / 1e6
    proven = bool(gone.any() and low > limit_s)
    says = _says(int(gone.sum()), len(gone), low, data_class)
    return Measurement(
        name, value, low, high, "s", len(ends.acked_keys), METHOD, evidence, detail, faults_, doubts, proven, says=says,
    )  # fmt: skip


def _begun_us(observations: Observations, data_class: str) -> int:
    every = faults(observations)
    mine = [f for f in every if data_class in hits_data(f, observations.topology)] or list(every)
    return min((f.begun_us for f in mine), default=0)


def _loss(ends: Done, gone: Bool, begun_us: int, clock_us: int) -> tuple[float, float | None, int]:
    """Bounds of the loss in seconds, and the instant of the first lost acknowledgement.

    `clock_us`: greatest error between the clock of the acknowledgements and that of the injection.
    """
    if not gone.any():
        return 0.0, 0.0, begun_us
    places = np.flatnonzero(gone)  # acknowledgements are in order of time
    first, last = ends.acked_us.at(int(places[0])), ends.acked_us.at(int(places[-1]))
    before = int(ends.acked_us.test(lambda t_us: t_us < first).sum())
    high = (max(begun_us + clock_us, last) - ends.acked_us.at(before - 1)) / 1e6 if before else None
    return (max(begun_us - clock_us, last) - first) / 1e6, high, first


def _doubts(
    observations: Observations,
    objective: Mapping[str, Any],
    ends: Done,
    unread: Bool,
    timeline: str | None,
    begun_us: int,
) -> tuple[str, ...]:
    limit = int(objective["limit_us"])
    data_class = str(objective["subject"])
    words = [*never_injected(observations, lambda k, t: data_class in data_hit(k, t, observations.topology))]
    if timeline is None:
        words.append("which database timeline survived is not known")
    elif _is_down(observations):
        words.append("the database was still down at the end, so which timeline survives is not decided")
    if len(ends.acked_us) == 0:
        words.append("no acknowledged write is on record")
        return tuple(words)
    if unread.any():
        words.append(f"{int(unread.sum()):,} acknowledged writes were not read back")
    _, sent_us = sent(observations, data_class)
    since = max(begun_us - limit, min(begun_us, sent_us.bounds()[0]) if len(sent_us) else begun_us)
    before = np.sort(sent_us.where(sent_us.test(lambda t_us: (t_us <= begun_us) & (t_us >= since))).values())
    spacing = float(np.diff(np.concatenate([[since], before, [begun_us]])).max())
    words += integrity.coarse("writes just before the fault", spacing, limit)
    words += whole_ledger.doubts(observations, limit / integrity.RESOLUTION / 1e6)
    return tuple(words)


def _is_down(observations: Observations) -> bool:
    """Whether a fault has the database down still when the judged interval ends."""
    probes = series(observations, "database")
    return bool(faults(observations)) and probes is not None and any(o.back_us is None for o in probes.outages())


def _detail(ends: Done, read: Found, gone: Bool, unread: Bool, timeline: str | None) -> dict[str, Any]:
    unknown_recovered = int(isin(ends.unknown_keys, read.keys).sum())
    return {
        "lost": int(gone.sum()),
        "acknowledged": len(ends.acked_keys),
        "not_read_back": int(unread.sum()),
        "unknown_recovered": unknown_recovered,
        "unknown_absent": len(ends.unknown_keys) - unknown_recovered,
        "failed_recovered": int(isin(ends.failed_keys, read.keys).sum()),
        **({"timeline": timeline} if timeline is not None else {}),
    }


def _says(lost: int, acknowledged: int, loss_s: float, data_class: str) -> str:
    if not lost:
        return f"none of {acknowledged:,} acknowledged {data_class} is lost"
    return f"{lost:,} of {acknowledged:,} acknowledged {data_class} are lost, a loss of {seconds(loss_s)}"
