"""Change: downtime and rollback time against what the change request declared, and its window.

The declared times replace the runbook's template. A change that overruns its window misses it, however short the
downtime: the worse of the two, each as a share of its limit, decides. Source: DESIGN, What is measured, exactly
(change).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from scenarios.record.marks import Mark
from validators import integrity
from validators.marks import faults, of_kind
from validators.measures.episodes import members
from validators.measures.goodness import Series, series
from validators.model import Evidence, Measurement, Observations
from validators.words import at, listed, seconds


def why_not(observations: Observations, objective: Mapping[str, Any]) -> str | None:
    """Return why there is nothing to judge; None when the timeline contains a change (that was rolled back)."""
    declared = _declared(observations)
    if declared is None:
        return "the timeline contains no change"
    if objective["subject"] == "rollback" and not of_kind(observations, "rollback_started"):
        return "the change was not rolled back"
    return None


def _declared(observations: Observations) -> tuple[str, Mapping[str, Any] | None] | None:
    """The change of the timeline and what its request declared."""
    name = next((str(e["change"]) for e in observations.scenario.get("timeline", ()) if e.get("change")), None)
    return None if name is None else (name, observations.procedures.get(name, {}).get("change"))


def measure(observations: Observations, objective: Mapping[str, Any]) -> list[Measurement]:
    """Downtime or rollback of the change, in seconds."""
    declared = _declared(observations)
    assert declared is not None, "judged only where the timeline contains a change"
    change, request = declared
    name = str(objective["objective"])
    if objective["subject"] == "rollback":
        return [_lasted(observations, name, change, "rollback", _limit(request, "rollback_us"))]
    downtime = replace(_downtime(observations, name, change), limit=_limit(request, "downtime_us"))
    if request is None:
        return [downtime]
    window = _lasted(observations, f"{name}.window", change, "change", _limit(request, "window_us"))
    if _used(window) <= max(1.0, _used(downtime)):
        return [downtime, window]
    return [replace(window, name=name), replace(downtime, name=f"{name}.seen")]


def _limit(request: Mapping[str, Any] | None, key: str) -> float | None:
    return None if request is None else float(request[key]) / 1e6


def _used(measured: Measurement) -> float:
    """Share of its limit that is certainly used up."""
    return (measured.low or 0.0) / measured.limit if measured.limit else 0.0


def _mark(observations: Observations, kind: str, change: str) -> Mark | None:
    return next((m for m in of_kind(observations, kind) if change in (m.detail["change"], m.subject)), None)


def _lasted(observations: Observations, name: str, change: str, what: str, limit: float | None) -> Measurement:
    """Seconds from its start to its end."""
    started, finished = (_mark(observations, f"{what}_{end}", change) for end in ("started", "finished"))
    method = f"from {what} started to {what} finished"
    words = "rolling back" if what == "rollback" else "the change"
    if started is None:
        why = f"{words} was planned and never started"
        return Measurement(name, None, None, None, "s", 0, method, doubts=(why,), limit=limit, says=why)
    evidence = (Evidence("marks", f"{what}_started of {change}", started.t_us),)
    if finished is None:
        so_far = (observations.duration_us - started.t_us) / 1e6
        says = f"{words} was not done {seconds(so_far)} after it began at {at(started.t_us)}"
        return Measurement(name, None, so_far, None, "s", 1, method, evidence, limit=limit, says=says)
    value, bound = (finished.t_us - started.t_us) / 1e6, integrity.clock_bound_us(observations) / 1e6
    steps = integrity.clock_steps(observations, started.t_us, finished.t_us)
    return Measurement(
        name, value, max(0.0, value - bound), value + bound, "s", 1, method, evidence,
        {"label": f"how long {words} took"}, steps, limit=limit,
        says=f"{words} took {seconds(value)} from {at(started.t_us)}",
    )  # fmt: skip


def _downtime(observations: Observations, name: str, change: str) -> Measurement:
    """Seconds in which some service was not good, from the start of the change to the next fault or the end."""
    method = "time in which a service probed through DNS was bad, all services together"
    started = _mark(observations, "change_started", change)
    if started is None:
        why = "the change was planned and never started"
        return Measurement(name, None, None, None, "s", 0, method, doubts=(why,), says=why)
    since = started.t_us
    until = min((f.begun_us for f in faults(observations) if f.begun_us > since), default=observations.duration_us)
    probed = [s for m in members(observations, "complete") if (s := series(observations, m)) is not None]
    if missing := [m for m in members(observations, "complete") if m not in {s.service for s in probed}]:
        why = f"there are no probes of {listed(missing)} through DNS"
        return Measurement(name, None, None, None, "s", 0, method, doubts=(why,), says=why)
    sure, perhaps = _bad(probed, since, until)
    problems = [w for s in probed for w in integrity.unseen(observations, s, since, until, s.outages())]
    problems += integrity.clock_steps(observations, since, until)
    low, high = _length(sure) / 1e6, _length(perhaps) / 1e6
    ended = all(o.back_us is not None or o.first_wrong_us >= until for s in probed for o in s.outages())
    says = (
        f"{seconds(high)} of downtime by the change that began at {at(since)}"
        if high
        else "the change took nothing down"
    )
    if not ended:
        says = f"something was still down {seconds(low)} after the change took it down"
    return Measurement(
        name, high if ended else None, low, high if ended else None, "s", sum(len(s.intended_us) for s in probed),
        method, (Evidence("marks", f"change_started of {change}", since),), {"label": "downtime of the change"},
        tuple(problems), says=says,
    )  # fmt: skip


def _bad(probed: list[Series], since_us: int, until_us: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Stretches in which something was bad for certain, and at most."""
    sure, perhaps = [], []
    for one in probed:
        for outage in one.outages():
            back = outage.back_us if outage.back_us is not None else until_us
            right = one.intended_us[one.right & (one.intended_us < outage.first_wrong_us)]
            before = int(right[-1]) if len(right) else since_us
            sure.append((max(outage.first_wrong_us, since_us), min(outage.last_wrong_us, until_us)))
            perhaps.append((max(before, since_us), min(back, until_us)))
    return [(a, b) for a, b in sure if b >= a], [(a, b) for a, b in perhaps if b > a]


def _length(intervals: list[tuple[int, int]]) -> int:
    """Length of the union of intervals.

    >>> _length([(0, 10), (5, 20), (30, 31)])
    21
    """
    total, until = 0, None
    for a, b in sorted(intervals):
        start = a if until is None else max(a, until)
        total += max(0, b - start)
        until = b if until is None else max(until, b)
    return total
