"""People carry out steps one after the other; what fails ends the procedure, what does not answer is tried again."""

from collections.abc import Mapping
from typing import Any

import pytest

from experiments.faults.cluster import KubernetesError
from experiments.operate import steps, verbs, watching
from experiments.operate.moments import moments
from scenarios.errors import Problem

PROBLEM = Problem("api", "no", "yes", "wait")
Facts = list[tuple[str, str]]


def answering(monkeypatch: pytest.MonkeyPatch, *outcomes: Exception | str) -> list[tuple[str, Mapping[str, str]]]:
    """Verbs answer with these, one after the other; returns what is done."""
    done: list[tuple[str, Mapping[str, str]]] = []
    left = list(outcomes)

    def perform(verb: str, target: Mapping[str, str], options: Mapping[str, Any]) -> str:
        done.append((verb, target))
        outcome = left.pop(0) if left else "done"
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(verbs, "perform", perform)
    return done


def kinds(facts: Facts) -> list[str]:
    return [kind for kind, _ in facts]


def test_a_procedure_from_begin_to_end(monkeypatch: pytest.MonkeyPatch, facts: Facts) -> None:
    done = answering(monkeypatch)
    steps.begin("failover")
    steps.step("failover", "promote", "promote", target={"region": "us-west-2"})
    assert steps.end("failover")
    assert done == [("promote", {"region": "us-west-2"})]
    assert kinds(facts) == ["procedure_started", "step_started", "step_finished", "procedure_finished"]


def test_after_a_step_that_was_refused_nothing_more_is_done(monkeypatch: pytest.MonkeyPatch, facts: Facts) -> None:
    done = answering(monkeypatch, verbs.StepError(PROBLEM))
    steps.begin("failover")
    with pytest.raises(steps.NotDoneError):
        steps.step("failover", "promote", "promote")
    with pytest.raises(steps.NotDoneError, match="a step before it"):
        steps.step("failover", "dns", "switch_dns")
    assert not steps.end("failover")
    assert [verb for verb, _ in done] == ["promote"]
    assert kinds(facts).count("step_finished") == 1


@pytest.mark.parametrize(
    "error", [ConnectionError("refused"), KubernetesError(503, PROBLEM), KubernetesError(0, PROBLEM)]
)
def test_an_api_that_does_not_answer_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, facts: Facts, error: Exception
) -> None:
    done = answering(monkeypatch, error, error, "done at last")
    assert steps.step("failover", "deploy", "deploy") == "done at last"
    assert len(done) == 3
    assert kinds(facts).count("step_waiting") == 1


def test_an_api_that_refuses_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    done = answering(monkeypatch, KubernetesError(403, PROBLEM))
    with pytest.raises(steps.NotDoneError):
        steps.step("failover", "deploy", "deploy")
    assert len(done) == 1


def test_it_is_given_up_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, *[ConnectionError("refused")] * 9)
    with pytest.raises(steps.NotDoneError, match="refused"):
        steps.step("failover", "deploy", "deploy", within_s=0.02)


def test_without_a_page_nobody_acts(monkeypatch: pytest.MonkeyPatch, facts: Facts) -> None:
    done = answering(monkeypatch)
    monkeypatch.setattr(watching, "_pages", list)
    with pytest.raises(steps.NotDoneError, match="no page"):
        steps.answer_page(["failover"], "L1", 0.0, 0.0, within_s=0.0)
    for act in (lambda: steps.decide("failover", "P0", 0.0), lambda: steps.begin("failover"),
                lambda: steps.step("failover", "promote", "promote")):  # fmt: skip
        with pytest.raises(steps.NotDoneError):
            act()
    assert not steps.end("failover")
    assert done == []
    assert facts == []


def test_a_page_is_acknowledged_and_decided_on(monkeypatch: pytest.MonkeyPatch, facts: Facts) -> None:
    monkeypatch.setattr(watching, "_pages", lambda: [{"alert": "StrategicAgentDown"}])
    steps.answer_page(["failover"], "L1", 0.0, 0.0, within_s=1.0)
    steps.decide("failover", "P0", 0.0)
    assert facts[0] == ("acknowledged", "L1")
    assert facts[-1] == ("decided", "incident-commander")


def test_what_is_acknowledged_is_the_alert_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(steps.report, "fact", lambda kind, _, **detail: told.append((kind, detail)))
    monkeypatch.setattr(watching, "_pages", lambda: [{"alert": "StrategicAgentDown"}, {"alert": "HighErrorRate"}])
    steps.answer_page(["failover"], "L1", 0.0, 0.0, within_s=1.0)
    assert told[0] == ("acknowledged", {"alert": "StrategicAgentDown"})


LIVE = {"acknowledge": 0, "engage": 1, "declare": 4, "decide": 5}  # question: facts that are there before it


@pytest.mark.proves("What a live operator does not say is not recorded as said, nor is what follows it done")
@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("no_to", LIVE)
def test_a_no_is_no_answer(monkeypatch: pytest.MonkeyPatch, facts: Facts, no_to: str, ends: bool) -> None:
    done = answering(monkeypatch)
    monkeypatch.setattr(watching, "_pages", lambda: [{"alert": "StrategicAgentDown"}])

    def ask(question: Mapping[str, Any]) -> bool:
        if question["ask"] == no_to and ends:
            moments.told.set()  # the run has ended while the person was asked
        return bool(question["ask"] != no_to)

    steps.ask_with(ask)
    plays = (
        lambda: steps.answer_page(["failover"], "L1", 0.0, 0.0, within_s=1.0),
        lambda: steps.decide("failover", "P0", 0.0),
        lambda: steps.begin("failover"),
        lambda: steps.step("failover", "promote", "promote"),
    )
    refused = 0
    for act in plays:
        try:
            act()
        except steps.NotDoneError:
            refused += 1
    assert refused == (4 if LIVE[no_to] < 4 else 3)
    assert not steps.end("failover")
    every = ["acknowledged", "engaged", "engaged", "engaged", "declared"]
    assert kinds(facts) == every[: LIVE[no_to]]
    assert done == []


def test_the_end_of_a_run_is_no_answer_of_scripted_people(monkeypatch: pytest.MonkeyPatch, facts: Facts) -> None:
    monkeypatch.setattr(watching, "_pages", lambda: [{"alert": "StrategicAgentDown"}])
    monkeypatch.setattr(moments, "rest", lambda _: False)
    with pytest.raises(steps.NotDoneError):
        steps.answer_page(["failover"], "L1", 600.0, 0.0, within_s=1.0)
    assert facts == []


def test_a_live_person_is_asked_and_nothing_is_done_for_them(monkeypatch: pytest.MonkeyPatch, facts: Facts) -> None:
    done = answering(monkeypatch)
    asked: list[Any] = []
    answers = [True, False]

    def ask(question: Mapping[str, Any]) -> bool:
        asked.append(question["step"])
        return answers.pop(0)

    steps.ask_with(ask)
    steps.step("failover", "promote", "promote", takes_s=600.0)
    with pytest.raises(steps.NotDoneError, match="the answer no"):
        steps.step("failover", "dns", "switch_dns")
    assert asked == ["promote", "dns"]
    assert done == []
    assert kinds(facts).count("step_finished") == 2


def test_after_the_end_of_the_run_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    done = answering(monkeypatch)
    moments.told.set()
    with pytest.raises(steps.NotDoneError, match="the end of the run"):
        steps.step("failover", "promote", "promote", takes_s=600.0)
    assert done == []


def test_a_change_says_so(facts: Facts) -> None:
    steps.begin("rollout", change=True)
    steps.end("rollout", change=True)
    assert kinds(facts) == ["procedure_started", "change_started", "change_finished", "procedure_finished"]


def test_a_rollback_is_that_of_the_last_change(monkeypatch: pytest.MonkeyPatch, facts: Facts) -> None:
    answering(monkeypatch)
    steps.begin("rollout", change=True)
    steps.step("rollout", "out", "set_image", target={"region": "us-east-1"})
    steps.step("rollout", "undo", "rollout_undo")
    steps.end("rollout", change=True)
    told = [(kind, subject) for kind, subject in facts if kind.startswith("rollback")]
    assert told == [("rollback_started", "rollout"), ("rollback_finished", "rollout")]


def test_a_rollback_without_a_change_is_only_a_step(monkeypatch: pytest.MonkeyPatch, facts: Facts) -> None:
    answering(monkeypatch)
    steps.begin("roll-back")
    steps.step("roll-back", "undo", "rollout_undo")
    steps.end("roll-back")
    assert not [kind for kind in kinds(facts) if kind.startswith("rollback")]
