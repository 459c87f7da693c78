"""Little's law is judged on each record whose ledger holds every order."""

from collections.abc import Callable

import pytest

from tests.records import Run, us
from tests.unit.validators.plants.missing import hole
from validators.judge import judge
from validators.model import Result, Verdict


def flow(run: Run) -> Verdict:
    """The verdict on the flow of requests."""
    return next(v for v in judge(run.observations()).verdicts if v.objective == "integrity.flow")


def slow(run: Run) -> Run:
    """Have some orders stay for seconds, so that there are some inside at the end of a second."""
    run.done[100:200, 1] += us(2.5)
    return run


@pytest.mark.proves("Little's law is judged on every record whose ledger holds each order")
def test_it_holds_where_times_and_counts_agree() -> None:
    found = flow(slow(Run()).counted())
    assert found.result is Result.PASS
    assert "(Little's law)" in found.reason


@pytest.mark.parametrize("by_s", [-2.0, 1.0, 4.0])
def test_an_order_that_stayed_longer_than_the_counts_say_is_a_violation(by_s: float) -> None:
    run = slow(Run()).counted()
    run.done[150, 1] += us(by_s)
    found = flow(run)
    assert found.result is Result.FAIL
    assert "Little's law does not hold" in found.reason


@pytest.mark.parametrize("change", [
    lambda run: hole(run, 400, 402),
    lambda run: hole(run, 400, 400.05),
    lambda run: unended(run, 400),
])  # fmt: skip
def test_a_ledger_that_lacks_counted_orders_does_not_silence_the_law(change: Callable[[Run], Run]) -> None:
    assert flow(change(Run())).result is not Result.PASS


def test_orders_that_end_after_the_run_were_inside_at_its_end() -> None:
    """A sender goes on until what it has sent is answered, and counts that too."""
    run = slow(Run()).counted()
    run.head["duration_us"] -= us(3)
    found = flow(run)
    assert found.result is Result.PASS
    assert "(Little's law)" in found.reason


def unended(run: Run, t_s: float) -> Run:
    """Have the end of one order not be on the ledger."""
    run.done = run.done[run.done[:, 0] != run.key_at(t_s)]
    return run


def test_an_interrupted_record_says_nothing() -> None:
    run = slow(Run()).counted()
    run.done[150, 1] += us(4)
    assert "Little" not in flow(run.says(termination="interrupted")).reason
