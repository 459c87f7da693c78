"""Room, spread, the provisioner and its quota, leases, evictions in turn."""

from collections import Counter

import numpy as np
import pytest

from scenarios.errors import UsageError
from sim.control.nodes import Node
from tests.unit.sim.stage import HOME, OTHER, Stage, library, scenario


def other(size: str, value: object) -> dict[str, object]:
    """An override of the other region."""
    return {f"regions.{OTHER}.{size}": value}


def spread(stage: Stage, service: str) -> tuple[Counter[int], Counter[str]]:
    """Pods of a service by zone and by node."""
    nodes = [p.node for p in stage.clusters[HOME].deployments[service].pods if p.node is not None]
    return Counter(n.zone for n in nodes), Counter(n.name for n in nodes)


@pytest.mark.parametrize("service", ["strategic", "tactical", "risk"])
def test_pods_are_spread_over_zones_and_nodes(service: str) -> None:
    zones, nodes = spread(Stage(scenario()), service)
    assert max(zones.values()) - min(zones.values()) <= 1
    assert len(zones) == 3
    assert max(nodes.values()) - min(nodes.values()) <= 1


def test_pods_that_are_spread_over_nothing_go_where_most_room_is() -> None:
    stage = Stage(scenario(services__risk__spread="none", services__risk__replicas=2))
    nodes = stage.clusters[HOME].nodes
    for node in nodes.nodes[1:]:
        node.free_cpu = 4.0
    nodes.nodes[0].free_cpu = 13.0
    assert [nodes.place("risk") is nodes.nodes[0] for _ in range(3)] == [True] * 3


def test_no_room_no_place() -> None:
    nodes = Stage(scenario()).clusters[HOME].nodes
    for node in nodes.nodes:
        node.free_cpu = 3.9
    assert nodes.place("risk") is None
    assert nodes.place("strategic") is not None


def test_a_start_on_nodes_whose_room_is_in_pieces_too_small_is_refused() -> None:
    """48 vCPU for 48 vCPU of pods, and the last risk pod finds 2 on each node."""
    with pytest.raises(UsageError, match="room on one of them for each pod of risk"):
        Stage(scenario(**{f"regions.{HOME}.nodes": 3}))


def deployed(trial: int = 0, **overrides: object) -> Stage:
    stage = Stage(scenario(**overrides), trial=trial)
    stage.clusters[OTHER].deploy()
    return stage


def test_the_nodes_that_are_missing_are_launched_together() -> None:
    """48 vCPU of pods, one node of 16 there: two more, each in its own time."""
    times = np.array([deployed(t).until(8).minutes("node_ready") for t in range(40)]) * 60 - 1
    assert times.shape == (40, 2)
    assert 42 < np.median(times) < 60  # LN(50 s, .35), after Karpenter's second
    assert (times.max(axis=1) < 2 * np.median(times) + 70).mean() > 0.9  # side by side, not one after the other


def test_the_cluster_autoscaler_looks_later_and_takes_longer() -> None:
    times = [min(deployed(t, **other("provisioner", "cluster-autoscaler")).until(15).minutes("node_ready"))
             for t in range(15)]  # fmt: skip
    assert 60 < np.median(times) * 60 < 140


@pytest.mark.proves("A region at its quota gets no more nodes, and the plan is never ready")
def test_a_reached_quota_leaves_pods_without_a_node() -> None:
    stage = deployed(**other("node_quota", 2)).until(30)
    assert len(stage.minutes("node_ready")) == 1
    ready, plan = zip(*(stage.clusters[OTHER].ready(s) for s in ("strategic", "tactical", "risk")), strict=True)
    assert sum(plan) - sum(ready) == 4  # 16 vCPU too few
    stage.clusters[OTHER].scale("risk", 2)
    stage.until(45)
    assert all(p.ready for d in stage.clusters[OTHER].deployments.values() for p in d.wanted)


def test_without_a_provisioner_no_node_comes() -> None:
    assert not deployed(**other("provisioner", "none")).until(20).minutes("node_ready")


def test_no_node_is_launched_while_the_api_is_down() -> None:
    stage = deployed()
    stage.until(0.1)
    stage.context.apis.set(f"kubernetes:{OTHER}", up=False)
    assert not stage.until(10).minutes("node_ready")
    stage.context.apis.set(f"kubernetes:{OTHER}", up=True)
    assert len(stage.until(14).minutes("node_ready")) == 2


def test_a_launch_that_fails_is_tried_again() -> None:
    usual = min(deployed().until(10).minutes("node_ready"))
    failing = [deployed(t, kubernetes__node_launch_failure="50 %").until(30).minutes("node_ready") for t in range(12)]
    assert all(len(times) == 2 for times in failing)
    assert max(map(max, failing)) > usual + 60 / 60  # a minute, and the launch once more


# --- loss


def noticed_s(trials: int, **overrides: object) -> np.ndarray:
    stages = [Stage(library("risk-node-loss-1-replica", **overrides), trial=t) for t in range(trials)]
    return np.array([s.until_fact("node_not_ready") * 60 - 300 for s in stages])


def test_a_lost_node_is_seen_when_its_lease_is_old_enough() -> None:
    """50 s after the last renewal (up to 10 s before the loss), looked at each 5 s."""
    seen = noticed_s(60)
    assert 40 <= seen.min() < 44
    assert 51 < seen.max() <= 55
    assert seen.mean() == pytest.approx(47.5, abs=2)


def lost(stage: Stage, *numbers: int) -> list[Node]:
    nodes = [stage.clusters[HOME].nodes.nodes[n] for n in numbers]
    for node in nodes:
        stage.clusters[HOME].lose_node(node)
    return nodes


def replaced(stage: Stage) -> list[float]:
    return [m * 60 for m in stage.minutes("pod_created")]


def test_nodes_of_one_zone_are_evicted_one_after_the_other() -> None:
    """Nodes 0 and 3 share a zone: 0.1 nodes a second. All of a zone: at the same rate (upstream)."""
    stage = Stage(scenario(switches__node_leases="off"))
    lost(stage, 0, 3)
    assert sorted({round(t) for t in replaced(stage.until(8))}) == [300, 310]


def test_nodes_of_different_zones_do_not_wait_for_each_other() -> None:
    stage = Stage(scenario(switches__node_leases="off"))
    lost(stage, 0, 1)
    assert {round(t) for t in replaced(stage.until(8))} == {300}


def test_evictions_of_a_whole_zone_may_be_cancelled() -> None:
    stage = Stage(scenario(switches__node_leases="off", kubernetes__zone_loss_evicts="off"))
    lost(stage, 0, 3)
    assert not replaced(stage.until(20))


def test_when_all_zones_are_down_nothing_is_evicted() -> None:
    stage = Stage(scenario(switches__node_leases="off"))
    lost(stage, *range(6))
    assert not replaced(stage.until(20))


@pytest.mark.parametrize(("nodes", "small", "rate"), [(12, 50, 0.0), (12, 3, 0.01)])
def test_a_zone_with_most_nodes_lost_is_evicted_slowly_or_not(nodes: int, small: int, rate: float) -> None:
    """Three of four nodes of zone 0."""
    stage = Stage(
        scenario(switches__node_leases="off", kubernetes__zone_small_nodes=small, **{f"regions.{HOME}.nodes": nodes})
    )
    lost(stage, 0, 3, 6)
    times = sorted({round(t) for t in replaced(stage.until(20))})
    assert times == ([] if rate == 0.0 else [300, 400, 500])


def test_a_node_that_is_back_in_time_keeps_its_pods() -> None:
    stage = Stage(scenario(switches__node_leases="off"))
    (node,) = lost(stage, 0)
    stage.until(4)
    stage.clusters[HOME].regain_node(node)
    stage.until(10)
    assert not replaced(stage)
    assert all(p.ready and p.listed for d in stage.clusters[HOME].deployments.values() for p in d.wanted)


def test_a_node_lost_again_has_its_time_again() -> None:
    stage = Stage(scenario(switches__node_leases="off"))
    (node,) = lost(stage, 0)
    stage.until(4)
    stage.clusters[HOME].regain_node(node)
    stage.until(4.5)
    lost(stage, 0)
    assert {round(t) for t in replaced(stage.until(15))} == {round(4.5 * 60) + 300}


def test_a_pod_terminating_on_a_lost_node_is_gone_when_the_node_is_back() -> None:
    stage = Stage(scenario(switches__node_leases="off"))
    (node,) = lost(stage, 0)
    cluster = stage.clusters[HOME]
    stage.until(8)
    terminating = [p for p in cluster.pods_on(node) if not p.wanted]
    assert terminating
    cluster.regain_node(node)
    stage.until(9)
    assert not any(p.exists for p in terminating)
    assert node.free_cpu == 16
