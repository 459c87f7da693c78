"""Little's law is judged on each record whose ledger holds every order."""

import numpy as np
import pytest

from tests.record_load import Second
from tests.records import ACKED, FAILED, UNKNOWN, Run, us
from validators.judge import judge
from validators.model import Result, Verdict


def counted(run: Run) -> Run:
    """Have the load count exactly the orders of the ledger."""
    seconds = int(run.end_s)

    def each(at_us: object) -> list[int]:
        found = np.asarray(at_us, dtype=np.int64) // 1_000_000
        return [int(n) for n in np.bincount(found[found < seconds], minlength=seconds)]

    sent = each(run.sent[:, 2])
    ok, failed, unknown = (each(run.done[run.done[:, 2] == code, 1]) for code in (ACKED, FAILED, UNKNOWN))
    edge = [
        Second(s, "client", "edge", sent[s], sent[s], ok[s], failed[s], unknown[s], sent[s], path_ms=9.0)
        for s in range(seconds)
    ]
    run.load = [*edge, *(row for row in run.load if row.service != "edge")]
    return run


def flow(run: Run) -> Verdict:
    """The verdict on the flow of requests."""
    return next(v for v in judge(run.observations()).verdicts if v.objective == "integrity.flow")


def slow(run: Run) -> Run:
    """Have some orders stay for seconds, so that there are some inside at the end of a second."""
    run.done[100:200, 1] += us(2.5)
    return run


@pytest.mark.proves("Little's law is judged on every record whose ledger holds each order")
def test_it_holds_where_times_and_counts_agree() -> None:
    found = flow(counted(slow(Run())))
    assert found.result is Result.PASS
    assert "(Little's law)" in found.reason


@pytest.mark.parametrize("by_s", [-2.0, 1.0, 4.0])
def test_an_order_that_stayed_longer_than_the_counts_say_is_a_violation(by_s: float) -> None:
    run = counted(slow(Run()))
    run.done[150, 1] += us(by_s)
    found = flow(run)
    assert found.result is Result.FAIL
    assert "Little's law does not hold" in found.reason


def test_a_ledger_of_some_orders_says_nothing() -> None:
    found = flow(Run())
    assert found.result is Result.PASS
    assert "Little" not in found.reason


def test_an_interrupted_record_says_nothing() -> None:
    run = counted(slow(Run()))
    run.done[150, 1] += us(4)
    assert "Little" not in flow(run.says(termination="interrupted")).reason
