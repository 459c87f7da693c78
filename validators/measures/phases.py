"""The budget of a recovery: detect, decide, act, converge. The phases abut and sum to the total.

detect: until somebody or something noticed; decide: until it was decided what to do; act: until the procedure's last
step (or, where the platform mends itself, its last action) was done; converge: until users were served. A boundary that
no fact marks has no phase of its own: its time is part of the next phase that has one.
"""

from typing import Any

from validators.marks import first, of_kind
from validators.model import Observations

PHASES = ("detect", "decide", "act", "converge")
_NOTICED = ("automation_detected", "page_received", "alert_firing")
# What the platform itself sees; a pod or a database that is gone is no news until something looks.
_SELF_NOTICED = ("node_not_ready", "crashed", "pod_unready", "health_check_failed", "promotion_begun")
_SELF_DECIDED = ("pod_created", "promotion_begun", "dns_change_submitted", "rollback_started")
_SELF_ACTED = ("pod_ready", "promoted", "database_available", "dns_switched", "rollback_finished", "restored")


def phases(observations: Observations, begun_us: int, back_us: int) -> dict[str, float]:
    """Seconds of each phase between the injection and the recovery; empty when no fact marks any boundary."""
    if back_us <= begun_us:
        return {}
    boundaries = _of_procedure(observations, begun_us, back_us) or _of_platform(observations, begun_us, back_us)
    if not any(b is not None for b in boundaries):
        return {}
    found, since = {}, begun_us
    for name, boundary in zip(PHASES, (*boundaries, back_us), strict=True):
        if boundary is None:
            continue
        until = min(max(boundary, since), back_us)
        found[name] = (until - since) / 1e6
        since = until
    return found


def _of_procedure(observations: Observations, begun_us: int, back_us: int) -> tuple[int | None, ...] | None:
    """Boundaries when a procedure answered; None when none was decided before the recovery."""
    decided = first(observations, "decided", "procedure_started", since_us=begun_us, until_us=back_us)
    if decided is None:
        return None
    detail = decided.detail
    name = str(detail["procedure"]) if decided.kind == "decided" else decided.subject
    noticed = [
        m.t_us
        for m in of_kind(observations, *_NOTICED)
        if begun_us <= m.t_us <= decided.t_us and m.detail.get("rules", "intended") == "intended"
    ]
    steps = [m.t_us for m in of_kind(observations, "step_finished") if m.subject == name and decided.t_us <= m.t_us]
    done = [t for t in steps if t <= back_us]
    unfinished = any(t > back_us for t in steps) and not done
    acted = back_us if unfinished else done[-1] if done else None
    automatic = next(
        (m.t_us for m in of_kind(observations, "automation_detected") if begun_us <= m.t_us <= decided.t_us), None
    )
    return (automatic if automatic is not None else min(noticed, default=None), decided.t_us, acted)


def _of_platform(observations: Observations, begun_us: int, back_us: int) -> tuple[int | None, ...]:
    """Boundaries when the platform mends itself."""
    noticed = first(observations, *_SELF_NOTICED, since_us=begun_us, until_us=back_us)
    since = noticed.t_us if noticed else begun_us
    decided = first(observations, *_SELF_DECIDED, since_us=since, until_us=back_us)
    acted = [m.t_us for m in of_kind(observations, *_SELF_ACTED) if since <= m.t_us <= back_us]
    return (noticed.t_us if noticed else None, decided.t_us if decided else None, acted[-1] if acted else None)


def steps(observations: Observations, begun_us: int, back_us: int) -> list[dict[str, Any]]:
    """Steps of procedures begun before the recovery: who, seconds (until the recovery), and what they waited for."""
    started = {}
    found = []
    waits = {(m.subject, m.detail["step"]): m for m in of_kind(observations, "step_waiting")}
    for mark in of_kind(observations, "step_started", "step_finished"):
        key = (mark.subject, mark.detail["step"])
        if mark.kind == "step_started":
            started[key] = mark
        elif key in started and begun_us <= started[key].t_us <= back_us:
            begun = started.pop(key)
            row = {
                "procedure": mark.subject,
                "step": str(mark.detail["step"]),
                "actor": str(mark.detail["actor"]),
                "seconds": (min(mark.t_us, back_us) - begun.t_us) / 1e6,
            }
            if key in waits and waits[key].t_us <= begun.t_us:
                row["waited_seconds"] = (begun.t_us - waits[key].t_us) / 1e6
                row["waited_for"] = waits[key].detail["for"]
            found.append(row)
    return found
