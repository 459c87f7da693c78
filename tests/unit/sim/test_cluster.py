"""Deployments keep their plan; rollouts keep to surge and unavailability; configuration is read when it is read."""

import pytest

from sim.data.commands import Command
from tests.unit.sim.stage import HOME, OTHER, S, Stage, StillPlane, scenario, with_procedures


def until_settled(stage: Stage, service: str, *, at_most: float = 30.0) -> list[tuple[int, int, int]]:
    """Play until every wanted pod is ready; return (ready, existing, not ready of the wanted) each second."""
    deployment = stage.clusters[HOME].deployments[service]
    seen = []
    minute = stage.context.now_ns / 60e9
    while minute < at_most:
        minute += 1 / 60
        stage.until(minute)
        wanted = deployment.wanted
        seen.append((deployment.ready_now, len(wanted), sum(p.template is deployment.template for p in wanted)))
        if seen[-1][0] == seen[-1][2] == deployment.plan:
            return seen
    raise AssertionError(f"{service} is not settled after {at_most} min")


@pytest.mark.proves("A rollout keeps three quarters of the plan ready and runs at most a quarter more, rounded up")
@pytest.mark.parametrize(("service", "plan", "surge", "unavailable"), [("risk", 8, 2, 2), ("strategic", 4, 1, 1)])
def test_a_rollout_keeps_to_surge_and_unavailability(service: str, plan: int, surge: int, unavailable: int) -> None:
    stage = Stage(scenario())
    before = set(stage.clusters[HOME].deployments[service].wanted)
    stage.clusters[HOME].restart(service)
    seen = until_settled(stage, service)
    assert min(ready for ready, _, _ in seen) == plan - unavailable
    assert max(existing for _, existing, _ in seen) == plan + surge
    assert not before & {p for p in stage.clusters[HOME].deployments[service].wanted if p.life == 0}


def test_one_pod_is_replaced_by_a_surge_without_a_gap() -> None:
    """Unavailability rounds down: a single pod stays until its successor is ready."""
    stage = Stage(scenario(services__risk__replicas=1))
    stage.clusters[HOME].restart("risk")
    assert min(ready for ready, _, _ in until_settled(stage, "risk")) == 1


def test_an_image_that_crashes_stops_the_rollout_and_undo_brings_the_old_one_back() -> None:
    stage = Stage(scenario())
    cluster = stage.clusters[HOME]
    cluster.set_image("strategic", "bad", crashes=True)
    stage.until(20)
    ready, plan = cluster.ready("strategic")
    assert (ready, plan) == (3, 4)
    assert {p.template.image for p in cluster.deployments["strategic"].wanted if p.ready} == {"released"}
    cluster.rollout_undo("strategic")
    until_settled(stage, "strategic")
    assert {p.template.image for p in cluster.deployments["strategic"].wanted} == {"released"}
    assert cluster.ready("strategic") == (4, 4)


def test_a_rollout_overtaken_by_another_one_ends() -> None:
    stage = Stage(scenario())
    cluster = stage.clusters[HOME]
    cluster.set_image("risk", "first")
    stage.until(0.2)
    cluster.set_image("risk", "second")
    until_settled(stage, "risk")
    assert {p.template.image for p in cluster.deployments["risk"].wanted} == {"second"}


def test_wait_ready_waits_for_the_whole_plan() -> None:
    stage = Stage(scenario())
    cluster = stage.clusters[OTHER]
    cluster.deploy()
    done = stage.do(cluster.wait_ready(["strategic", "tactical", "risk"]))
    while not done.triggered:
        stage.until(stage.context.now_ns / 60e9 + 1 / 60)
    assert all(cluster.ready(s)[0] == cluster.ready(s)[1] for s in ("strategic", "tactical", "risk"))
    assert len(stage.minutes("pod_ready")) == 16


def test_wait_ready_ends_at_once_when_all_is_ready() -> None:
    stage = Stage(scenario())
    done = stage.do(stage.clusters[HOME].wait_ready(["risk"]))
    stage.until(0.001)
    assert done.triggered


def test_scaling_down_takes_those_that_are_not_ready_first() -> None:
    stage = Stage(scenario())
    cluster = stage.clusters[HOME]
    crashing = cluster.deployments["risk"].wanted[3]
    cluster.pods.crash(crashing)
    cluster.scale("risk", 7)
    assert not crashing.exists
    assert cluster.ready("risk") == (7, 8)


def test_a_killed_pod_is_replaced() -> None:
    stage = Stage(scenario())
    cluster = stage.clusters[HOME]
    cluster.kill(cluster.ready_pods("strategic")[:2])
    assert cluster.ready("strategic") == (2, 4)
    until_settled(stage, "strategic")
    assert len(stage.minutes("pod_created")) == 2


def test_plan_and_ready_pods_are_sampled() -> None:
    stage = Stage(scenario())
    stage.clusters[HOME].scale("risk", 6)
    stage.until(1)
    stage.clusters[HOME].scale("risk", 8)
    stage.until(4)
    assert stage.sampled(f"{HOME}/risk", "replicas_planned", 30, 90) == [6, 8]
    assert stage.sampled(f"{HOME}/risk", "replicas_ready", 30, 61, 230) == [6, 6, 8]


def test_callers_hear_of_every_change() -> None:
    stage = Stage(scenario())
    stage.clusters[HOME].scale("risk", 6)
    stage.until(1)
    heard = [f.detail["ready"] for f in stage.facts if f.kind == "endpoints_changed"]
    assert heard == [7, 6]


# --- places


def test_a_procedure_may_scale_beyond_the_plan() -> None:
    more = {"verb": "scale", "target": {"region": HOME, "service": "risk"}, "with": {"replicas": 12}}
    step = {"id": "more", "title": "more", **more}
    stage = Stage(
        with_procedures(scenario(), {"procedure": "more", "actor": "people", "starts": "when-named", "steps": [step]})
    )
    sizes = {s: len(d.pods) for s, d in stage.clusters[HOME].deployments.items()}
    assert sizes == {"strategic": 9, "tactical": 9, "risk": 27}  # two plans and a surge
    stage.clusters[HOME].scale("risk", 12)
    assert len(stage.clusters[HOME].deployments["risk"].wanted) == 12


def test_running_out_of_places_is_our_bug_and_says_so() -> None:
    cluster = Stage(scenario()).clusters[HOME]
    with pytest.raises(AssertionError, match="free places"):
        cluster.scale("risk", 30)


# --- configuration


def trading(stage: Stage) -> list[tuple[float, int]]:
    assert isinstance(stage.plane, StillPlane)
    return [(t / S, a) for t, c, a, _, _ in stage.plane.commands if c == Command.TRADING]


def test_a_stop_is_read_within_a_minute_and_a_bit() -> None:
    took = []
    for trial in range(20):
        stage = Stage(scenario(), trial=trial)
        stage.clusters[HOME].patch_config("trading_enabled", "false")
        stage.until(2)
        ((at_s, on),) = trading(stage)
        assert on == 0
        assert stage.minute("trading_disabled") * 60 == pytest.approx(at_s, abs=1e-3)
        took.append(at_s)
    assert max(took) <= 70
    assert min(took) > 15  # the last of four pods has read it


def test_without_the_sync_it_is_read_at_once() -> None:
    stage = Stage(scenario(switches__config_sync="off"))
    stage.clusters[HOME].patch_config("trading_enabled", "true")
    stage.until(1)
    assert trading(stage) == [(pytest.approx(0, abs=1e-6), 1)]


def test_a_connection_string_is_read_when_pods_start_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(scenario())
    read: list[tuple[str, str]] = []
    monkeypatch.setattr(stage.context.database, "connect", lambda region, name: read.append((region, name)))
    cluster = stage.clusters[HOME]
    cluster.patch_config("database_url", "restored")
    stage.until(10)
    assert not read
    cluster.restart("tactical")
    stage.until(20)
    assert not read  # it is risk that reads it
    cluster.restart("risk")
    stage.until(30)
    assert read == [(HOME, "restored")]


# --- regions


def test_a_lost_region_keeps_its_objects_and_starts_them_again() -> None:
    stage = Stage(scenario())
    cluster = stage.clusters[HOME]
    cluster.lose()
    assert cluster.ready("risk") == (0, 8)
    stage.until(20)
    assert len(stage.minutes("pod_created")) == 0
    cluster.regain()
    stage.until(25)
    assert all(cluster.settled(s) and cluster.ready(s)[0] for s in ("strategic", "tactical", "risk"))
    assert all(p.listed for p in cluster.deployments["risk"].wanted)


def test_pods_under_way_when_the_region_is_lost_start_with_it() -> None:
    stage = Stage(scenario())
    cluster = stage.clusters[HOME]
    cluster.restart("risk")
    stage.until(0.1)
    cluster.lose()
    stage.until(5)
    cluster.regain()
    stage.until(12)
    assert cluster.settled("risk")
    assert cluster.deployments["risk"].ready_now >= 8
