"""Steps in order, people who type and err, APIs that are down, refusals, and who is interrupted."""

from itertools import pairwise
from typing import Any

import pytest

from sim.control.procedures import Procedures
from tests.unit.sim.stage import HOME, OTHER, Scripted, Stage, healthy, scenario, with_procedures

KUBE, RDS = f"kubernetes:{OTHER}", f"rds:{OTHER}"
EXACT = {"people__manual_step": "2 min", "people__step_error": "0 %", "automation__step": "2 s"}


def step(name: str, verb: str = "wait", takes: str | None = "people.manual_step", **more: Any) -> dict[str, Any]:
    return {"id": name, "title": name, "verb": verb, "takes": takes, **more}


def procedure(*steps: dict[str, Any], actor: str = "people") -> dict[str, Any]:
    return {"procedure": "played", "actor": actor, "starts": "when-named", "steps": list(steps)}


def stage_of(*steps: dict[str, Any], actor: str = "people", trial: int = 0, **overrides: object) -> Stage:
    resolved = with_procedures(scenario(**{**EXACT, **overrides}), procedure(*steps, actor=actor))
    stage = Stage(resolved, trial=trial)
    Scripted(stage, healthy)
    return stage.until(1)


def begin(stage: Stage) -> Any:
    return stage.do(stage.context.procedures.run("played", "technical-lead"))


def finished(stage: Stage, *, ok: bool = True) -> dict[str, float]:
    """Minute at which each step ended."""
    return {
        f.detail["step"]: round(f.minute, 3) for f in stage.facts if f.kind == "step_finished" and f.detail["ok"] is ok
    }


# --- order


def test_steps_wait_for_the_one_before_unless_they_say_otherwise() -> None:
    stage = stage_of(
        step("a"), step("b"), step("c", after=["a"]), step("d", after=["b", "c"]), people__technical_leads=2
    )
    begin(stage)
    stage.until(20)
    assert finished(stage) == {"a": 3, "b": 5, "c": 5, "d": 7}
    assert stage.minutes("procedure_finished", "played", ok=True) == [7]


def test_one_technical_lead_types_one_step_at_a_time() -> None:
    steps = (step("a"), step("b"), step("c", after=["a"]))
    alone, many = stage_of(*steps), stage_of(*steps, switches__finite_people="off")
    begin(alone), begin(many)
    assert finished(alone.until(20)) == {"a": 3, "b": 5, "c": 7}
    assert finished(many.until(20)) == {"a": 3, "b": 3, "c": 3}  # everyone types ahead


def test_the_automation_is_nobody_s_lead() -> None:
    stage = stage_of(step("a", takes="automation.step"), step("b", takes="automation.step"), actor="automation")
    begin(stage)
    assert stage.until(5).minute("procedure_finished") == pytest.approx(1 + 4 / 60)


# --- APIs


def test_a_step_waits_for_its_api_and_looks_again_now_and_then() -> None:
    for actor, takes, again_s in (("people", "people.manual_step", 60), ("automation", "automation.step", 5)):
        stage = stage_of(step("deploy", "deploy", takes, target={"region": OTHER}), actor=actor)
        stage.context.apis.set(KUBE, up=False)
        begin(stage)
        stage.until(3.51)
        assert not stage.minutes("step_started")
        assert stage.minute("step_waiting", "played", step="deploy") == 1
        stage.context.apis.set(KUBE, up=True)
        stage.until(10)
        looked = stage.minute("step_started")
        assert 3.51 < looked <= 3.51 + again_s / 60 + 1e-6
        assert (looked - 1) * 60 % again_s == pytest.approx(0, abs=1e-6)


def test_an_api_that_goes_down_while_the_command_is_typed_delays_it() -> None:
    stage = stage_of(step("deploy", "deploy", target={"region": OTHER}))
    begin(stage)
    stage.until(2)
    stage.context.apis.set(KUBE, up=False)
    stage.until(4.5)
    assert not finished(stage)
    stage.context.apis.set(KUBE, up=True)
    assert finished(stage.until(10)) == {"deploy": 5}


def test_two_reasons_keep_an_api_down_until_both_are_gone() -> None:
    stage = stage_of(step("deploy", "deploy", target={"region": OTHER}))
    stage.context.apis.set(KUBE, up=False)
    stage.context.apis.set(KUBE, up=False)
    stage.context.apis.set(KUBE, up=True)
    begin(stage)
    assert not finished(stage.until(10))


def test_a_step_that_waits_too_long_ends_the_procedure() -> None:
    stage = stage_of(step("promote", "promote", target={"region": OTHER}, timeout="3 min"), step("after"))
    stage.context.apis.set(RDS, up=False)
    begin(stage)
    stage.until(20)
    assert finished(stage, ok=False) == {"promote": 4}
    assert stage.minutes("procedure_finished", "played", ok=False) == [4]
    assert stage.context.procedures.ended("played") is False


def test_the_automation_gives_up_a_step_that_hangs_and_people_do_not() -> None:
    for actor, over in (("automation", [31.0]), ("people", [])):
        stage = stage_of(step("promote", "promote", target={"region": OTHER}), step("after"), actor=actor)
        stage.context.apis.set(RDS, up=False)
        begin(stage)
        stage.until(120)
        assert stage.minutes("procedure_finished", "played", ok=False) == pytest.approx(over)


def test_a_step_that_is_begun_and_does_not_end_fails_at_its_timeout() -> None:
    """Pods never become ready: the API is up, and the wait has no end of its own."""
    ready = step("ready", "wait_ready", None, target={"region": OTHER}, timeout="3 min")
    stage = stage_of(ready, actor="automation", kubernetes__app_warm_up="60 min")
    stage.clusters[OTHER].deploy()
    begin(stage)
    stage.until(20)
    assert stage.minutes("procedure_finished", "played", ok=False) == pytest.approx([4])


def test_every_api_answers_when_that_is_not_modelled() -> None:
    stage = stage_of(step("deploy", "deploy", target={"region": OTHER}), switches__api_dependencies="off")
    stage.context.apis.set(KUBE, up=False)
    begin(stage)
    assert finished(stage.until(10)) == {"deploy": 3}


def test_a_record_cannot_be_changed_while_route_53_is_down_but_a_routing_control_can() -> None:
    record = stage_of(step("dns", "switch_dns", target={"region": OTHER}))
    routing = stage_of(step("dns", "switch_dns", target={"region": OTHER}, needs=["route53-data"]))
    for stage in (record, routing):
        stage.context.apis.set("route53", up=False)
        begin(stage)
        stage.until(30)
    assert not record.minutes("dns_switched")
    assert routing.minutes("dns_switched")


@pytest.mark.parametrize(("actor", "takes", "again_s"), [("people", None, 60), ("automation", None, 5)])
def test_a_refused_promotion_is_tried_again(actor: str, takes: str | None, again_s: float) -> None:
    backing_up = {"aws__replica_backup_at_s": 52_200, "postgres__start_of_run_s": 52_200}
    stage = stage_of(step("promote", "promote", takes, target={"region": OTHER}), actor=actor, **backing_up)
    begin(stage)
    stage.until(60)
    refused = stage.minutes("promotion_refused")
    assert [b - a for a, b in pairwise(refused)] == pytest.approx([again_s / 60] * (len(refused) - 1))
    assert 15 <= stage.minute("promotion_begun") <= 15 + again_s / 60
    assert stage.minutes("promoted")


# --- people err


def erring(found: str, *steps: dict[str, Any], share: str = "50 %", **more: object) -> list[Stage]:
    stages = [
        stage_of(*steps, trial=100 + t, people__step_error=share, people__error_found_at_verification=found, **more)
        for t in range(30)
    ]
    for stage in stages:
        begin(stage)
        stage.until(60)
    return stages


def test_an_error_found_at_once_costs_the_step_s_time_again() -> None:
    ends = set()
    for stage in erring("100 %", step("deploy", "deploy", target={"region": OTHER})):
        assert not finished(stage, ok=False)
        end = finished(stage)["deploy"]
        assert end % 2 == 1
        assert stage.minutes("pod_created")[0] == pytest.approx(end)
        ends.add(end)
    assert {3, 5, 7} <= ends


def test_an_error_that_is_not_found_has_no_effect_until_somebody_looks() -> None:
    """The next look finds it, and the step is done again before the look ends."""
    steps = (step("deploy", "deploy", target={"region": OTHER}), step("between"), step("verify", "verify"))
    seen = 0
    for stage in erring("0 %", *steps, share="30 %"):
        wrong = stage.minutes("step_finished", step="deploy", ok=False)
        right = stage.minute("step_finished", step="deploy", ok=True)
        if wrong:
            seen += 1
            assert wrong[0] == 3
            assert right >= stage.minute("step_finished", step="between") + 2
        assert stage.minutes("pod_created")[0] == pytest.approx(right)
        assert stage.minute("step_finished", step="verify") > right
        assert stage.minutes("procedure_finished", ok=True)
    assert 3 <= seen <= 17  # 9 of 30 expected


def test_an_error_of_the_last_step_is_found_before_the_procedure_ends() -> None:
    stages = erring("0 %", step("deploy", "deploy", target={"region": OTHER}), share="30 %")
    assert any(s.minutes("step_finished", ok=False) for s in stages)
    assert all(s.minutes("pod_created") for s in stages)


def test_nobody_mistypes_when_that_is_not_modelled_and_the_automation_never_does() -> None:
    deploy = step("deploy", "deploy", target={"region": OTHER})
    for stage in erring("0 %", deploy, share="100 %", switches__step_errors="off")[:3]:
        assert finished(stage) == {"deploy": 3}
    stage = stage_of(
        step("deploy", "deploy", "automation.step", target={"region": OTHER}),
        actor="automation",
        people__step_error="100 %",
    )
    begin(stage)
    assert finished(stage.until(5), ok=False) == {}


# --- ends


def test_an_interrupted_procedure_stops_between_steps_and_says_so() -> None:
    stage = stage_of(step("a"), step("deploy", "deploy", target={"region": OTHER}), step("c"))
    process = begin(stage)
    stage.until(4)
    process.interrupt("gone")
    stage.until(30)
    assert finished(stage) == {"a": 3}
    assert not stage.minutes("pod_created")
    assert stage.minutes("procedure_finished", "played", ok=False) == [4]
    assert stage.context.running == 0


def test_the_executor_knows_what_has_begun_and_how_it_ended() -> None:
    stage = stage_of(step("a"))
    procedures = stage.context.procedures
    assert isinstance(procedures, Procedures)
    assert procedures.begun() == ()
    begin(stage)
    stage.until(2)
    assert (procedures.begun(), procedures.ended("played"), stage.context.running) == (("played",), None, 1)
    stage.until(4)
    assert (procedures.ended("played"), stage.context.running) == (True, 0)


def test_whoever_assesses_reads_the_metric_not_the_truth() -> None:
    stage = stage_of(
        step("assess", "assess"), postgres__replication_lag="7 s", postgres__replication_lag_tail_share="0 %"
    )
    stage.context.database.lose(HOME)
    begin(stage)
    stage.until(5)
    seen = next(f.detail["observed_lag_s"] for f in stage.facts if f.kind == "step_finished")
    assert seen == pytest.approx(120 + 7, abs=1)  # published at minute 3, true at that instant


def test_a_change_says_when_it_begins_and_ends_and_when_it_is_rolled_back() -> None:
    """The rollback is what it takes from undoing the rollout to the end of the procedure that does it."""
    declared = {"downtime": "5 min", "rollback": "2 min", "window": "30 min"}
    release = procedure(
        step("image", "set_image", target={"region": HOME, "service": "strategic"}, **{"with": {"image": "next"}})
    ) | {"procedure": "release", "change": declared}
    undo = procedure(
        step("look", "assess"),
        step("undo", "rollout_undo", target={"region": HOME, "service": "strategic"}),
        step("after", "wait"),
    )
    stage = Stage(with_procedures(scenario(**EXACT), release, undo))
    Scripted(stage, healthy)
    stage.until(1)
    stage.do(stage.context.procedures.run("release", "people"))
    stage.until(10)
    assert stage.minutes("change_started", "release", change="release") == [1]
    assert stage.minutes("change_finished", "release", ok=True) == [3]
    assert not stage.minutes("rollback_started")
    begin(stage)
    stage.until(30)
    assert stage.minutes("rollback_started", "release", change="release") == [12]
    assert stage.minutes("rollback_finished", "release") == [16]


def test_an_undone_rollout_without_a_change_is_no_rollback_of_one() -> None:
    stage = stage_of(step("undo", "rollout_undo", target={"region": HOME, "service": "strategic"}))
    begin(stage)
    stage.until(10)
    assert finished(stage) == {"undo": 3}
    assert not stage.minutes("rollback_started")
