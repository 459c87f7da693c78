"""Who answers a page, how it escalates, who decides, and what one factor an incident does to all of it."""

import math
from dataclasses import replace

import numpy as np
import pytest

from sim.control.context import Context
from sim.control.incident import Incident
from sim.control.people import People
from tests.unit.sim.stage import HOME, Scripted, Stage, healthy, library, scenario

NIGHT = ', starts at: "03:00"'
ALERT = "StrategicAgentDown"


def paged(minute: float = 1.0, trial: int = 0, workload: str = "", response: str = "[]", **overrides: object) -> Stage:
    """A page arrives."""
    stage = Stage(scenario(response=response, workload=workload, **overrides), trial=trial)
    Scripted(stage, healthy)
    stage.until(minute)
    People(stage.context, Incident(stage.context)).page(ALERT)
    return stage


def test_the_first_responder_acknowledges_after_a_while() -> None:
    stage = paged(people__acknowledge="3 min", people__no_response="0 %").until(20)
    assert stage.minute("acknowledged", "L1") == pytest.approx(4)
    assert not [f for f in stage.facts if f.kind == "escalated" and f.minute < 5]


def test_a_page_that_nobody_answers_goes_to_the_next_level_each_five_minutes() -> None:
    stage = paged(people__acknowledge="12 min", people__no_response="0 %").until(14)
    assert stage.minutes("escalated", "L1", to="L2")[0] == pytest.approx(6)
    assert stage.minutes("escalated", "L2", to="L3")[0] == pytest.approx(11)
    assert stage.minute("acknowledged") == pytest.approx(13)
    assert stage.facts[-1].subject == "L1"  # who was paged first and answers at last


@pytest.mark.proves("People tell stakeholders again at the severity's interval while an incident is open")
def test_stakeholders_hear_something_new_while_the_incident_is_open() -> None:
    """P0: each 15 min; three quarters of it over, the next message is begun, which takes 3 min."""
    quick = {f"people__{n}": "1 min" for n in ("acknowledge", "assemble", "decide")}
    down = f"[{{at: 1 min, fault: crash-loop, target: {{region: {HOME}, service: strategic}}, until: 60 min}}]"
    resolved = scenario(down, "[]", people__notify="3 min", people__no_response="0 %", **quick)
    stage = Stage(resolved, state=True).until(110)
    told = [*stage.minutes("notified"), *stage.minutes("update_sent")]
    assert np.diff(told) == pytest.approx(0.75 * 15 + 3)
    assert 4 <= len(told) - 1 <= 5  # none any more once the alert has ceased


def test_the_next_responder_may_answer_before_the_first() -> None:
    first = People(*_parts(scenario_of(people__acknowledge="3 min", people__no_response="100 %"))).answer()
    assert first.after_ns == 1 << 62  # nobody ever
    some = [
        People(*_parts(scenario_of(people__acknowledge="3 min", people__no_response="50 %"), trial)).answer()
        for trial in range(60)
    ]
    for answer in some:
        assert answer.after_ns == (answer.responder * 5 + 3) * 60_000_000_000
    assert {a.responder for a in some} >= {0, 1, 2}
    assert 0.3 < np.mean([a.responder == 0 for a in some]) < 0.7


def scenario_of(workload: str = "", **overrides: object) -> Stage:
    return Stage(scenario(workload=workload, **overrides))


def _parts(stage: Stage, trial: int = 0) -> tuple[Context, Incident]:
    played = Stage(stage.resolved, trial=trial)
    return played.context, Incident(played.context)


def test_people_answer_less_at_night() -> None:
    settings = {"people__no_response": "0 %", "people__no_response_night": "100 %"}
    assert paged(**settings).until(60).minutes("acknowledged")
    assert not paged(workload=NIGHT, **settings).until(60).minutes("acknowledged")


def test_without_escalation_the_first_one_always_answers() -> None:
    stage = paged(people__no_response="100 %", people__acknowledge="12 min", switches__escalation="off").until(20)
    assert stage.minutes("acknowledged") == [13]
    assert not [f for f in stage.facts if f.kind == "escalated" and f.minute < 13]


def test_a_long_incident_calls_the_next_levels() -> None:
    """30 and 60 minutes after the page, while it is not resolved."""
    slow = {"people__acknowledge": "1 min", "people__no_response": "0 %", "people__assemble": "10 min"}
    stage = paged(response="[roll-back-strategic]", people__decide="90 min", **slow).until(120)
    assert stage.minutes("escalated", to="L2") == [31]
    assert stage.minutes("escalated", to="L3") == [61]
    quick = paged(response="[roll-back-strategic]", people__decide="1 min", people__manual_step="1 min", **slow)
    assert not quick.until(120).minutes("escalated")


def test_people_assemble_declare_decide_and_have_the_procedure_typed() -> None:
    settings = {
        "people__acknowledge": "1 min",
        "people__no_response": "0 %",
        "people__assemble": "5 min",
        "people__decide": "6 min",
        "people__notify": "2 min",
        "people__manual_step": "2 min",
        "people__step_error": "0 %",
    }
    stage = paged(response="[roll-back-strategic]", **settings).until(30)
    assert stage.minute("engaged", role="incident-commander") == pytest.approx(7)
    assert stage.minute("declared", severity="P0") == pytest.approx(7)
    assert stage.minute("notified") == pytest.approx(9)
    assert stage.minute("decided", procedure="roll-back-strategic") == pytest.approx(13)
    assert stage.minutes("step_finished", "roll-back-strategic")[:2] == pytest.approx([15, 17])


def test_one_page_opens_one_incident() -> None:
    stage = Stage(scenario(people__acknowledge="1 min", people__no_response="0 %"))
    people = People(stage.context, Incident(stage.context))
    people.page(ALERT)
    people.page("HighErrorRate")
    assert len(stage.until(30).minutes("acknowledged")) == 1


# --- one factor an incident


def _drawn(**overrides: object) -> np.ndarray:
    """Logarithms of the four stages, by trial."""
    names = ("acknowledge", "assemble", "decide", "manual_step")
    resolved = scenario(**overrides)
    context = Stage(resolved).context
    rows = []
    for trial in range(3_000):
        context.draws = type(context.draws)(resolved, 1, trial)
        incident = Incident(context)
        rows.append([math.log(incident.sample_ns(f"people.{n}", n) / 60e9) for n in names])
    return np.array(rows)


def test_stages_of_an_incident_share_a_factor_and_keep_their_own_spread() -> None:
    logs = _drawn()
    assert np.exp(np.median(logs, axis=0)) == pytest.approx([2.5, 5, 6, 2], rel=0.06)
    assert logs.std(axis=0) == pytest.approx([0.9, 0.7, 0.8, 0.6], rel=0.05)
    covariance = np.cov(logs.T)[np.triu_indices(4, 1)]
    assert covariance == pytest.approx([0.3**2] * 6, abs=0.03)  # 3000 trials: a standard error of about .01


def test_without_the_factor_stages_are_independent() -> None:
    correlation = np.corrcoef(_drawn(switches__incident_factor="off").T)[np.triu_indices(4, 1)]
    assert np.abs(correlation).max() < 0.06


# --- automation and people


def test_people_leave_to_the_automation_what_it_has_begun_and_take_over_when_it_fails() -> None:
    for lost_at, decided in ((None, []), (9.0, ["manual-failover"])):
        settings = {"people__acknowledge": "1 min", "people__no_response": "0 %", "people__assemble": "1 min"}
        resolved = library("region-loss-automatic", people__decide="1 min", postgres__promote="12 min", **settings)
        both = resolved.scenario.model_copy(update={"response": ("automatic-failover", "manual-failover")})
        manual = library("region-loss-manual").procedures["manual-failover"]
        procedures = {**resolved.procedures, "manual-failover": manual}
        stage = Stage(replace(resolved, scenario=both, procedures=procedures, objectives=()))
        observed = Scripted(stage, healthy)
        stage.until(5.4)
        observed.turn()
        People(stage.context, Incident(stage.context)).page(ALERT)
        if lost_at is not None:
            stage.until(lost_at)
            stage.context.automation.lose("us-west-2")
        stage.until(60)
        assert [
            f.detail["procedure"] for f in stage.facts if f.kind == "decided" and f.subject != "automation"
        ] == decided
        assert len(stage.minutes("promoted")) == 1
