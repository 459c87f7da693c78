"""Alerts that never came, came late, or came for nothing. StrategicAgentDown is due at 240 s, its page by 270 s."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tests.records import EAST, WEST, Run, us
from tests.unit.validators.plants import bad, fine, weak

DOWN, ERRORS = "alert.StrategicAgentDown", "alert.HighErrorRate"
READY = [(f"{region}/strategic", "replicas_ready") for region in (EAST, WEST)]
PLANNED = [(station, "replicas_planned") for station, _ in READY]
PAGES = ("page_sent", "page_received")
ALERT = ("alert_pending", "alert_firing", *PAGES, "alert_resolved")


def fires(run: Run, t_s: float, resolved_s: float | None, alert: str = "StrategicAgentDown", page: bool = True) -> Run:
    """Have an alert fire once more."""
    rule: dict[str, Any] = {"rules": "intended", "region": WEST}
    run.mark(t_s, "alert_firing", alert, **rule)
    if page:
        run.mark(t_s + 30, "page_sent", alert, alert=alert)
        run.mark(t_s + 33, "page_received", "L1", alert=alert, severity="P0")
    return run if resolved_s is None else run.mark(resolved_s, "alert_resolved", alert, **rule)


def silent(run: Run) -> Run:
    """Have it never fire; the rules as written do, so that alerts were observed."""
    for subject in ("StrategicAgentDown", "L1"):
        run.without(*ALERT, subject=subject)
    return run


def paged_for_another(run: Run) -> Run:
    """Have somebody be paged for another alert, so that pages were observed."""
    return run.mark(300, "page_received", "L1", alert="ReplicaDown", severity="P2")


def down(run: Run, from_s: float, to_s: float) -> Run:
    """Have strategic without a ready pod in an interval only."""
    run.resampled(*READY[0], lambda t, v: (t, np.where((t >= us(from_s)) & (t < us(to_s)), 0, 4)))
    return run.resampled(*READY[1], lambda t, v: (t, v * 0))


def unsampled(run: Run, from_s: float, to_s: float, subjects: Sequence[tuple[str, str]] = READY) -> Run:
    """Have the pods not be sampled for a while."""
    for what in subjects:
        t, v = run.samples[what]
        seen = (t < us(from_s)) | (t >= us(to_s))
        run.sample(*what, t[seen], v[seen])
    return run


def erring(run: Run, share: float, from_s: float, to_s: float) -> Run:
    """Have a share of strategic's answers be errors."""
    for service in ("strategic", "tactical", "risk", "database"):
        run.loaded(
            service, from_s, to_s, lambda s: replace(s, failed=round(s.ok * share), ok=s.ok - round(s.ok * share))
        )
    return run


VIOLATIONS = (
    bad(DOWN, "never fires", silent),
    bad(DOWN, "never fires for an outage of 80 s", lambda r: down(silent(r), 180, 260)),
    bad(DOWN, "fires 100 s after it was due", lambda r: fires(silent(r), 340, 400)),
    bad(DOWN, "fires in time and the page is sent late", lambda r: r.move("page_sent", 300).move("page_received", 303)),
    bad(DOWN, "fires in time and nobody is paged", lambda r: paged_for_another(r.without(*PAGES))),
    bad(DOWN, "fires in time and the page never arrives", lambda r: paged_for_another(r.without("page_received"))),
    bad(DOWN, "fires by the rule as written only", lambda r: r.move("alert_firing", 225, rules="written")),
    bad(DOWN, "fires on after the recovery", lambda r: r.without("alert_resolved").says(duration_us=us(1_200))),
    bad(DOWN, "fires although everything runs", lambda r: fires(r, 700, None)),
    bad(ERRORS, "never fires at 3 % errors", lambda r: erring(r, 0.03, 390, 720)),
    bad(ERRORS, "fires without errors", lambda r: fires(r, 600, 640, "HighErrorRate")),
)  # fmt: skip
WEAK = (
    weak(DOWN, "the run ended while it fired, before a page was due",
        lambda r: r.without(*PAGES).without("alert_resolved").ends(250)),
    weak(DOWN, "the pods were not sampled through the outage", lambda r: unsampled(r, 175, 400)),
    weak(DOWN, "the pods of the lost region were not sampled", lambda r: unsampled(r, 175, 1e6, READY[:1])),
    weak(DOWN, "the pods were not sampled at all, and it fired", lambda r: [r.samples.pop(w) for w in READY]),
    weak(DOWN, "the pods were not sampled at all, and it did not fire",
        lambda r: [silent(r).samples.pop(w) for w in READY]),
    weak(DOWN, "the pods of the region that was lost were never sampled", lambda r: r.samples.pop(READY[0])),
    weak(DOWN, "the pods of the region that takes over were never sampled", lambda r: r.samples.pop(READY[1])),
    weak(DOWN, "how many pods were planned was never sampled", lambda r: [silent(r).samples.pop(w) for w in PLANNED]),
    weak(DOWN, "nothing of any alert is on record", lambda r: r.without(*ALERT)),
    weak(DOWN, "nothing of any page is on record", lambda r: r.without(*PAGES)),
    weak(ERRORS, "a service's answers were not counted", lambda r: erring(r, 0.03, 390, 720).loaded(
        "risk", 0, 1e6, lambda s: None)),
    weak(DOWN, "it had fired before the fault", lambda r: down_before(r)),
    weak(DOWN, "it fired before the fault and never for it", lambda r: fires(silent(r), 30, 40)),
    weak(DOWN, "the observer did not see the alerts", lambda r: r.mark(
        390, "observer_gap", "observer", what="alerts", from_us=us(200), to_us=us(390))),
    weak(DOWN, "nothing watched the alerts for a time, and one that fired is lacking", lambda r: silent(r).mark(
        390, "observer_gap", "watchers", what="watchers", from_us=us(200), to_us=us(390))),
    weak(DOWN, "the observer did not see the samples", lambda r: r.mark(
        390, "observer_gap", "observer", what="samples", from_us=us(200), to_us=us(390))),
    weak(DOWN, "the clock jumped", lambda r: r.mark(200, "clock_step", "observer", step_us=us(5))),
    weak(DOWN, "the run was interrupted", lambda r: r.says(termination="interrupted")),
)  # fmt: skip


def down_before(run: Run) -> Run:
    """Have strategic down for a while before the fault, too, and the alert fire for it."""
    run.resampled(*READY[0], lambda t, v: (t, np.where((t >= us(20)) & (t < us(100)), 0, v)))
    return fires(run, 75, 110)


HARMLESS = (
    fine(DOWN, "fires and pages in time", lambda r: r),
    fine(DOWN, "is sent in time and the telephone rings later", lambda r: r.move("page_received", 320)),
    fine(DOWN, "fires by the rule as written, too", lambda r: r.mark(
        30, "alert_firing", "StrategicAgentDown", rules="written", region=WEST)),
    fine(DOWN, "fires in both regions", lambda r: r.mark(
        230, "alert_firing", "StrategicAgentDown", rules="intended", region=EAST)),
    fine(ERRORS, "fires at 3 % errors in time", lambda r: fires(erring(r, 0.03, 390, 720), 560, None, "HighErrorRate")),
)  # fmt: skip
