"""What was before the run, and what a lost region cannot count, are told apart from what an alert did in the run."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from scenarios.record.marks import Mark
from tests.record_load import Second
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


def errors(run: Run) -> Verdict:
    """The verdict on the alert that counts errors of the last five minutes."""
    return row(judge(run.observations()), "alert.HighErrorRate")


def unanswered(run: Run, from_s: int, to_s: int, region: str = WEST) -> Run:
    """Have half of the orders of an interval, and others, get no answer from a region."""
    run.loaded("edge", from_s, to_s, lambda s: replace(s, ok=s.ok // 2, unknown=s.sent - s.ok // 2, failed=0))
    run.load += [Second(s, region, "strategic", 0, 0, 0, 0, 2_100, 2_100) for s in range(from_s, to_s)]
    return run


@pytest.mark.proves("an alert whose rule looks back to before the run, and whose reason may lie there, decides nothing")
@pytest.mark.parametrize("since_s", [0.1, 299])
def test_a_reason_that_may_lie_before_the_run_decides_nothing(since_s: float) -> None:
    found = errors(fires(pending(Run(), since_s, since_s), since_s + 79, 500, ERRORS))
    assert found.result is Result.INCONCLUSIVE
    assert "its rule looks back 5 min, to before the run" in found.reason


def test_one_that_began_in_the_run_for_no_reason_is_spurious() -> None:
    assert errors(fires(pending(Run(), 301, 301), 400, 500, ERRORS)).result is Result.FAIL


@pytest.mark.parametrize("paged", [None, 250.0])
def test_one_that_was_due_in_the_first_minutes_may_have_been_held_back_by_what_was_before(paged: float | None) -> None:
    run = erring(Run(), 0.011, 0, 150)
    if paged is None:
        run.mark(10, "alert_firing", "DiskFull", rules="intended", region=WEST)
    else:
        fires(run, paged, 400, ERRORS)
    found = errors(run)
    assert found.state == "judged"
    assert found.result is Result.INCONCLUSIVE


@pytest.mark.proves(
    "an alert on errors is not called spurious where servers may have counted requests that got no answer: undecided"
)
def test_servers_may_have_counted_what_got_no_answer() -> None:
    def fired(run: Run) -> Verdict:
        return errors(fires(pending(run, 410, 410), 530, 700, ERRORS))

    assert fired(Run()).result is Result.FAIL
    found = fired(unanswered(Run(), 390, 400))
    assert found.result is Result.INCONCLUSIVE
    assert "requests had got no answer" in found.reason


@pytest.mark.parametrize(
    ("lifted_s", "expected"), [(1_500, Result.INCONCLUSIVE), (900, Result.FAIL), (None, Result.FAIL)]
)
def test_a_region_that_comes_back_counts_then_what_it_was_sent_before(lifted_s: float | None, expected: Result) -> None:
    run = unanswered(Run(end_s=2_000), 181, 200, EAST)
    if lifted_s is not None:
        run.lifted_by("self", lifted_s)
    assert errors(fires(pending(run, 1_510, 1_510), 1_700, 1_800, ERRORS)).result is expected


def test_an_alert_that_fired_in_time_does_not_decide_beside_one_that_cannot_be_told() -> None:
    run = fires(erring(Run(end_s=2_000), 0.03, 1_200, 2_000), 1_330, 1_900, ERRORS)
    assert errors(run).result is Result.PASS
    found = errors(fires(pending(unanswered(run, 390, 400), 410, 410), 530, 700, ERRORS))
    assert found.result is Result.INCONCLUSIVE
    assert "whether its condition held when it fired at 8:50 in us-west-2 cannot be told" in found.reason
    missed = erring(unanswered(Run(end_s=2_000), 390, 400), 0.03, 1_200, 2_000)
    assert errors(fires(pending(missed, 410, 410), 530, 700, ERRORS)).result is Result.FAIL


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
