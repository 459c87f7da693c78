"""Records that do not add up: requests without an end, times out of order, faults that never landed or never went."""

from dataclasses import replace

import numpy as np

from tests.records import FAULT_S, NEW, Run, us
from tests.unit.validators.plants import bad, fine, weak

FLOW, TIMES = "integrity.flow", "integrity.order_of_times"
LANDED, GONE, LEFT = "integrity.fault_landed", "integrity.fault_gone", "integrity.nothing_left"


def swapped(run: Run, one_s: float, other_s: float) -> Run:
    """Have two writes change places in the log."""
    rows = run.found[NEW]
    a, b = (int(np.flatnonzero(rows[:, 0] == run.key_at(t))[0]) for t in (one_s, other_s))
    rows[[a, b], 2] = rows[[b, a], 2]
    return run


def answered(run: Run, key: int, t_s: float) -> Run:
    """Have a write be acknowledged at another time."""
    run.done[run.done[:, 0] == key, 1] = us(t_s)
    return run


VIOLATIONS = (
    bad(FLOW, "more requests end than were sent",
        lambda r: r.loaded("edge", 100, 101, lambda s: replace(s, ok=s.ok + 1))),
    bad(FLOW, "more requests are sent than intended",
        lambda r: r.loaded("edge", 100, 101, lambda s: replace(s, sent=s.sent + 1, ok=s.ok + 1))),
    bad(FLOW, "a write has no end", lambda r: _endless(r)),
    bad(FLOW, "every request of the outage has no end",
        lambda r: r.loaded("edge", 181, 386, lambda s: replace(s, failed=0))),
    bad(FLOW, "a count is negative",
        lambda r: r.loaded("edge", 100, 101, lambda s: replace(s, ok=s.ok + 5, failed=-5))),
    bad(TIMES, "a probe is answered before it is sent", lambda r: _probe(r, "done", -1_000)),
    bad(TIMES, "a probe is sent before it is due", lambda r: _probe(r, "sent", -1_000)),
    bad(TIMES, "a write is acknowledged before it is sent", lambda r: answered(r, r.key_at(60), 59)),
    bad(TIMES, "a write is acknowledged that nobody sent", lambda r: _unsent(r)),
    bad(TIMES, "two writes stand in the log in the wrong order", lambda r: swapped(r, 60, 61)),
    bad(TIMES, "a write after the failover stands before one from before the fault", lambda r: swapped(r, 60, 500)),
    bad(TIMES, "the effect is seen before the injection", lambda r: r.move("effect_seen", FAULT_S - 1)),
    bad(TIMES, "the fault is lifted before the injection", lambda r: r.move("lifted", FAULT_S - 1)),
    bad(TIMES, "the fault is gone before it is lifted", lambda r: r.move("fault_gone", FAULT_S + 1)),
    bad(TIMES, "a fact is seen before it happens", lambda r: _foreseen(r)),
    bad(GONE, "the fault is not lifted", lambda r: r.without("lifted", "fault_gone")),
    bad(LEFT, "a pod is left behind", lambda r: r.mark(725, "left_behind", "us-west-2/risk/9", what="a pod")),
    bad(LEFT, "a pod is left behind by an interrupted run",
        lambda r: r.mark(725, "left_behind", "us-west-2/risk/9", what="a pod").says(termination="interrupted")),
)  # fmt: skip


def _endless(run: Run) -> None:
    run.done = run.done[run.done[:, 0] != run.key_at(60)]


def _probe(run: Run, what: str, by_us: int) -> None:
    probes = run.of("risk")[0]
    getattr(probes, what)[100] = (probes.sent if what == "done" else probes.intended)[100] + by_us


def _unsent(run: Run) -> None:
    run.sent = run.sent[run.sent[:, 1] != run.key_at(60)]


def _foreseen(run: Run) -> None:
    run.marks = [replace(m, source_t_us=m.t_us + us(1)) if m.kind == "promoted" else m for m in run.marks]


WEAK = (
    weak(FLOW, "nothing was counted", lambda r: r.loaded("edge", 0, 1e6, lambda s: None)),
    weak(FLOW, "a minute was not counted", lambda r: r.loaded("edge", 60, 120, lambda s: None)),
    weak(FLOW, "the run was interrupted", lambda r: r.says(termination="interrupted")),
    weak(TIMES, "there is nothing to compare", lambda r: _nothing(r)),
    weak(LANDED, "the fault was never seen to land", lambda r: r.without("effect_seen")),
    weak(LANDED, "the fault was never injected", lambda r: r.without("injection_begun", "effect_seen")),
    weak(LANDED, "the fault was injected when the run was over",
        lambda r: r.move("injection_begun", 721).move("effect_seen", 722)),
    weak(GONE, "the fault was not seen to be gone", lambda r: r.without("fault_gone")),
    weak(GONE, "the run was interrupted before the lift",
        lambda r: r.without("lifted", "fault_gone").says(termination="interrupted")),
    weak(GONE, "the fault was never injected",
        lambda r: r.without("injection_begun", "effect_seen", "lifted", "fault_gone")),
    weak(LEFT, "the run was interrupted", lambda r: r.says(termination="interrupted")),
)  # fmt: skip


def _nothing(run: Run) -> None:
    run.marks, run.probes, run.sent, run.done, run.found = [], [], run.sent[:0], run.done[:0], {}


HARMLESS = (
    fine(FLOW, "requests end in the second after they were sent", lambda r: _delayed(r)),
    fine(FLOW, "the last second's requests are in flight", lambda r: _in_flight(r)),
    fine(FLOW, "the generator sent less than it should", lambda r: r.loaded(
        "edge", 100, 101, lambda s: replace(s, intended=s.intended + 1))),
    fine(TIMES, "everything is in order", lambda r: r),
    fine(TIMES, "two writes in flight at once change places", lambda r: swapped(
        answered(answered(r, r.key_at(60), 60.2), r.key_at(60.05), 60.2), 60, 60.05)),
    fine(TIMES, "a fact is seen after it happened", lambda r: _seen_late(r)),
    fine(TIMES, "the effect is seen with the injection", lambda r: r.move("effect_seen", FAULT_S)),
    fine(LANDED, "the fault landed", lambda r: r),
    fine(LANDED, "no fault was planned", lambda r: planless(r)),
    fine(GONE, "the fault is lifted in the clean-up", lambda r: r),
    fine(GONE, "a fault that happens at an instant needs no lift", lambda r: _at_once(r)),
    fine(LEFT, "nothing is left", lambda r: r),
)  # fmt: skip


def _delayed(run: Run) -> None:
    run.done[(run.done[:, 1] >= us(100)) & (run.done[:, 1] < us(101)), 1] += us(1)
    run.counted()


def _in_flight(run: Run) -> None:
    run.done = run.done[run.done[:, 1] < us(719)]
    run.counted()


def _seen_late(run: Run) -> None:
    run.marks = [replace(m, source_t_us=m.t_us - us(1)) if m.kind == "promoted" else m for m in run.marks]


def planless(run: Run) -> None:
    run.head["scenario"]["timeline"] = []
    run.without("injection_begun", "effect_seen", "lifted", "fault_gone")


def _at_once(run: Run) -> None:
    run.head["scenario"]["timeline"][0]["until"] = None
    run.without("lifted", "fault_gone")
