"""What a small system is measured for though it is not judged: its latencies and its throughput, beside no verdict."""

from dataclasses import replace

import pytest

from reports.view import shown_text
from tests.records import Run
from validators.judge import judge
from validators.model import Judgement, Verdict

WHY = "a small system on one machine"
LEFT_OUT = {"kpi.risk": WHY, "kpi.throughput": WHY, "rto.risk": WHY, "response.P0": "the people are scripted"}


def judged(run: Run, left_out: dict[str, str] | None = None) -> Judgement:
    return judge(replace(run.observations(), not_judged=left_out or {}))


def named(judgement: Judgement, name: str) -> Verdict:
    return next(v for v in judgement.verdicts if v.objective == name)


@pytest.mark.proves(
    "Latency and throughput that are not judged are measured all the same, as they are where they are judged"
)
@pytest.mark.parametrize("name", ["kpi.risk", "kpi.throughput"])
def test_it_is_measured_as_if_it_were_judged(name: str) -> None:
    with_verdict, without = named(judged(Run()), name), named(judged(Run(), LEFT_OUT), name)
    assert without.value is not None
    assert (without.value, without.low, without.high) == (with_verdict.value, with_verdict.low, with_verdict.high)
    assert (without.result, without.state, without.reason) == (None, "not_judged", WHY)
    beside = [v for v in judged(Run(), LEFT_OUT).verdicts if v.objective.startswith(f"{name}.")]
    assert beside
    assert {v.result for v in beside} == {None}
    assert not any(v.merged for v in beside)


def test_nothing_else_is_measured_and_nothing_of_it_counts() -> None:
    found = judged(Run(), LEFT_OUT)
    assert named(found, "rto.risk").value is None
    assert found.judged == judged(Run()).judged - len(LEFT_OUT)
    slow = Run().limit("kpi.risk", limit_us=1_000)
    assert str(judged(slow).result) == "FAIL"
    assert str(judged(slow, LEFT_OUT).result) == str(found.result) == "PASS"


def test_without_a_count_there_is_only_the_reason() -> None:
    run = Run()
    run.load = []
    assert (named(judged(run, LEFT_OUT), "kpi.risk").value, named(judged(run, LEFT_OUT), "kpi.risk").reason) == (
        None,
        WHY,
    )


def test_a_stretch_is_told_beside_the_others() -> None:
    found = judged(Run(), LEFT_OUT)
    beside = [v for v in found.verdicts if not v.merged and v.objective.startswith("kpi.risk.")]
    words = shown_text(named(found, "kpi.risk"), beside)
    assert words.startswith("p95 in the worst minute ")
    for stretch in ("before the fault", "after recovery", "; ", "from the fault until it had settled"):
        assert stretch in words
    assert shown_text(named(found, "kpi.throughput"), ()).endswith("/s in the least minute")
    assert shown_text(named(judged(Run()), "kpi.risk"), beside) == ""
    assert shown_text(named(found, "response.P0"), ()) == ""
