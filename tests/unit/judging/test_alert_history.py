"""What was before the run, and what a lost region cannot count, are told apart from what an alert did in the run."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from scenarios.record.marks import Mark
from tests.records import EAST, WEST, Run, us
from tests.unit.validators.plants.alerts import erring, fires
from validators.judge import judge
from validators.model import Judgement, Result, Verdict

ERRORS, DOWN = "HighErrorRate", "StrategicAgentDown"


def pending(
    run: Run, t_s: float, since_s: float, alert: str = ERRORS, region: str = WEST, rules: str = "intended"
) -> Run:
    """Have a server say that an alert is pending, since when by its own stamp."""
    detail: dict[str, Any] = {"rules": rules, "region": region}
    run.marks.append(Mark(us(t_s), len(run.marks), "alert_pending", alert, detail, us(since_s)))
    return run


def row(judged: Judgement, name: str) -> Verdict:
    """One line of a judgement."""
    return next(v for v in judged.verdicts if v.objective == name)


@pytest.mark.proves("an alert that was pending before the run is neither spurious nor drags the run's verdict down")
def test_an_alert_from_before_the_run_is_not_exercised() -> None:
    judged = judge(fires(pending(Run(), 0.2, -41), 79, 400, ERRORS).observations())
    found = row(judged, "alert.HighErrorRate")
    assert (found.state, found.result) == ("not_exercised", None)
    assert "41 s before the run" in found.reason
    assert judged.result is judge(Run().observations()).result is Result.PASS


def test_one_that_began_in_the_run_for_no_reason_is_spurious() -> None:
    judged = judge(fires(pending(Run(), 0.2, 0.1), 79, 400, ERRORS).observations())
    assert row(judged, "alert.HighErrorRate").result is Result.FAIL


def test_one_from_before_the_run_does_not_answer_what_happened_in_it() -> None:
    run = fires(erring(Run(), 0.03, 390, 720), 560, None, ERRORS)
    assert row(judge(run.observations()), "alert.HighErrorRate").result is Result.PASS
    judged = judge(pending(run, 0.2, -41).observations())
    found = row(judged, "alert.HighErrorRate")
    assert found.result is Result.INCONCLUSIVE
    assert "was pending in us-west-2 from 41 s before the run on" in found.reason
    others = [v for v in judged.verdicts if v.objective.partition(".")[0] != "alert" and v.merged]
    assert all(v.result is not Result.INCONCLUSIVE for v in others)


def uncounted(run: Run, ready: int) -> Run:
    """Have nothing be counted while the system is away, and so many pods be ready meanwhile in the other region."""
    run = fires(erring(run, 0.03, 100, 720), 300, None, ERRORS)
    run.load = [s for s in run.load if s.service == "edge" or not 180 <= s.second < 386]
    for service in ("strategic", "tactical", "risk"):
        run.resampled(f"{WEST}/{service}", "replicas_ready", lambda t, v: (t, np.where(t < us(386), ready, 4)))
    return run


def test_nobody_counts_where_no_pod_runs() -> None:
    found = row(judge(uncounted(Run(), ready=0).observations()), "alert.HighErrorRate")
    assert found.result is Result.PASS


def test_pods_that_run_and_are_not_counted_are_a_gap_of_the_instrument() -> None:
    found = row(judge(uncounted(Run(), ready=4).observations()), "alert.HighErrorRate")
    assert found.result is Result.INCONCLUSIVE
    assert "its condition was not observed" in found.reason


def test_pods_that_are_not_sampled_may_have_counted() -> None:
    run = uncounted(Run(), ready=0)
    t, v = run.samples[f"{WEST}/risk", "replicas_ready"]
    run.sample(f"{WEST}/risk", "replicas_ready", t[(t < us(200)) | (t > us(386))], v[(t < us(200)) | (t > us(386))])
    assert row(judge(run.observations()), "alert.HighErrorRate").result is Result.INCONCLUSIVE


@pytest.mark.parametrize(
    ("since_s", "words"),
    [
        (-800, "As written it fired once, in us-east-1 since before the run; it takes us-west-2, which stands by"),
        (10, "As written it fired once, first at 0:40, before the fault; it takes us-west-2, which stands by"),
        (190, "As written it fired once."),
    ],
)
def test_why_the_rule_as_written_fires_for_a_region_that_stands_by(since_s: float, words: str) -> None:
    run, at_s = Run(), max(since_s + 30, 0.4)
    t = np.arange(0, 720) * 1_000_000
    run.sample(f"{WEST}/strategic", "replicas_planned", t, np.where(t < us(290), 0, 4))
    run.sample(f"{EAST}/strategic", "replicas_planned", t, np.full(len(t), 4))
    pending(run, at_s, since_s, DOWN, EAST, "written")
    run.mark(at_s, "alert_firing", DOWN, rules="written", region=EAST)
    found = row(judge(run.observations()), "alert.StrategicAgentDown.as_written")
    assert found.reason.startswith(words)


def test_why_the_rule_as_written_never_fires() -> None:
    found = row(judge(Run().observations()), "alert.StrategicAgentDown.as_written")
    assert found.reason == "As written it did not fire, because pods that are gone have no `up` that could be 0."


def test_an_alert_on_answers_says_why_it_was_quiet_while_nobody_answered() -> None:
    found = row(judge(Run().observations()), "alert.HighErrorRate")
    assert found.state == "not_exercised"
    assert "servers that are gone answer no 5xx" in found.reason
    served = Run().loaded("edge", 0, 1e6, lambda s: replace(s, ok=s.sent, failed=0))
    assert "5xx" not in row(judge(served.observations()), "alert.HighErrorRate").reason
    assert "5xx" not in row(judge(Run().observations()), "alert.RiskLimitBreach").reason
