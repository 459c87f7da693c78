"""Answers to a page that are late, and changes that take longer than they declared."""

from typing import Any

from tests.records import Run, us
from tests.unit.validators.plants import bad, fine, weak
from tests.unit.validators.plants.account import planless
from tests.unit.validators.plants.recovery import undone

P0, DOWNTIME, ROLLBACK = "response.P0", "change.downtime", "change.rollback"
CHANGE = "roll-out"


def answered(run: Run, limit_s: float = 120, **seconds: float) -> Run:
    """Have people answer the page of 258 s: all within the limit unless told otherwise."""
    run.says(not_judged={}).limit(P0, limit_us=us(limit_s))
    at = {"acknowledged": 300.0, "engaged": 310.0, "notified": 320.0} | seconds
    run.mark(at["acknowledged"], "acknowledged", "L1", alert="StrategicAgentDown")
    run.mark(at["engaged"], "engaged", "L1", role="technical-lead")
    run.mark(at["notified"], "notified", "incident-commander", audience="stakeholders")
    return run


def changed(run: Run, bad_s: float = 60, lasts_s: float = 300, window_s: float = 1_800) -> Run:
    """Have a change at 200 s instead of a fault: risk is down for a while; declared are 5 min, 2 min and a window."""
    planless(undone(run))
    run.head["scenario"]["timeline"] = [{"at_us": us(200), "fault": None, "change": CHANGE, "until": None}]
    request = {"downtime_us": us(300), "rollback_us": us(120), "window_us": us(window_s)}
    run.head["procedures"] = {**run.head["procedures"], CHANGE: {"procedure": CHANGE, "change": request}}
    run.mark(200, "change_started", CHANGE, change=CHANGE)
    run.mark(200 + lasts_s, "change_finished", CHANGE, change=CHANGE, ok=True)
    return run.outage("risk", 210, 210 + bad_s)


def rolled_back(run: Run, from_s: float, to_s: float | None) -> Run:
    """Have the change be rolled back."""
    run.mark(from_s, "rollback_started", CHANGE, change=CHANGE)
    return run if to_s is None else run.mark(to_s, "rollback_finished", CHANGE, change=CHANGE)


def _blind(run: Run) -> Any:
    return run.unprobed("risk", 205, 215)


VIOLATIONS = (
    bad(P0, "the page is acknowledged late",
        lambda r: answered(r, acknowledged=400).mark(410, "escalated", "L1", to="L2")),
    bad(P0, "nobody acknowledges", lambda r: answered(r).without("acknowledged")),
    bad(P0, "somebody works on it late", lambda r: answered(r, engaged=400)),
    bad(P0, "stakeholders are told late", lambda r: answered(r, notified=384)),
    bad(P0, "stakeholders are never told", lambda r: answered(r).without("notified")),
    bad(P0, "stakeholders hear nothing new for too long", lambda r: answered(r.recovers("risk", 600), notified=300)),
    bad(P0, "stakeholders are told twice and then hear nothing new for too long",
        lambda r: answered(r.recovers("risk", 600), notified=300)
        .mark(320, "update_sent", "incident-commander", audience="stakeholders")),
    bad(DOWNTIME, "is down longer than declared", lambda r: changed(r, bad_s=320)),
    bad(DOWNTIME, "is down twice, together longer than declared",
        lambda r: changed(r, bad_s=200).outage("risk", 500, 620)),
    bad(DOWNTIME, "two services are down one after the other",
        lambda r: changed(r, bad_s=200).outage("tactical", 420, 540)),
    bad(DOWNTIME, "never comes back", lambda r: changed(r, bad_s=1e6)),
    bad(DOWNTIME, "takes longer than its window", lambda r: changed(r, lasts_s=300, window_s=240)),
    bad(ROLLBACK, "takes longer than declared", lambda r: rolled_back(changed(r), 300, 430)),
    bad(ROLLBACK, "is never done", lambda r: rolled_back(changed(r), 300, None)),
)  # fmt: skip

WEAK = (
    weak(P0, "the run ended before the limit", lambda r: answered(r, limit_s=900).without("acknowledged", "engaged")),
    weak(P0, "the clock jumped", lambda r: answered(r).mark(280, "clock_step", "observer", step_us=us(5))),
    weak(P0, "nobody noted what people did", lambda r: answered(r).without("acknowledged").mark(
        330, "observer_gap", "observer", what="people", from_us=us(290), to_us=us(330))),
    weak(P0, "the run was interrupted", lambda r: answered(r).says(termination="interrupted")),
    weak(DOWNTIME, "the change was never started",
        lambda r: changed(r, bad_s=0).without("change_started", "change_finished")),
    weak(DOWNTIME, "nothing was probed", lambda r: changed(r).unprobed()),
    weak(DOWNTIME, "risk was not probed", lambda r: changed(r).unprobed("risk")),
    weak(DOWNTIME, "risk was not probed when it went down", lambda r: _blind(changed(r))),
    weak(DOWNTIME, "the clock jumped", lambda r: changed(r).mark(230, "clock_step", "observer", step_us=us(5))),
    weak(DOWNTIME, "the run was interrupted", lambda r: changed(r).says(termination="interrupted")),
    weak(ROLLBACK, "the clock jumped",
        lambda r: rolled_back(changed(r), 300, 390).mark(350, "clock_step", "x", step_us=us(5))),
    weak(ROLLBACK, "the run was interrupted",
        lambda r: rolled_back(changed(r), 300, 390).says(termination="interrupted")),
)  # fmt: skip

HARMLESS = (
    fine(P0, "everybody answers in time", answered),
    fine(P0, "stakeholders are told again and again", lambda r: answered(r.recovers("risk", 600), notified=300)
        .mark(400, "update_sent", "incident-commander", audience="stakeholders")
        .mark(500, "update_sent", "incident-commander", audience="stakeholders")),
    fine(DOWNTIME, "is down for a minute", changed),
    fine(DOWNTIME, "takes nothing down", lambda r: changed(r, bad_s=0)),
    fine(DOWNTIME, "two services are down together", lambda r: changed(r, bad_s=200).outage("tactical", 210, 410)),
    fine(ROLLBACK, "takes a minute", lambda r: rolled_back(changed(r), 300, 360)),
)  # fmt: skip
