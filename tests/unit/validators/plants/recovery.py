"""Recoveries that are late, only look like one, or that nobody saw. Risk has 300 s from the fault at 180 s."""

from dataclasses import replace

import numpy as np

from tests.records import EAST, EFFECT_S, FAULT_S, NO, WEST, YES, Run, us
from tests.unit.validators.plants import bad, fine, weak

RISK, COMPLETE = "rto.risk", "rto.complete"


def flapping(run: Run, period_s: float, until_s: float, service: str = "risk", first_s: float = 380) -> Run:
    """Have a service bad in every other period."""
    for from_s in np.arange(first_s, until_s, 2 * period_s):
        run.outage(service, float(from_s), float(from_s) + period_s)
    return run


def aged(run: Run, until_s: float, age_s: float) -> Run:
    """Have risk answer from old data."""
    run.well("risk", EFFECT_S, until_s)
    for probes in run.of("risk"):
        rows = probes.inside(EFFECT_S, until_s)
        probes.as_of[rows] = probes.done[rows] - us(age_s)
    return run


def slow(run: Run, until_s: float, takes_s: float) -> Run:
    """Have risk answer well and later than its probe waits."""
    run.well("risk", EFFECT_S, until_s)
    for probes in run.of("risk"):
        rows = probes.inside(EFFECT_S, until_s)
        probes.done[rows] = probes.sent[rows] + us(takes_s)
    return run


def again(run: Run, t_s: float, back_s: float, landed: bool = True, kind: str = "crash-loop") -> Run:
    """Have a second fault hit risk once all is well."""
    entry = {**run.head["scenario"]["timeline"][0], "fault": kind, "target": {"region": EAST, "service": "risk"}}
    run.head["scenario"]["timeline"].append(entry)
    name = f"{kind}:1"
    run.mark(t_s, "injection_begun", name, fault=kind, target=[f"{EAST}/risk"])
    if landed:
        run.mark(t_s + 0.1, "effect_seen", name, fault=kind)
    run.mark(run.end_s + 2, "lifted", name, fault=kind, by="clean-up")
    run.mark(run.end_s + 3, "fault_gone", name, fault=kind)
    return run.outage("risk", t_s + 0.1, back_s)


def behind_the_database(run: Run, t_s: float, back_s: float) -> Run:
    """Have a fault of the database's own take risk with it, later."""
    again(run, t_s, 0, kind="database-failure")
    run.head["scenario"]["timeline"][-1]["target"] = {"region": EAST}
    return run.outage("database", t_s + 0.1, back_s - 1).outage("risk", t_s + 20, back_s)


def database_first(run: Run) -> Run:
    """Have the first fault be the database's own."""
    run.head["scenario"]["timeline"][0]["fault"] = "database-failure"
    run.marks = [
        replace(m, subject="database-failure:0", detail={**m.detail, "fault": "database-failure"})
        if m.subject == "region-loss:0" else m
        for m in run.marks
    ]  # fmt: skip
    return run


def doubled(run: Run, times: int) -> Run:
    """Have each right answer of risk be on record more than once."""
    for probes in run.of("risk"):
        probes.keep(np.repeat(np.arange(len(probes.intended)), np.where(probes.right == YES, times, 1)))
    return run


def complete_in(run: Run, limit_s: float) -> Run:
    """Have the complete system's limit within reach of a short run."""
    return run.limit(COMPLETE, limit_us=us(limit_s))


def by_turns(run: Run) -> Run:
    """Have each of two services good at times, and never both."""
    flapping(run, 10, 500, "risk", 390)
    return flapping(run, 10, 500, "tactical", 400)


def undone(run: Run) -> Run:
    """Have a fault on the timeline and never inject it; nothing is bad."""
    for service in ("strategic", "tactical", "risk", "database", "order"):
        run.well(service)
    return run.without("injection_begun", "effect_seen", "lifted", "fault_gone")


VIOLATIONS = (
    bad(RISK, "recovers 320 s after the fault", lambda r: r.recovers("risk", 500)),
    bad(RISK, "recovers two probes after the limit", lambda r: r.recovers("risk", 480.35)),
    bad(RISK, "answers and fails in turns of 10 s", lambda r: flapping(r, 10, 500)),
    bad(RISK, "answers every other probe", lambda r: flapping(r, 0.05, 500)),
    bad(RISK, "answers 98 of 100 probes", lambda r: r.miss("risk", *np.arange(380, 500, 2.5).tolist())),
    bad(RISK, "relapses when the limit has passed", lambda r: r.outage("risk", 482, 490)),
    bad(RISK, "relapses near the end and recovers too late", lambda r: r.outage("risk", 590, 595)),
    bad(RISK, "never recovers", lambda r: r.recovers("risk", 1e6)),
    bad(RISK, "answers with errors until late", lambda r: r.outage("risk", EFFECT_S, 500, NO)),
    bad(RISK, "answers from data older than it may", lambda r: aged(r, 500, 61)),
    bad(RISK, "answers after its probe has given up", lambda r: slow(r, 500, 1.001)),
    bad(RISK, "answers directly long before it does over DNS", lambda r: _direct_only(r)),
    bad(RISK, "counts from detection instead of the fault", lambda r: r.recovers("risk", 490)),
    bad(RISK, "recovers late from the second of two faults", lambda r: again(r, 520, 1e6).ends(719) and again_late(r)),
    bad(RISK, "recovers late once and is down again at the end", lambda r: again(r.recovers("risk", 500), 700, 1e6)),
    bad(RISK, "recovers late; a later fault was never seen to land",
        lambda r: again(r.recovers("risk", 500), 650, 0, landed=False)),
    bad(RISK, "is still down when the run is interrupted, after the limit",
        lambda r: r.recovers("risk", 1e6).says(termination="interrupted")),
    bad(RISK, "right answers are on record a hundred times each", lambda r: doubled(
        r.miss("risk", *np.arange(380, 500, 2.5).tolist()), 100)),
    bad(RISK, "fails without a fault on it", lambda r: _unplanned(r)),
    bad(RISK, "was bad three minutes before the fault and recovers late",
        lambda r: r.limit(RISK, limit_us=us(195)).outage("risk", 20, 30)),
    bad(RISK, "was down for long behind the database, and hardly by a later fault of its own",
        lambda r: again(database_first(r).limit(RISK, limit_us=us(190)), 520, 520.5)),
    bad(RISK, "was down for long before any fault", lambda r: r.limit(RISK, limit_us=us(28)).recovers(
        "risk", 200).outage("risk", 20, 50)),
    bad(COMPLETE, "one service is down at the end, another is good for too short",
        lambda r: complete_in(r, 300).recovers("risk", 1e6).outage("tactical", 640, 650)),
    bad(COMPLETE, "every service but the order path is back", lambda r: complete_in(r.recovers("order", 500), 300)),
    bad(COMPLETE, "no test page is delivered", lambda r: complete_in(r.outage("page", 180, 1e6), 300)),
    bad(COMPLETE, "two services are good by turns, never together", lambda r: by_turns(complete_in(r, 300))),
    bad(COMPLETE, "one service relapses after the others are back",
        lambda r: complete_in(r, 300).outage("tactical", 500, 510)),
)  # fmt: skip


def _direct_only(run: Run) -> Run:
    run.recovers("risk", 250).over("direct", "risk", WEST)
    return run.recovers("risk", 500)


def _unplanned(run: Run) -> Run:
    run.head["scenario"]["timeline"] = []
    undone(run)
    return run.outage("risk", 200, 520)


def again_late(run: Run) -> Run:
    """Have the second fault's limit pass before the end."""
    return run.limit(RISK, limit_us=us(195)).recovers("risk", 360).outage("risk", 520.1, 1e6)


WEAK = (
    weak(RISK, "was not probed", lambda r: r.unprobed("risk")),
    weak(RISK, "was only probed directly", lambda r: r.over("direct", "risk", WEST).unprobed("risk")),
    weak(RISK, "was not probed around its recovery", lambda r: r.unprobed("risk", 379, 381)),
    weak(RISK, "was not probed for a while after its recovery", lambda r: r.unprobed("risk", 500, 510)),
    weak(RISK, "was not probed any more at the end", lambda r: r.unprobed("risk", 650)),
    weak(RISK, "was not probed before the fault", lambda r: r.unprobed("risk", 0, 180)),
    weak(RISK, "was not probed for 10 s in the two minutes before the fault", lambda r: r.unprobed("risk", 100, 110)),
    weak(RISK, "every other probe was not sent", lambda r: r.unsent("risk", 382, 500, every=2)),
    weak(RISK, "probes were sent 8 s late around its recovery",
        lambda r: r.recovers("risk", 485).late("risk", 479, 485, 8)),
    weak(RISK, "answers do not tell the age of their data", lambda r: _ageless(r)),
    weak(RISK, "answers come from data of the future", lambda r: aged(r, 500, -1)),
    weak(RISK, "the limit lies between when its first right probe was due and when it was sent",
        lambda r: r.limit(RISK, limit_us=us(199.7)).late("risk", 180, 386, 0.45)),
    weak(RISK, "the limit lies between when its first wrong probe was due and when it was sent",
        lambda r: r.without("effect_seen").limit(RISK, limit_us=us(199.8)).late("risk", 180, 200, 0.45)),
    weak(RISK, "the observer was blind at its recovery", lambda r: r.mark(
        390, "observer_gap", "prober", what="probes", from_us=us(370), to_us=us(390))),
    weak(RISK, "the probers were away at its recovery", lambda r: r.mark(
        390, "observer_gap", "probers", what="probers", from_us=us(370), to_us=us(390))),
    weak(RISK, "the clock jumped by 5 s", lambda r: r.mark(300, "clock_step", "prober", step_us=us(5))),
    weak(RISK, "the clock jumped back in a late recovery",
        lambda r: r.recovers("risk", 500).mark(300, "clock_step", "prober", step_us=-us(30))),
    weak(RISK, "clocks differ by more than what is missing to the limit",
        lambda r: r.recovers("risk", 475).says(clock={"bound_us": us(10)})),
    weak(RISK, "the limit lies between injection and effect", lambda r: _vague(r)),
    weak(RISK, "the fault was never seen to land", lambda r: r.without("effect_seen").well("risk")),
    weak(RISK, "probes came every 40 s", lambda r: r.thinned("risk", 800)),
    weak(RISK, "the limit is finer than the probes", lambda r: r.limit(RISK, limit_us=us(0.3))),
    weak(RISK, "the run ended 70 s after its recovery", lambda r: r.ends(450)),
    weak(RISK, "the run ended 70 s after a recovery that was late", lambda r: r.recovers("risk", 500).ends(570)),
    weak(RISK, "relapses late and the run ended soon after", lambda r: r.outage("risk", 640, 650)),
    weak(RISK, "is back late when the run is interrupted soon after",
        lambda r: r.recovers("risk", 500).ends(570).says(termination="interrupted")),
    weak(RISK, "the run ended before the limit, still down", lambda r: r.recovers("risk", 1e6).ends(400)),
    weak(RISK, "the fault was lifted in the clean-up before the recovery", lambda r: r.lifted_by("clean-up", 350)),
    weak(RISK, "the fault lifted itself before the recovery", lambda r: r.lifted_by("self", 350)),
    weak(RISK, "was bad before the fault", lambda r: r.outage("risk", 176, EFFECT_S)),
    weak(RISK, "was bad for 10 s a minute before the fault", lambda r: r.outage("risk", 110, 120)),
    weak(RISK, "recovers late and was bad a minute before the fault",
        lambda r: r.recovers("risk", 500).outage("risk", 110, 120)),
    weak(COMPLETE, "an order failed a minute before the fault",
        lambda r: complete_in(r.outage("order", 110, 111), 300)),
    weak(RISK, "the run ended before twice the TTL had passed", lambda r: _slow_names(r)),
    weak(RISK, "the fault was planned and never injected", undone),
    weak(RISK, "the run is said to have ended later than its probes", lambda r: r.says(duration_us=us(900))),
    weak(RISK, "the run was interrupted", lambda r: r.says(termination="interrupted")),
    weak(RISK, "the run was aborted", lambda r: r.says(termination="aborted")),
    weak(RISK, "the run has no end", lambda r: r.says(termination="open")),
    weak(RISK, "the recovery from the second fault was not probed",
        lambda r: again(r.unprobed("risk", 529, 532), 520, 530)),
    weak(RISK, "the second fault was never seen to land", lambda r: again(r, 520, 0, landed=False)),
    weak(RISK, "was bad from the first probe on, without a fault", lambda r: _from_the_start(r)),
    weak(COMPLETE, "orders were not probed", lambda r: r.unprobed("order")),
    weak(COMPLETE, "pages were not tested", lambda r: r.unprobed("page")),
    weak(COMPLETE, "orders were not probed around their recovery", lambda r: r.unprobed("order", 384, 390)),
    weak(COMPLETE, "the run ended inside the sustain window of the last service",
        lambda r: r.outage("tactical", 640, 650)),
    weak(COMPLETE, "the run ended inside the sustain window of the last service, long after the limit",
        lambda r: complete_in(r, 100).outage("tactical", 640, 650)),
)  # fmt: skip


def _slow_names(run: Run) -> Run:
    run.head["topology"]["dns"]["ttl_us"] = us(200)
    return run


def _ageless(run: Run) -> Run:
    for probes in run.of("risk"):
        probes.as_of[:] = np.iinfo(np.int64).min
    return run


def _vague(run: Run) -> Run:
    run.move("effect_seen", 200).recovers("risk", 490)
    return run.well("risk", EFFECT_S, 200)


def _from_the_start(run: Run) -> Run:
    run.head["scenario"]["timeline"] = []
    undone(run)
    return run.outage("risk", 0, 100)


HARMLESS = (
    fine(RISK, "answers are dated ahead by less than the clocks may differ",
        lambda r: aged(r.says(clock={"bound_us": 500_000}), 380, -0.3).outage("risk", EFFECT_S, 380)),
    fine(RISK, "recovers in time", lambda r: r),
    fine(RISK, "recovers exactly at the limit", lambda r: r.recovers("risk", FAULT_S + 300)),
    fine(RISK, "misses one probe in a hundred",
        lambda r: r.miss("risk", *np.arange(2, 178, 5.0), *np.arange(382, 715, 5.0))),
    fine(RISK, "was bad long before the fault", lambda r: r.outage("risk", 20, 30)),
    fine(RISK, "is never bad", lambda r: r.well("risk")),
    fine(RISK, "relapses within the limit", lambda r: r.outage("risk", 400, 410)),
    fine(RISK, "was not probed for a while inside its outage", lambda r: r.unprobed("risk", 220, 300)),
    fine(RISK, "one probe was not sent", lambda r: r.unsent("risk", 500, 500.05)),
    fine(RISK, "a hundredth of the probes was not sent", lambda r: r.unsent("risk", 382, 720, every=100)),
    fine(RISK, "the fault was lifted by the procedure", lambda r: r.lifted_by("procedure", 350)),
    fine(RISK, "the landed-probe saw nothing and users did", lambda r: r.without("effect_seen")),
    fine(RISK, "stale clients are still at the dead region", lambda r: _stale(r)),
    fine(RISK, "the dead region does not answer directly", lambda r: _dead(r)),
    fine(RISK, "the clock jumped by less than its bound",
        lambda r: r.says(clock={"bound_us": 5_000}).mark(300, "clock_step", "prober", step_us=4_000)),
    fine(RISK, "the clock jumped long before the fault", lambda r: r.mark(60, "clock_step", "prober", step_us=us(5))),
    fine(RISK, "nobody declared an incident", lambda r: r.without("declared", "decided", "procedure_started")),
    fine(RISK, "recovers in time from two faults", lambda r: again(r, 520, 560)),
    fine(RISK, "recovers in time from its own fault, and from the database's long after it",
        lambda r: behind_the_database(r.limit(RISK, limit_us=us(205)), 520, 570)),
    fine(RISK, "answers from data as old as it may be", lambda r: aged(r, 500, 60)),
    fine(RISK, "probes were sent a little late", lambda r: r.late("risk", 370, 390, 0.1)),
    fine(RISK, "is answered by two probers", lambda r: _two_probers(r)),
    fine(RISK, "every probe is on record twice", lambda r: doubled(r, 2)),
    fine(COMPLETE, "everything is back together", lambda r: complete_in(r, 300)),
    fine(COMPLETE, "redundancy takes longer than the limit",
        lambda r: complete_in(r, 300).move("standby_streaming", 600)),
)  # fmt: skip


def _stale(run: Run) -> Run:
    run.recovers("risk", 1e6).over("stale", "risk")
    return run.recovers("risk", 380)


def _dead(run: Run) -> Run:
    run.recovers("risk", 1e6).over("direct", "risk", EAST)
    return run.recovers("risk", 380)


def _two_probers(run: Run) -> Run:
    run.over("dns", "risk")
    run.probes[-1].client = "second user"
    return run
