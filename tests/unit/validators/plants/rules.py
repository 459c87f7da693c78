"""House rules broken, and what hides it."""

import numpy as np

from tests.records import ACKED, EAST, FAILED, FAULT_S, NEW, OLD, PROMOTED_S, UNKNOWN, WEST, Run, us
from tests.unit.validators.plants import bad, fine, weak
from tests.unit.validators.plants.losses import unread

WRITER, DUPLICATE = "rule.single_writer", "rule.no_duplicate_order"
STOP, UNWRITTEN = "rule.no_order_after_stop", "rule.nothing_unwritten"
EAST_WRITES, WEST_WRITES = (f"{EAST}/database", "writable"), (f"{WEST}/database", "writable")
NOBODY = 10**9  # a key that nobody sent


def two_writers(run: Run, from_s: float, to_s: float, shift_s: float = 0) -> Run:
    """Have the old primary take writes again, sampled `shift_s` after the new one."""
    return run.resampled(
        *EAST_WRITES, lambda t, v: (t + us(shift_s), np.where((t >= us(from_s)) & (t < us(to_s)), 1, v))
    )


def overlapping(run: Run, from_s: float, to_s: float) -> Run:
    """Have the new primary take writes from an instant on, and the old one until another."""
    run.resampled(*WEST_WRITES, lambda t, v: (t, t >= us(from_s)))
    return run.resampled(*EAST_WRITES, lambda t, v: (t, t < us(to_s)))


def blind(run: Run, from_s: float, to_s: float) -> Run:
    """Have the observer not see which database takes writes."""
    return run.mark(to_s, "observer_gap", "observer", what="writable", from_us=us(from_s), to_us=us(to_s))


def written_to_old(run: Run, t_s: float) -> Run:
    """Have an order be acknowledged by the old primary after the promotion."""
    key = run.key_at(t_s)
    return run.ended(key, ACKED, t_s + 0.01).forget([key]).find([key], OLD)


def stopped(run: Run, from_s: float, until_s: float | None = None, *, obeyed: bool = True) -> Run:
    """Have trading be stopped; orders sent in between fail and are nowhere when it is obeyed."""
    run.mark(from_s, "trading_disabled", WEST)
    if until_s is not None:
        run.mark(until_s, "trading_enabled", WEST)
    if obeyed:
        end_s = until_s if until_s is not None else 1e6
        keys = run.sent[(run.sent[:, 2] >= us(from_s)) & (run.sent[:, 2] < us(end_s)), 1]
        run.done[np.isin(run.done[:, 0], keys), 2] = FAILED
        run.forget(keys.tolist())
    return run


def twice(run: Run, t_s: float) -> Run:
    """Have an order be sent again under a second key, and both be found."""
    row = run.sent[run.sent[:, 1] == run.key_at(t_s)][0]
    run.sent = np.concatenate([run.sent, [[row[0], NOBODY, row[2] + us(1)]]])
    run.done = np.concatenate([run.done, [[NOBODY, row[2] + us(1.01), ACKED]]])
    return run.find([NOBODY])


VIOLATIONS = (
    bad(WRITER, "two databases take writes for 10 s", lambda r: two_writers(r, 300, 310)),
    bad(WRITER, "two databases take writes in one sample", lambda r: two_writers(r, 300, 301)),
    bad(WRITER, "two databases take writes and are sampled in turns", lambda r: two_writers(r, 300, 310, 0.5)),
    bad(WRITER, "one goes on for two seconds after the other took over", lambda r: overlapping(r, 300, 302)),
    bad(WRITER, "two databases take writes for longer than clocks differ",
        lambda r: two_writers(r, 300, 310).says(clock={"bound_us": us(2)})),
    bad(WRITER, "an order is acknowledged on the old timeline after the promotion", lambda r: written_to_old(r, 300)),
    bad(WRITER, "two databases take writes and the observer was blind elsewhere",
        lambda r: blind(two_writers(r, 300, 310), 400, 500)),
    bad(DUPLICATE, "an order exists twice", lambda r: r.forget([r.key_at(60)]).find([r.key_at(60)], copies=2)),
    bad(DUPLICATE, "an order is in two rows", lambda r: r.find([r.key_at(60)])),
    bad(DUPLICATE, "an order was sent again under another key and exists twice", lambda r: twice(r, 60)),
    bad(DUPLICATE, "a timed-out order exists twice", lambda r: r.ended(r.key_at(60), UNKNOWN).find([r.key_at(60)])),
    bad(DUPLICATE, "an order exists twice and the clock jumped",
        lambda r: r.find([r.key_at(60)]).mark(300, "clock_step", "client", step_us=us(5))),
    bad(DUPLICATE, "an order exists twice and the run was interrupted",
        lambda r: r.find([r.key_at(60)]).says(termination="interrupted")),
    bad(DUPLICATE, "an order exists twice and not all was read", lambda r: unread(r.find([r.key_at(60)]), NEW)),
    bad(STOP, "orders go on after the stop", lambda r: stopped(r, 500, obeyed=False)),
    bad(STOP, "one order is acknowledged after the stop",
        lambda r: stopped(r, 500).ended(r.key_at(600), ACKED).find([r.key_at(600)])),
    bad(STOP, "an order times out after the stop and exists",
        lambda r: stopped(r, 500).ended(r.key_at(600), UNKNOWN).find([r.key_at(600)])),
    bad(STOP, "orders go on after the second stop", lambda r: stopped(stopped(r, 450, 500), 600, obeyed=False)),
    bad(STOP, "one order is acknowledged between stop and resumption",
        lambda r: stopped(r, 500, 600).ended(r.key_at(550), ACKED).find([r.key_at(550)])),
    bad(UNWRITTEN, "an order that nobody sent is on the new timeline", lambda r: r.find([NOBODY])),
    bad(UNWRITTEN, "an order that nobody sent is on the old timeline", lambda r: r.find([NOBODY], OLD)),
    bad(UNWRITTEN, "an order with a negative key that nobody sent", lambda r: r.find([-7])),
    bad(UNWRITTEN, "an order that nobody sent, and the new timeline was not read to its end",
        lambda r: unread(r.find([NOBODY]), NEW)),
)  # fmt: skip

WEAK = (
    weak(WRITER, "nobody recorded which database takes writes", lambda r: _unsampled(r)),
    weak(WRITER, "two databases take writes, as far as clocks that differ can tell",
        lambda r: overlapping(r, 300, 302).says(clock={"bound_us": us(2)})),
    weak(WRITER, "the observer was blind at the promotion", lambda r: blind(r, 280, 320)),
    weak(WRITER, "no database was sampled for a minute",
        lambda r: _gap(_gap(r, EAST_WRITES, 280, 340), WEST_WRITES, 280, 340)),
    weak(WRITER, "the old primary was not sampled any more and its timeline not read", lambda r: unread(
        _gap(_only_new(r), EAST_WRITES, 180, 1e6), OLD)),
    weak(WRITER, "when the new timeline began is not on record", lambda r: r.without("promoted")),
    weak(WRITER, "the run was interrupted", lambda r: r.says(termination="interrupted")),
    weak(DUPLICATE, "the new timeline was not read back", lambda r: unread(r, NEW)),
    weak(DUPLICATE, "which timeline survived is not known", lambda r: r.says(surviving_timeline=None)),
    weak(DUPLICATE, "nothing was found", lambda r: r.forget(r.sent[:, 1].tolist())),
    weak(DUPLICATE, "the run was interrupted", lambda r: r.says(termination="interrupted")),
    weak(STOP, "no order was tried after the stop", lambda r: _quiet(stopped(r, 500), 500)),
    weak(STOP, "there is no record of orders", lambda r: _quiet(stopped(r, 500), 0)),
    weak(STOP, "the clock jumped", lambda r: stopped(r, 500).mark(300, "clock_step", "client", step_us=us(5))),
    weak(STOP, "the run was interrupted", lambda r: stopped(r, 500).says(termination="interrupted")),
    weak(UNWRITTEN, "nothing was read back", lambda r: unread(r, OLD, NEW)),
    weak(UNWRITTEN, "only the old timeline was read back", lambda r: unread(r, NEW)),
    weak(UNWRITTEN, "nothing was found", lambda r: _emptied(r)),
    weak(UNWRITTEN, "which timeline survived is not known", lambda r: r.says(surviving_timeline=None)),
)  # fmt: skip


def _unsampled(run: Run) -> None:
    del run.samples[EAST_WRITES], run.samples[WEST_WRITES]


def _gap(run: Run, what: tuple[str, str], from_s: float, to_s: float) -> Run:
    return run.resampled(
        *what, lambda t, v: (t[(t < us(from_s)) | (t >= us(to_s))], v[(t < us(from_s)) | (t >= us(to_s))])
    )


def _only_new(run: Run) -> Run:
    del run.found[OLD]
    return run


def _quiet(run: Run, from_s: float) -> Run:
    run.sent = run.sent[run.sent[:, 2] < us(from_s)]
    run.done = run.done[np.isin(run.done[:, 0], run.sent[:, 1])]
    return run


def _emptied(run: Run) -> Run:
    run.found = {timeline: rows[:0] for timeline, rows in run.found.items()}
    return run


HARMLESS = (
    fine(WRITER, "the new primary takes writes long after the old one stopped", lambda r: r),
    fine(WRITER, "one hands over to the other between two samples", lambda r: r.resampled(
        *WEST_WRITES, lambda t, v: (t, t >= us(FAULT_S)))),
    fine(WRITER, "one hands over to the other and they are sampled in turns", lambda r: _handed_over(r)),
    fine(WRITER, "an order was sent before the promotion and is on the old timeline only", lambda r: r),
    fine(WRITER, "clocks differ by more than the order came after the promotion",
        lambda r: written_to_old(r, PROMOTED_S + 0.05).says(clock={"bound_us": 200_000})),
    fine(WRITER, "the old primary was not sampled any more and its timeline was read",
        lambda r: _gap(r, EAST_WRITES, 180, 1e6)),
    fine(DUPLICATE, "no order exists twice", lambda r: r),
    fine(DUPLICATE, "an order is on both timelines", lambda r: r),
    fine(DUPLICATE, "an order was sent again under its key and exists once",
        lambda r: r.ended(r.key_at(60), ACKED, 62)),
    fine(DUPLICATE, "an order was sent again under another key and exists once",
        lambda r: twice(r, 60).forget([r.key_at(60)])),
    fine(STOP, "trading was never stopped", lambda r: r),
    fine(STOP, "every order after the stop is refused", lambda r: stopped(r, 500)),
    fine(STOP, "orders go on once trading is resumed", lambda r: stopped(r, 500, 600)),
    fine(STOP, "an order sent before the stop is acknowledged after it",
        lambda r: stopped(r, 500.02).ended(r.key_at(500), ACKED, 500.1)),
    fine(STOP, "an order sent within the clocks' error of the stop",
        lambda r: stopped(r, 500).says(clock={"bound_us": 100_000}).ended(r.key_at(500.05), ACKED)),
    fine(UNWRITTEN, "every order read back was sent", lambda r: r),
    fine(UNWRITTEN, "a failed order is readable", lambda r: r.ended(r.key_at(60), FAILED)),
    fine(UNWRITTEN, "a timed-out order is readable", lambda r: r.ended(r.key_at(60), UNKNOWN)),
)  # fmt: skip


def _handed_over(run: Run) -> Run:
    run.resampled(*WEST_WRITES, lambda t, v: (t + us(0.5), t >= us(FAULT_S)))
    return run.resampled(*EAST_WRITES, lambda t, v: (t, t <= us(FAULT_S)))
