"""The merge, its counts and its headline, and suites that require objectives."""

import pytest

from validators.merge import judgement, merge, missing, suite
from validators.model import Judgement, Result, Verdict

PASS, FAIL, OPEN = Result.PASS, Result.FAIL, Result.INCONCLUSIVE


def verdict(name: str, result: Result | None, state: str = "judged", *, merged: bool = True) -> Verdict:
    """A verdict as far as the merge looks at it."""
    return Verdict(name, result, 1.0, 2.0, "s", 1.0, 1.0, 1, "", "", merged=merged, state=state)


@pytest.mark.parametrize(
    ("results", "expected"),
    [([], OPEN), ([PASS], PASS), ([PASS, OPEN], OPEN), ([OPEN, FAIL, PASS], FAIL), ([PASS, PASS], PASS)],
)
def test_fail_outweighs_inconclusive_outweighs_pass(results: list[Result], expected: Result) -> None:
    assert merge(results) is expected


def test_headline_counts_what_applies() -> None:
    judged = judgement(
        [
            verdict("rto.risk", PASS),
            verdict("rto.risk.direct", FAIL, merged=False),
            verdict("kpi.risk", None, "not_judged"),
            verdict("change.downtime", None, "not_exercised"),
            verdict("rpo.transactions", OPEN),
        ]
    )
    assert judged.headline == "INCONCLUSIVE, 2 of 3 judged"
    assert (judged.result, judged.judged, judged.applicable) == (OPEN, 2, 3)


def test_nothing_judged_is_inconclusive() -> None:
    judged = judgement([verdict("change.downtime", None, "not_exercised")])
    assert (judged.result, judged.headline) == (OPEN, "INCONCLUSIVE, 0 of 0 judged")


RUNS: tuple[Judgement, ...] = (
    judgement([verdict("rto.risk", PASS), verdict("kpi.risk", None, "not_judged")]),
    judgement([verdict("rto.complete", PASS)]),
)


def test_required_and_not_judged_is_inconclusive() -> None:
    assert missing(["rto.risk", "kpi.risk", "rto.complete"], RUNS) == ["kpi.risk"]
    assert suite(["rto.risk", "rto.complete"], RUNS) is PASS
    assert suite(["kpi.risk"], RUNS) is OPEN
    assert suite(["rto.risk"], ()) is OPEN


def test_a_row_beside_a_verdict_does_not_stand_for_it() -> None:
    beside = judgement([verdict("rto.risk", PASS, merged=False)])
    assert missing(["rto.risk"], [beside]) == ["rto.risk"]


def test_a_failure_outweighs_what_is_missing() -> None:
    assert suite(["kpi.risk"], [*RUNS, judgement([verdict("rto.tactical", FAIL)])]) is FAIL
