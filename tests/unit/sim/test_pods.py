"""A pod's life: pull, start, warm-up, readiness, endpoints; crashes and their back-off; hanging; deletion."""

import numpy as np
import pytest

from sim.control.pods import Pod
from sim.data.commands import Command, ReplicaState
from tests.unit.sim.stage import HOME, OTHER, S, Stage, StillPlane, scenario

QUICK = {
    "kubernetes.pod_start": "1 s",
    "kubernetes.app_warm_up": "20 s",
    "kubernetes.image_pull_cold": "12 s",
    "kubernetes.endpoint_propagation": "1 s",
}


def commands(stage: Stage, command: Command, place: int) -> list[tuple[float, int]]:
    """When a command was given for a place (in seconds), and its second argument."""
    assert isinstance(stage.plane, StillPlane)
    return [(t / S, b) for t, c, a, b, _ in stage.plane.commands if c == command and a == place]


def pods(stage: Stage, service: str = "risk", region: str = HOME) -> list[Pod]:
    return stage.clusters[region].deployments[service].wanted


def kill(stage: Stage, service: str = "risk", count: int = 1) -> list[Pod]:
    killed = pods(stage, service)[:count]
    stage.clusters[HOME].kill(killed)
    return killed


# --- beginning


def born(trial: int = 0, **overrides: object) -> tuple[Stage, Pod]:
    """A risk pod that replaces one killed at the start, with every time a constant but readiness."""
    stage = Stage(scenario(**QUICK, **overrides), trial=trial)
    before = set(pods(stage))
    kill(stage)
    (pod,) = set(pods(stage)) - before
    return stage, pod


def test_a_pod_answers_after_pull_start_and_warm_up() -> None:
    stage, pod = born()
    stage.until(1)
    serving = [t for t, state in commands(stage, Command.STATE, pod.place) if state == ReplicaState.SERVING]
    assert serving == [0.5 + 1 + 20]  # its node holds the image already


def test_a_node_without_the_image_pulls_it() -> None:
    stage = Stage(scenario(**QUICK))
    stage.clusters[OTHER].deploy()
    pod = pods(stage, "strategic", OTHER)[0]
    stage.until(1)
    assert [t for t, state in commands(stage, Command.STATE, pod.place) if not state] == [12 + 1 + 20]


def test_it_is_ready_at_its_next_readiness_probe_and_listed_after_that() -> None:
    waits = []
    for trial in range(40):
        stage, pod = born(trial)
        stage.until(1)
        ready = stage.minute("pod_ready", pod.name) * 60
        assert commands(stage, Command.LIST, pod.place) == [(pytest.approx(ready + 1), 1)]
        waits.append(ready - 21.5)
    assert 0 < min(waits) < 1.5
    assert 8.5 < max(waits) <= 10
    assert np.mean(waits) == pytest.approx(5, abs=1.2)


def test_it_starts_cold_and_fresh() -> None:
    stage, pod = born()
    stage.until(1)
    assert commands(stage, Command.LOSE, pod.place)[0] == (0, 1)
    assert commands(stage, Command.WARM, pod.place) == [(21.5, round(51.5 * S))]


@pytest.mark.parametrize(
    ("switch", "sooner_s"), [("image_pull", 0.5), ("app_warm_up", 20), ("endpoint_propagation", 1)]
)
def test_a_stage_that_is_switched_off_takes_no_time(switch: str, sooner_s: float) -> None:
    listed = []
    for off in ({}, {f"switches.{switch}": "off"}):
        stage, pod = born(**{"switches.readiness_probes": "off"}, **off)
        stage.until(1)
        listed.append(commands(stage, Command.LIST, pod.place)[0][0])
    assert listed[0] - listed[1] == pytest.approx(sooner_s, abs=1e-6)


# --- crashes


@pytest.mark.proves("A container that crashes is started again after 0, 10, 20, 40, 80, 160 and at most 300 s")
def test_the_back_off_doubles_up_to_five_minutes() -> None:
    stage = Stage(scenario(**QUICK, **{"kubernetes.time_to_crash": "2 s"}))
    pod = pods(stage)[0]
    stage.clusters[HOME].crash_loop("risk", [pod])
    stage.until(40)
    crashes = np.array(stage.minutes("crashed", pod.name)) * 60
    waits = np.diff(crashes) - 3  # each start takes a second, and its program two to crash
    assert waits[:9] == pytest.approx([0, 10, 20, 40, 80, 160, 300, 300, 300], abs=0.01)


def test_the_back_off_is_over_after_ten_good_minutes() -> None:
    stage = Stage(scenario(**QUICK))
    pod = pods(stage)[0]
    stage.until(1)
    for minute in (1, 2, 14):
        stage.until(minute)
        stage.clusters[HOME].pods.crash(pod)
    assert [f.detail["restarts"] for f in stage.facts if f.kind == "crashed"] == [1, 2]  # the third has no start yet
    stage.until(15)
    assert [f.detail["restarts"] for f in stage.facts if f.kind == "crashed"] == [1, 2, 1]


def test_a_crash_resets_connections_and_is_seen_at_once() -> None:
    stage = Stage(scenario(**QUICK))
    pod = pods(stage)[0]
    stage.clusters[HOME].pods.crash(pod)
    stage.until(0.1)
    assert commands(stage, Command.LOSE, pod.place)[0] == (0, 1)
    assert commands(stage, Command.LIST, pod.place) == [(1, 0)]
    assert stage.minutes("pod_unready", pod.name) == [0]


def test_pods_of_a_mended_deployment_come_back() -> None:
    stage = Stage(scenario(**QUICK))
    cluster = stage.clusters[HOME]
    cluster.crash_loop("risk", pods(stage))
    stage.until(10)
    assert cluster.ready("risk") == (0, 8)
    cluster.mend("risk")
    stage.until(20)
    assert cluster.ready("risk") == (8, 8)


# --- hanging


@pytest.mark.proves("The kubelet finds a pod that hangs after U(20, 30) + 1 s, three probes of 10 s that time out")
def test_a_pod_that_hangs_is_found_by_three_probes() -> None:
    found = []
    for trial in range(60):
        stage = Stage(scenario(**QUICK), trial=trial)
        pod = pods(stage)[0]
        stage.until(1)
        stage.clusters[HOME].hang([pod])
        found.append(stage.until_fact("pod_unready") * 60 - 60)
    assert min(found) > 21
    assert max(found) <= 31
    assert np.mean(found) == pytest.approx(26, abs=4 * 10 / 12**0.5 / 60**0.5)


def test_a_pod_that_goes_on_is_listed_again() -> None:
    stage = Stage(scenario(**QUICK))
    pod = pods(stage)[0]
    cluster = stage.clusters[HOME]
    cluster.hang([pod])
    stage.until(1)
    assert not pod.listed
    cluster.unhang([pod], [pod.life])
    stage.until(1.3)
    assert pod.ready
    assert pod.listed
    assert [state for _, state in commands(stage, Command.STATE, pod.place)] == [
        ReplicaState.BLACK_HOLE,
        ReplicaState.SERVING,
    ]


def test_one_that_goes_on_in_time_is_never_missed() -> None:
    stage = Stage(scenario(**QUICK))
    pod = pods(stage)[0]
    cluster = stage.clusters[HOME]
    cluster.hang([pod])
    stage.until(0.3)
    cluster.unhang([pod], [pod.life])
    stage.until(2)
    assert not stage.minutes("pod_unready")
    assert pod.listed


def test_another_pod_in_its_place_is_left_alone() -> None:
    stage = Stage(scenario(**QUICK))
    pod, life = pods(stage)[0], pods(stage)[0].life
    cluster = stage.clusters[HOME]
    cluster.hang([pod])
    cluster.kill([pod])
    cluster.unhang([pod], [life])
    assert not pod.serving


# --- deletion


def test_a_deleted_pod_refuses_at_once_is_unlisted_soon_and_killed_after_its_grace() -> None:
    stage = Stage(scenario(**QUICK))
    pod = pods(stage)[-1]
    stage.clusters[HOME].scale("risk", 7)
    assert pod in stage.clusters[HOME].deployments["risk"].pods
    gone = next(p for p in stage.clusters[HOME].deployments["risk"].pods if p.deleted_ns >= 0)
    stage.until(1)
    assert commands(stage, Command.STATE, gone.place) == [(0, ReplicaState.REFUSING)]
    assert commands(stage, Command.LIST, gone.place) == [(1, 0)]
    assert commands(stage, Command.LOSE, gone.place) == [(30, 1)]


def test_its_place_is_used_last() -> None:
    stage = Stage(scenario(**QUICK))
    (gone,) = kill(stage)
    new = pods(stage)
    assert gone not in new
    kill(stage, count=8)
    assert gone not in pods(stage)  # 16 places besides: the second eight are others again
