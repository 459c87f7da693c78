"""What the verdict over many trials says, and what is taken from the trial that was played in full."""

from dataclasses import dataclass, field

import pytest

from scenarios.record.ensemble import Trial
from tests.records import Run
from validators.ensemble import judge_ensemble, least_trials, trial_of
from validators.judge import judge
from validators.merge import judgement
from validators.model import Judgement, Result, Verdict


@dataclass(frozen=True)
class Played:
    """A trial."""

    results: dict[str, str | None]
    values: dict[str, float | None] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def full(**limits: float) -> Judgement:
    """The trial in full: rto.risk and kpi.throughput."""
    risk = Verdict("rto.risk", Result.FAIL, 400.0, 300.0, "s", 400.0, 400.0, 9, "probes", "", source="RTO")
    load = Verdict("kpi.throughput", Result.PASS, 10_400.0, 10_000.0, "1/s", None, None, 9, "", "own", at_least=True)
    beside = Verdict("rto.risk.direct", Result.FAIL, 1.0, 2.0, "s", None, None, 1, "", "", merged=False)
    off = Verdict("change.downtime", None, None, 300.0, "s", None, None, 0, "", "no change", state="not_exercised")
    return judgement([risk, beside, load, off])


def recoveries(values: list[float | None]) -> list[Played]:
    """Trials that recovered after so many seconds."""
    return [
        Played({"rto.risk": "PASS" if v is not None and v <= 300 else "FAIL", "kpi.throughput": None}, {"rto.risk": v})
        for v in values
    ]


def test_words_and_figures() -> None:
    values: list[float | None] = [float(v) for v in range(101, 301)]
    judged = judge_ensemble(recoveries(values), 0.95, full())
    verdict = judged.verdicts[0]
    assert verdict.result is Result.PASS
    assert verdict.value == 290.0  # 190 of 200 are not above it
    assert (verdict.limit, verdict.unit, verdict.source) == (300.0, "s", "RTO")
    assert verdict.low is not None
    assert verdict.high is not None
    assert verdict.low < verdict.value < verdict.high <= 300.0
    assert verdict.reason == (
        "Met in 100 % of 200 trials [98.5 %, 100 %], needs 95 %; 95 % stayed within 4 min 50 s, the limit is 5 min."
    )
    detail = verdict.detail
    assert (detail["met"], detail["trials"], detail["p50"], detail["p90"], detail["p95"]) == (200, 200, 200, 280, 290)


def test_what_never_came_is_worse_than_all_others() -> None:
    values: list[float | None] = [None] * 20 + [100.0] * 180
    verdict = judge_ensemble(recoveries(values), 0.95, full()).verdicts[0]
    assert verdict.value is None
    assert verdict.detail["p90"] == 100.0
    assert "fewer than 95 % got there at all" in verdict.reason


def test_more_is_better_where_the_objective_asks_for_more() -> None:
    trials = [Played({"kpi.throughput": "PASS"}, {"kpi.throughput": 10_000.0 + v}) for v in range(100)]
    verdict = {v.objective: v for v in judge_ensemble(trials, 0.95, full()).verdicts}["kpi.throughput"]
    assert verdict.value == 10_004.0  # 95 of 100 are above it
    assert "95 % reached 10,004/s" in verdict.reason


@pytest.mark.proves("what the level of the trials cannot judge is judged by the full trial, and merged")
def test_the_full_trial_judges_what_no_trial_could() -> None:
    judged = judge_ensemble(recoveries([100.0] * 60), 0.95, full())
    by_name = {v.objective: v for v in judged.verdicts}
    assert by_name["rto.risk"].result is Result.PASS  # 60 of 60, though the full trial failed
    assert by_name["kpi.throughput"].reason == "own"
    assert by_name["change.downtime"].state == "not_exercised"
    assert "rto.risk.direct" not in by_name
    assert judged.headline == "PASS, 2 of 2 judged"
    assert judged.trials == 60


def test_only_trials_that_exercised_it_count() -> None:
    trials = [Played({"alert.X": "PASS" if i < 70 else None}, {"alert.X": 1.0}) for i in range(100)]
    verdict = judge_ensemble(trials, 0.95).verdicts[0]
    assert verdict.result is Result.PASS
    assert "the 70 of 100 trials that exercised it" in verdict.reason


def test_exercised_by_none() -> None:
    verdict = judge_ensemble([Played({"alert.X": None})] * 5, 0.95).verdicts[0]
    assert (verdict.result, verdict.state) == (None, "not_exercised")


def test_too_few_trials_says_so() -> None:
    verdict = judge_ensemble(recoveries([100.0] * 58), 0.95, full()).verdicts[0]
    assert verdict.result is Result.INCONCLUSIVE
    assert "too few trials to show it" in verdict.reason


@pytest.mark.proves(
    "the least number of trials that can PASS is known beforehand: 59 fixed, 88 when one may stop early"
)
def test_least_trials() -> None:
    for peeking in (False, True):
        least = least_trials(0.95, peeking=peeking)
        assert least == (88 if peeking else 59)
        judged = [judge_ensemble(recoveries([1.0] * n), 0.95, full(), peeking=peeking) for n in (least - 1, least)]
        assert [j.verdicts[0].result for j in judged] == [Result.INCONCLUSIVE, Result.PASS]


def test_a_trial_keeps_what_it_was_judged() -> None:
    judged = judge(Run().recovers("risk", 600).observations())
    trial = trial_of(judged, 4, 7)
    assert isinstance(trial, Trial)
    assert (trial.trial, trial.seed) == (4, 7)
    verdict = next(v for v in judged.verdicts if v.objective == "rto.risk")
    assert verdict.result is Result.FAIL
    assert trial.results["rto.risk"] == "FAIL"
    assert trial.values["rto.risk"] == verdict.value
    assert trial.results["response.P0"] is None
    assert sum(trial.phases["rto.risk"].values()) == pytest.approx(verdict.value, abs=0.1)
    assert trial.reasons["rto.risk"] == verdict.reason
    assert set(trial.results) == {v.objective for v in judged.verdicts if v.merged}


LEVEL = "this level counts no requests: judged on the full trial"


@pytest.mark.proves("an ensemble whose full trial is missing does not pass what only that trial could judge")
def test_what_only_the_missing_trial_could_judge_is_not_decided() -> None:
    results = {"rto.risk": "PASS", "kpi.risk": None, "response.P0": None, "load.load": None}
    why = {"kpi.risk": LEVEL, "response.P0": "nobody answered", "load.load": "the load is no steady rate"}
    trials = [Played(results, {"rto.risk": 1.0}, why)] * 60
    left_out = {"kpi.risk": LEVEL, "response.P0": "nobody answered", "load.load": LEVEL}
    judged = judge_ensemble(trials, 0.95, left_out=left_out, owed=("kpi.risk", "load.load"))
    found = {v.objective: v for v in judged.verdicts}
    assert (found["rto.risk"].result, found["kpi.risk"].result) == (Result.PASS, Result.INCONCLUSIVE)
    assert found["kpi.risk"].reason == f"The record of the trial in full is missing: {LEVEL}"
    assert (found["response.P0"].state, found["response.P0"].reason) == ("not_judged", "nobody answered")
    assert found["load.load"].state == "not_exercised"
    assert judged.headline == "INCONCLUSIVE, 2 of 3 judged"
