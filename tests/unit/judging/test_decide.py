"""A measurement against its limit, and the sentence that goes with it."""

from dataclasses import replace
from typing import Any

import pytest

from validators.judge import decide
from validators.model import Evidence, Measurement, Result
from validators.reasons import reason

PASS, FAIL, OPEN = Result.PASS, Result.FAIL, Result.INCONCLUSIVE
LIMIT = 300.0


def measured(low: float | None, high: float | None, **more: Any) -> Measurement:
    """A recovery measured between bounds."""
    fields: dict[str, Any] = {"says": "risk was served again"} | more
    return Measurement("rto.risk", high, low, high, "s", fields.pop("samples", 5), "probes", **fields)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (100, 200, PASS), (100, 300, PASS), (0, 0, PASS), (299.9, 300.1, OPEN), (300, 301, OPEN), (300.1, 400, FAIL),
        (301, None, FAIL), (300, None, OPEN), (None, 200, PASS), (None, 400, OPEN), (None, None, OPEN),
    ],
)  # fmt: skip
def test_at_most(low: float | None, high: float | None, expected: Result) -> None:
    assert decide(measured(low, high), LIMIT) is expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (301, 400, PASS), (300, 400, OPEN), (300.1, None, PASS), (200, 300, FAIL), (None, 300, FAIL), (None, 301, OPEN),
        (200, 301, OPEN), (None, None, OPEN),
    ],
)  # fmt: skip
def test_more_than(low: float | None, high: float | None, expected: Result) -> None:
    rate = replace(measured(low, high), value=low if low is not None else high, at_least=True)
    assert decide(rate, LIMIT) is expected


@pytest.mark.parametrize("weak", [{"doubts": ("a gap",)}, {"faults": ("a clock step",)}])
@pytest.mark.parametrize(("low", "high"), [(1, 2), (400, 500)])
def test_weak_evidence_decides_neither_way(weak: dict[str, Any], low: float, high: float) -> None:
    assert decide(measured(low, high, **weak), LIMIT) is OPEN


def test_what_is_proven_stays_fail() -> None:
    assert decide(measured(400, 500, faults=("a clock step",), proven=True), LIMIT) is FAIL
    assert decide(measured(100, 200, faults=("a clock step",), proven=True), LIMIT) is OPEN


def test_nothing_passes_without_data() -> None:
    assert decide(measured(0, 0, samples=0), LIMIT) is OPEN
    assert decide(replace(measured(0, 0), value=None), LIMIT) is OPEN
    assert decide(measured(0, 0, samples=0, vacuous=True), LIMIT) is PASS


def test_a_run_cut_short_keeps_its_failures_and_passes_nothing() -> None:
    assert decide(measured(100, 200), LIMIT, complete=False) is OPEN
    assert decide(measured(400, None), LIMIT, complete=False) is FAIL


def test_a_violation_without_a_value() -> None:
    alert = measured(None, None, violated=True)
    assert decide(alert, LIMIT) is FAIL
    assert decide(replace(alert, doubts=("it fired before the fault",)), LIMIT) is OPEN


EVIDENCE = (Evidence("probes", "service=risk", 720_000_000),)


@pytest.mark.parametrize(
    ("one", "limit", "result", "expected"),
    [
        (measured(1, 200), LIMIT, PASS, "Risk was served again, within its limit of 5 min."),
        (measured(492, 492, evidence=EVIDENCE), LIMIT, FAIL,
         "Risk was served again, 3 min 12 s over its limit of 5 min (see probes at 12:00)."),
        (measured(492, None), LIMIT, FAIL, "Risk was served again, at least 3 min 12 s over its limit of 5 min."),
        (measured(200, None, says="risk was down"), LIMIT, OPEN,
         "Risk was down after 3 min 20 s, and the limit of 5 min had not passed."),
        (measured(299.9, 300.2), LIMIT, OPEN, "Risk was served again; the limit of 5 min lies between what is certain"
         " (100 ms less) and what is possible (200 ms more)."),
        (replace(measured(1, 2, says=""), unit="ms"), 5, PASS, "It was 2 ms, within its limit of 5 ms."),
        (replace(measured(9000, 9000, says="9,000/s were completed", at_least=True), unit="1/s"), 10_000, FAIL,
         "9,000/s were completed, 1,000/s short of the 10,000/s asked for."),
        (replace(measured(11_000, 11_000, says="11,000/s were completed", at_least=True), unit="1/s"), 10_000, PASS,
         "11,000/s were completed, more than the 10,000/s asked for."),
        (replace(measured(2, 2, says="2 orders exist twice"), unit="1"), 0, FAIL, "2 orders exist twice."),
    ],
)  # fmt: skip
def test_sentence(one: Measurement, limit: float, result: Result, expected: str) -> None:
    assert decide(one, limit) is result
    assert reason(one, limit, result, ()) == expected


def test_sentence_says_what_is_weak_once() -> None:
    one = measured(None, None, says="there are no probes", doubts=("there are no probes",))
    assert reason(one, LIMIT, OPEN, one.doubts) == "There are no probes; the limit is 5 min."
    two = measured(1, 2, doubts=("a gap", "a jump"))
    assert reason(two, LIMIT, OPEN, two.doubts) == "Risk was served again; this does not decide: a gap and a jump."
