"""Acknowledged writes that are gone, copies that are old, and readbacks that prove nothing. Transactions have 60 s."""

import numpy as np
from numpy.typing import NDArray

from tests.records import ACKED, EFFECT_S, FAILED, FAULT_S, NEW, OLD, UNKNOWN, WEST, Run, us
from tests.unit.validators.plants import bad, fine, weak
from tests.unit.validators.plants.recovery import undone

TRANSACTIONS, LOGS = "rpo.transactions", "rpo.logs"
COPY, SOURCE = (f"{WEST}/logs", "recovery_point_us"), ("source/logs", "last_write_us")


def unread(run: Run, *timelines: str) -> Run:
    """Have a timeline not be read to its end."""
    for timeline in timelines:
        run.without("readback_done", subject=timeline)
    return run


def absent(run: Run, from_s: float, to_s: float) -> Run:
    """Have writes be asked for one by one, and not be found."""
    mine = run.sent[(run.sent[:, 2] >= us(from_s)) & (run.sent[:, 2] < us(to_s)), 1]
    run.lose(from_s, to_s)
    rows = np.column_stack([mine, np.zeros_like(mine), np.full_like(mine, np.iinfo(np.int64).min)])
    run.found[NEW] = np.concatenate([run.found[NEW], rows])
    return run


def writes(run: Run, keep: slice | NDArray[np.bool_]) -> Run:
    """Have only some writes."""
    run.sent = run.sent[keep]
    run.done = run.done[np.isin(run.done[:, 0], run.sent[:, 1])]
    for timeline, rows in run.found.items():
        run.found[timeline] = rows[np.isin(rows[:, 0], run.sent[:, 1])]
    return run


def nothing_lost(run: Run) -> Run:
    """Have everything acknowledged be found."""
    gone = run.sent[(run.sent[:, 2] >= us(179.3)) & (run.sent[:, 2] < us(EFFECT_S)), 1]
    return run.find(gone.tolist())


def copied(run: Run, behind_s: float) -> Run:
    """Have the copy of the logs be older."""
    return run.resampled(*COPY, lambda t, v: (t, v - us(behind_s)))


VIOLATIONS = (
    bad(TRANSACTIONS, "loses the last 70 s", lambda r: r.lose(110, EFFECT_S)),
    bad(TRANSACTIONS, "loses everything but the first write", lambda r: r.lose(0.05)),
    bad(TRANSACTIONS, "loses one write of two minutes ago", lambda r: r.forget([r.key_at(60)])),
    bad(TRANSACTIONS, "loses a write acknowledged after the failover", lambda r: r.forget([r.key_at(450)])),
    bad(TRANSACTIONS, "loses 70 s and most was not read back", lambda r: unread(absent(r, 110, EFFECT_S), NEW)),
    bad(TRANSACTIONS, "loses 70 s and the clock jumped",
        lambda r: r.lose(110, EFFECT_S).mark(300, "clock_step", "client", step_us=us(5))),
    bad(TRANSACTIONS, "loses 70 s and the run was interrupted",
        lambda r: r.lose(110, EFFECT_S).says(termination="interrupted")),
    bad(TRANSACTIONS, "keeps the lost writes on the old timeline only", lambda r: r.lose(110, EFFECT_S)),
    bad(TRANSACTIONS, "loses a write that was acknowledged at a retry", lambda r: _retried(r, found=False)),
    bad(TRANSACTIONS, "loses a write without any fault", lambda r: _faultless(r)),
    bad(LOGS, "copy is 320 s older than the last write", lambda r: copied(r, 261)),
    bad(LOGS, "copy stopped long before the fault", lambda r: r.resampled(*COPY, lambda t, v: (t, v * 0 - us(200)))),
    bad(LOGS, "copy was too old for one sample", lambda r: r.resampled(
        *COPY, lambda t, v: (t, np.where(t == us(100), -us(250), v)))),
)  # fmt: skip


def _retried(run: Run, *, found: bool) -> Run:
    """Have a write time out, be retried under its key, and be acknowledged."""
    key = run.key_at(60)
    run.done = np.concatenate([run.done, [[key, us(60.3), UNKNOWN], [key, us(61), ACKED]]])
    return run if found else run.forget([key])


def _faultless(run: Run) -> Run:
    run.head["scenario"]["timeline"] = []
    run.without("injection_begun", "effect_seen", "lifted", "fault_gone")
    return run.forget([run.key_at(60)])


WEAK = (
    weak(TRANSACTIONS, "the new timeline was not read back", lambda r: unread(r, NEW)),
    weak(TRANSACTIONS, "part of the new timeline was not read back",
        lambda r: unread(nothing_lost(r), NEW).forget([r.key_at(500)])),
    weak(TRANSACTIONS, "which timeline survived is not known", lambda r: r.says(surviving_timeline=None)),
    weak(TRANSACTIONS, "the database is down still at the end", lambda r: nothing_lost(r).outage("database", 640, 1e6)),
    weak(TRANSACTIONS, "only the old timeline was read back", lambda r: unread(_only(r, OLD), NEW)),
    weak(TRANSACTIONS, "no write was acknowledged", lambda r: writes(r, slice(0, 0))),
    weak(TRANSACTIONS, "one write in 10 s before the fault", lambda r: writes(r, slice(None, None, 200))),
    weak(TRANSACTIONS, "no write in the 10 s before the fault",
        lambda r: writes(r, (r.sent[:, 2] < us(170)) | (r.sent[:, 2] >= us(FAULT_S)))),
    weak(TRANSACTIONS, "even the first write is lost",
        lambda r: writes(r, r.sent[:, 2] >= us(150)).lose(150, EFFECT_S)),
    weak(TRANSACTIONS, "the clock jumped", lambda r: r.mark(300, "clock_step", "client", step_us=us(5))),
    weak(TRANSACTIONS, "the run was interrupted", lambda r: nothing_lost(r).says(termination="interrupted")),
    weak(TRANSACTIONS, "the limit lies between two acknowledgements",
        lambda r: r.lose(120.15, EFFECT_S).limit(TRANSACTIONS, limit_us=us(60.02))),
    weak(TRANSACTIONS, "the fault was planned and never injected", undone),
    weak(LOGS, "the fault was planned and never injected", undone),
    weak(LOGS, "the copy was not sampled", lambda r: r.samples.pop(COPY)),
    weak(LOGS, "the copy was only sampled in its own region", lambda r: _at_home(r)),
    weak(LOGS, "the copy is ahead of the clock", lambda r: r.resampled(*COPY, lambda t, v: (t, v + us(10_000)))),
    weak(LOGS, "the source was written in the future",
        lambda r: r.resampled(*SOURCE, lambda t, v: (t, v + us(10_000)))),
    weak(LOGS, "the source was not sampled", lambda r: r.samples.pop(SOURCE)),
    weak(LOGS, "the source was sampled once", lambda r: r.resampled(*SOURCE, lambda t, v: (t[:1], v[:1]))),
    weak(LOGS, "the source was not sampled in the two minutes before the fault", lambda r: r.resampled(
        *SOURCE, lambda t, v: (t[t < us(60)], v[t < us(60)]))),
    weak(LOGS, "the source was hardly written", lambda r: r.resampled(*SOURCE, lambda t, v: (t, v * 0))),
    weak(LOGS, "the copy was not sampled around the fault", lambda r: r.resampled(
        *COPY, lambda t, v: (t[abs(t - us(180)) > us(40)], v[abs(t - us(180)) > us(40)]))),
    weak(LOGS, "the copy was sampled every 60 s", lambda r: r.resampled(*COPY, lambda t, v: (t[::60], v[::60]))),
    weak(LOGS, "the source is written every minute", lambda r: _declared(r, us(60))),
    weak(LOGS, "the clock jumped", lambda r: r.mark(300, "clock_step", "client", step_us=us(5))),
    weak(LOGS, "the run was interrupted", lambda r: r.says(termination="interrupted")),
)  # fmt: skip


def _only(run: Run, timeline: str) -> Run:
    run.found = {timeline: run.found[timeline]}
    return run


def _at_home(run: Run) -> Run:
    run.samples["us-east-1/logs", "recovery_point_us"] = run.samples.pop(COPY)
    return run


def _declared(run: Run, spacing_us: int) -> Run:
    run.head["topology"]["database"]["copies"]["logs"]["write_spacing_us"] = spacing_us
    return run


HARMLESS = (
    fine(TRANSACTIONS, "loses less than a second", lambda r: r),
    fine(TRANSACTIONS, "loses nothing", nothing_lost),
    fine(TRANSACTIONS, "loses 59 s", lambda r: r.lose(121.2, EFFECT_S)),
    fine(TRANSACTIONS, "timed-out writes are absent", nothing_lost),
    fine(TRANSACTIONS, "a timed-out write of two minutes ago is absent",
        lambda r: nothing_lost(r).ended(r.key_at(60), UNKNOWN).forget([r.key_at(60)])),
    fine(TRANSACTIONS, "a timed-out write was recovered", lambda r: nothing_lost(r).ended(r.key_at(60), UNKNOWN)),
    fine(TRANSACTIONS, "a failed write is absent",
        lambda r: nothing_lost(r).ended(r.key_at(60), FAILED).forget([r.key_at(60)])),
    fine(TRANSACTIONS, "a write was acknowledged at a retry", lambda r: _retried(r, found=True)),
    fine(TRANSACTIONS, "the old timeline was not read back", lambda r: unread(_only(r, NEW), OLD)),
    fine(TRANSACTIONS, "the run began 30 s before the fault",
        lambda r: writes(r, r.sent[:, 2] >= us(150)).move("load_started", 150).counted()),
    fine(TRANSACTIONS, "writes are in any order", lambda r: _shuffled(r)),
    fine(LOGS, "copy is at most 60 s old", lambda r: r),
    fine(LOGS, "copy is 290 s old", lambda r: copied(r, 230)),
    fine(LOGS, "copy does not move once the source is dead", lambda r: copied(r, 100)),
    fine(LOGS, "the source could not be sampled once its region was lost", lambda r: r.resampled(
        *SOURCE, lambda t, v: (t[t < us(180)], v[t < us(180)]))),
)  # fmt: skip


def _shuffled(run: Run) -> Run:
    random = np.random.default_rng(5)
    run.sent, run.done = random.permutation(run.sent), random.permutation(run.done)
    run.found = {timeline: random.permutation(rows) for timeline, rows in run.found.items()}
    return run
