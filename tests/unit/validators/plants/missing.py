"""What a run shows and a record does not: databases nobody looked at, orders and seconds that are not there."""

from dataclasses import replace

import numpy as np

from tests.records import ACKED, EAST, NEW, NULL, OLD, PROMOTED_S, WEST, Run, us
from tests.unit.validators.plants import bad, fine, weak
from tests.unit.validators.plants.account import FLOW, TIMES
from tests.unit.validators.plants.losses import TRANSACTIONS, unread, writes
from tests.unit.validators.plants.rules import (
    DUPLICATE,
    EAST_WRITES,
    STOP,
    UNWRITTEN,
    WEST_WRITES,
    WRITER,
    stopped,
    two_writers,
)

HOME = "us-east-1/3"


def hole(run: Run, from_s: float, to_s: float) -> Run:
    """Have the orders sent in an interval be nowhere on record."""
    kept = (run.sent[:, 2] < us(from_s)) | (run.sent[:, 2] >= us(to_s))
    gone = run.sent[~kept, 1]
    run.sent, run.done = run.sent[kept], run.done[~np.isin(run.done[:, 0], gone)]
    run.found = {timeline: rows[~np.isin(rows[:, 0], gone)] for timeline, rows in run.found.items()}
    return run


def unsampled(run: Run, *what: tuple[str, str]) -> Run:
    """Have something never be sampled."""
    for name in what:
        del run.samples[name]
    return run


def unplaced(run: Run, every: int = 1) -> Run:
    """Have every n-th order be read back without its place in the log."""
    run.found[NEW][::every, 2] = NULL
    return run


def _history(run: Run) -> Run:
    """Have orders be declared that were there before the run."""
    keys = np.arange(-50, 0, dtype=np.int64)
    run.sent = np.concatenate([np.column_stack([keys, keys, keys * us(1)]), run.sent])
    run.done = np.concatenate([np.column_stack([keys, keys * us(1), np.full_like(keys, ACKED)]), run.done])
    rows = np.column_stack([keys, np.ones_like(keys), np.full_like(keys, NULL)])
    run.found[NEW] = np.concatenate([rows, run.found[NEW]])
    return run


def _promoted(run: Run, t_s: float, region: str, timeline: str) -> Run:
    return run.mark(t_s, "promoted", f"{region}/database", timeline=timeline, position=1)


def _home_again(run: Run, lost: tuple[int, ...] = ()) -> Run:
    """Have the primary come home at 600 s with all that was written by then, save some orders."""
    _promoted(run, 600, EAST, HOME).says(surviving_timeline=HOME)
    held = run.done[run.done[:, 2] == ACKED, 0]
    rows = run.found.get(NEW, np.zeros((0, 3), dtype=np.int64))
    kept = np.union1d(rows[:, 0], held[held >= run.key_at(600)]) if len(rows) else held
    kept = kept[~np.isin(kept, lost)]
    run.found[HOME] = np.column_stack([kept, np.ones_like(kept), kept])
    return run.mark(721, "readback_done", HOME, timeline=HOME)


def _second_writer_before(run: Run) -> Run:
    """Have the old primary acknowledge an order after the first of two promotions."""
    key = run.key_at(450)
    run.forget([key]).find([key], OLD)
    return _home_again(run, (key,))


def _stops_counting(run: Run, t_s: float) -> Run:
    return run.loaded("edge", t_s, 1e6, lambda s: None)


def _twice_counted(run: Run) -> Run:
    """Have a second be in two rows, as after a sender that was started again."""
    row = next(s for s in run.load if s.service == "edge" and s.second == 100)
    run.load.remove(row)
    run.load += [replace(row, intended=5, sent=5, ok=5, attempts=5), replace(
        row, intended=row.intended - 5, sent=row.sent - 5, ok=row.ok - 5, attempts=row.attempts - 5)]  # fmt: skip
    return run


WEAK = (
    weak(WRITER, "the old primary was never sampled", lambda r: unsampled(r, EAST_WRITES)),
    weak(WRITER, "the new primary was never sampled", lambda r: unsampled(r, WEST_WRITES)),
    weak(WRITER, "the second writer was never sampled", lambda r: unsampled(two_writers(r, 400, 405), EAST_WRITES)),
    weak(WRITER, "the old primary was never sampled nor its timeline read",
        lambda r: unread(unsampled(r, EAST_WRITES), OLD)),
    weak(WRITER, "the timeline that was replaced was not read back, and both databases were sampled throughout",
        lambda r: unread(r, OLD)),
    weak(WRITER, "home took over again, and the timeline between was rewound before it was read", lambda r: _home_again(
        unread(r, NEW))),
    weak("alert.RiskLimitBreach", "nobody sampled the value at risk",
        lambda r: unsampled(r, *((f"{region}/risk", "risk_var_current") for region in (EAST, WEST)))),
    weak(WRITER, "a promotion at home whose timeline nobody read", lambda r: _promoted(r, 295, EAST, "us-east-1/3")),
    weak(WRITER, "the timeline that counts was not read back", lambda r: unread(r, NEW)),
    weak(WRITER, "orders are not on record for 100 s", lambda r: hole(r, 400, 500)),
    weak(DUPLICATE, "orders are not on record for 100 s", lambda r: hole(r, 400, 500)),
    weak(UNWRITTEN, "the timeline that was replaced was not read back", lambda r: unread(r, OLD)),
    weak(UNWRITTEN, "orders are not on record for 100 s", lambda r: hole(r, 400, 500)),
    weak(STOP, "orders are not on record for 100 s after the stop", lambda r: hole(stopped(r, 400), 450, 550)),
    weak(TRANSACTIONS, "orders are not on record for 100 s", lambda r: hole(r, 400, 500)),
    weak(TRANSACTIONS, "the lost orders are not on record", lambda r: hole(r.lose(390, 500), 385, 505)),
    weak(TRANSACTIONS, "orders are on record up to 30 s after the fault", lambda r: hole(r, 210, 1e6)),
    weak(TRANSACTIONS, "two seconds of counted orders are not on record", lambda r: hole(r, 400, 402)),
    weak(TRANSACTIONS, "each tenth counted order is not on record", lambda r: _each_tenth(r)),
    weak(FLOW, "orders are not on record for 100 s", lambda r: hole(r, 400, 500)),
    weak(FLOW, "counting ends with the recovery", lambda r: _stops_counting(r, 386)),
    weak(FLOW, "counting begins half a minute late", lambda r: r.loaded("edge", 0, 30, lambda s: None)),
    weak(FLOW, "the run went on after the last count", lambda r: r.says(duration_us=us(2_000))),
    weak(TIMES, "no order's place in the log is known", unplaced),
    weak(TIMES, "the place of each tenth order in the log is not known", lambda r: unplaced(r, 10)),
)  # fmt: skip


def _each_tenth(run: Run) -> Run:
    return writes(run, run.sent[:, 1] % 10 != 5)


VIOLATIONS = (
    bad(WRITER, "the old primary took an order after the first of two promotions", _second_writer_before),
)  # fmt: skip
HARMLESS = (
    fine(WRITER, "the primary came home, and every timeline was read", _home_again),
    fine(WRITER, "the replica was promoted once more, and that timeline survived and was read", lambda r: _promoted(
        r.move("promoted", PROMOTED_S - 20, timeline="us-west-2/x"), PROMOTED_S, WEST, NEW)),
    fine(FLOW, "the load stopped before the run ended, and said so",
        lambda r: _stops_counting(r, 700).mark(700, "load_stopped", "client")),
    fine(FLOW, "a second stands in two rows", _twice_counted),
    fine(TIMES, "history that was declared before the run has no place in the log", _history),
)  # fmt: skip
