"""The reverter's pod: made in another cluster than the one that is hit, asked by objects, it lifts when all is silent.

Whatever is written here goes over TLS to a double of each cluster's API, by the product's own clients on both sides.
"""

import base64
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.faults import verbs
from experiments.platforms.eks import boxes as boxes_module
from experiments.platforms.eks import pods as pods_module
from experiments.platforms.eks import undoing
from experiments.platforms.eks.boxes import Box, SilentError, boxes
from experiments.platforms.eks.holders import Holders
from experiments.platforms.eks.pods import PodError, Pods, deployment, found
from experiments.platforms.eks.postings import LIFTED_BY, Posting
from experiments.platforms.eks.sites import site_of
from experiments.platforms.eks.targets import Outside, Target
from experiments.safety.identity import fingerprint
from experiments.safety.undo import Undone
from experiments.testbed.system.apiserver import ApiServerError
from experiments.testbed.system.plan import EMPTY, Store
from experiments.testbed.system.watch import RefusedError, Watch
from scenarios.errors import UsageError
from tests.contract.eks.clusters import EAST, NAMESPACE, PATH, TOKEN, WEST, Clusters, Keeping, Pod, two, until
from tests.contract.eks.kube import UID
from tests.unit.safety.doubles import Lifting

STEPS = [{"op": "test", "path": "/spec/replicas", "value": 0}, {"op": "replace", "path": "/spec/replicas", "value": 2}]
LIFT = verbs.patch(EAST, PATH, STEPS, "json").to_json()
ELSEWHERE = verbs.unpause("gameday-a").to_json()
POSTING = Posting(EAST, WEST, (LIFTED_BY["redis-loss"], LIFTED_BY["cordon-drain"]))


@pytest.fixture(scope="module")
def apis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Keeping, Keeping]]:
    with two(tmp_path_factory.mktemp("clusters")) as found:
        yield found


@pytest.fixture
def clusters(apis: tuple[Keeping, Keeping], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clusters]:
    monkeypatch.setattr(boxes_module, "LOOK_S", 0.02)
    for patience in ("ASKED_WITHIN_S", "LIFTS_WITHIN_S", "ECHO_WITHIN_S", "CALL_S"):
        monkeypatch.setattr(boxes_module, patience, 30.0)  # whatever else this machine does
    found = Clusters(*apis, tmp_path)
    yield found
    found.end()


@pytest.fixture
def pods(clusters: Clusters) -> Pods:
    return Pods((POSTING,), clusters.folder, "registry.example.com/testbed:1", 7200.0, {})


def _box(pods: Pods) -> Box:
    return boxes(pods.pairs, pods.folder)[EAST]


def _holders(pods: Pods) -> Holders:
    (pods.folder / "here").mkdir()
    return Holders(Watch(Store(pods.folder / "here"), Lifting(), ""), boxes(pods.pairs, pods.folder))


def _plan(generation: int, *lifts: Any, run: str = "one") -> dict[str, Any]:
    return {"run": run, "home": "", "nodes": {}, "network": "", "generation": generation, "lifts": list(lifts)}


@pytest.mark.proves("EKS: when nothing of the runner's machine is heard the pod in the other cluster lifts by itself")
def test_it_lifts_in_silence(clusters: Clusters, pods: Pods) -> None:
    clusters.silent_s = 0.5
    pods.make()
    clusters.break_it()
    assert _holders(pods).put(_plan(1, LIFT)).lifts == (LIFT,)
    until(lambda: clusters.replicas == 2)
    until(lambda: _box(pods).plan.lifted_by == "silence")
    assert f"Bearer {TOKEN}" in clusters.of[EAST].tokens, "by the account that may lift, and not by ours"
    with pytest.raises(RefusedError, match="was silent"):
        _box(pods).put(_plan(2, LIFT))


def test_heartbeats_reach_it_and_are_echoed(clusters: Clusters, pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    pods.make()
    holders = _holders(pods)
    holders.put(_plan(1, LIFT))
    [pod] = clusters.pods
    for _ in range(3):
        before = pod.watch._heard_s
        holders.heard("one")
        until(partial(_is_later, pod, before))
    pod.end()
    holders.heard("one")
    monkeypatch.setattr(boxes_module, "ECHO_WITHIN_S", 0.0)
    with pytest.raises(SilentError, match="echoed no heartbeat"):
        holders.heard("one")


def _is_later(pod: Pod, before: float) -> bool:
    return pod.watch._heard_s > before


@pytest.mark.proves("EKS: a lift that the pod could not perform is not echoed, so its fault is not injected")
@pytest.mark.parametrize(
    ("lift", "why"),
    [
        (verbs.aws(EAST, "start_node", {"instance": "i-1"}), "no AWS"),
        (ELSEWHERE, "no Docker"),
        (verbs.patch(EAST, f"{PATH}-else", {"spec": {}}, "merge"), "404"),
        (verbs.patch(WEST, PATH, {"spec": {}}, "merge"), "kubeconfig-us-west-2"),
    ],
    ids=["AWS", "Docker", "no such object", "another cluster"],
)
def test_no_echo_of_what_it_cannot_lift(lift: Any, why: str, pods: Pods) -> None:
    pods.make()
    document = lift if isinstance(lift, dict) else lift.to_json()
    with pytest.raises(RefusedError, match=why):
        _box(pods).put(_plan(1, document))
    assert _box(pods).plan.lifts == ()


def test_what_is_rehearsed_changes_nothing(clusters: Clusters, pods: Pods) -> None:
    pods.make()
    _box(pods).put(_plan(1, verbs.patch(EAST, PATH, {"spec": {"replicas": 7}}, "merge").to_json()))
    assert clusters.replicas == 2


def test_a_new_pod_takes_the_plan_up(clusters: Clusters, pods: Pods) -> None:
    """Its node died: what it held is in its cluster."""
    pods.make()
    _box(pods).put(_plan(1, LIFT))
    clusters.pods[0].end()
    clusters.break_it()
    clusters.silent_s = 0.3
    clusters.start(WEST)
    until(lambda: clusters.replicas == 2)


def test_of_two_pods_that_write_one_is_refused(clusters: Clusters, pods: Pods) -> None:
    """The old one was cut off, and is back: it reads what the new one has before it lifts."""
    pods.make()
    _box(pods).put(_plan(1, LIFT))
    old = clusters.pods[0]
    old.end()
    clusters.start(WEST)
    _box(pods).put(_plan(2))
    with pytest.raises(ApiServerError, match="409"):
        old.watch.put(_plan(2, LIFT))
    assert _box(pods).plan.lifts == ()


def test_a_damaged_plan_is_set_aside_and_one_that_could_not_be_read_is_not(clusters: Clusters, pods: Pods) -> None:
    pods.make()
    _box(pods).put(_plan(1, LIFT))
    store = clusters.pods[0].watch._store
    with pytest.raises(ApiServerError, match="can be now"):
        store.set_aside()
    assert store.read().lifts == (LIFT,)
    clusters.of[WEST].objects[f"{NAMESPACE}/secrets/plan"]["data"]["plan"] = "damaged"
    store.set_aside()
    assert store.read() == EMPTY


# --- several holders


def test_each_lift_is_held_where_it_can_be(clusters: Clusters, pods: Pods) -> None:
    """That of a cluster's API by the pod, any other by this machine; one face, one generation, results in order."""
    pods.make()
    holders, box = _holders(pods), _box(pods)
    stored = holders.put(_plan(1, ELSEWHERE, LIFT))
    assert stored.lifts == (ELSEWHERE, LIFT)
    assert box.plan.lifts == (LIFT,)
    with pytest.raises(RefusedError, match="generation 7"):
        holders.put(_plan(7))
    clusters.break_it()
    held = holders.lift(1, by="clean-up", only=[LIFT, ELSEWHERE])
    assert [result["verb"] for result in held.results] == ["kube-patch", "docker-unpause"], "in the order asked for"
    assert all(result["ok"] for result in held.results)
    assert clusters.replicas == 2
    assert (holders.plan.generation, holders.plan.lifts, box.plan.generation) == (2, (), 2)
    holders.put(_plan(3, LIFT))
    assert holders.drop(3).lifts == ()
    assert holders.plan.generation == 4


def test_it_is_not_done_while_one_has_not_lifted(clusters: Clusters, pods: Pods) -> None:
    clusters.silent_s = 0.3
    pods.make()
    holders = _holders(pods)
    holders.put(_plan(1, ELSEWHERE, LIFT))
    until(lambda: _box(pods).plan.done)
    assert not holders.plan.done, "this machine holds the other one"
    assert holders.plan.lifted_by == "silence"
    assert holders.plan.lifts[: len(holders.plan.results)] == (LIFT,)
    holders.lift(1, by="clean-up")
    assert holders.plan.done


def test_without_its_pods_there_is_a_plan_of_this_machine(pods: Pods) -> None:
    """Before they are made, and after they were removed."""
    assert _holders(pods).plan == EMPTY


# --- making and removing


def test_all_of_it_is_removed(clusters: Clusters, pods: Pods) -> None:
    before = {region: set(each.objects) for region, each in clusters.of.items()}
    pods.make()
    kinds = {path.split("/")[-2] for path in clusters.ours()}
    assert {"deployments", "secrets", "leases", "roles", "clusterroles", "clusterrolebindings"} <= kinds
    assert found((EAST, WEST), pods.folder) == {EAST: WEST}
    pods.remove()
    assert {region: set(each.objects) for region, each in clusters.of.items()} == before
    assert found((EAST, WEST), pods.folder) == {}


def test_each_hit_by_the_other(clusters: Clusters, pods: Pods) -> None:
    back = Posting(WEST, EAST, (LIFTED_BY["redis-loss"],))
    both = replace(pods, postings=(POSTING, back))
    both.make()
    assert found((EAST, WEST), pods.folder) == {EAST: WEST, WEST: EAST}
    both.remove()
    assert clusters.ours() == []


def test_what_another_run_left_is_refused_and_stays(pods: Pods) -> None:
    pods.make()
    with pytest.raises(PodError, match="gameday undo --world eks"):
        pods.make()
    assert found((EAST, WEST), pods.folder) == {EAST: WEST}


@pytest.mark.proves(
    "EKS: a token that ends before the run and its longest undo do is refused, and nothing stays behind"
)
def test_a_token_that_is_too_short(clusters: Clusters, pods: Pods) -> None:
    clusters.of[EAST].lasts_s = 3600.0
    with pytest.raises(PodError, match=r"one for 2\.0 h"):
        pods.make()
    assert clusters.ours() == []


def test_a_pod_that_does_not_come_up(clusters: Clusters, pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pods_module, "STARTS_WITHIN_S", 0.0)
    monkeypatch.setattr(boxes_module, "ASKED_WITHIN_S", 0.1)
    clusters.images = False
    with pytest.raises(PodError, match="has not answered"):
        pods.make()
    assert clusters.ours() == []


def test_the_way_from_pods(clusters: Clusters, pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address of its own, the authority that the cluster hands to its pods, and the token of the lifting account."""
    clusters.images = False
    monkeypatch.setattr(Pods, "_wait", lambda *_: None)
    replace(pods, addresses={EAST: "https://inside:6443"}).make()
    [content] = clusters.of[WEST].objects[f"{NAMESPACE}/secrets/access"]["data"].values()
    document = yaml.safe_load(base64.b64decode(content))
    assert document["clusters"][0]["cluster"]["server"] == "https://inside:6443"
    assert document["users"] == [{"name": "gameday-reverter", "user": {"token": TOKEN}}]


def test_whether_a_run_is_heard(clusters: Clusters, pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    """From whatever machine: undo must not lift under a run that is on."""
    pods.make()
    box = _box(pods)
    monkeypatch.setattr(boxes_module.time, "sleep", lambda _: box.heard("theirs"))
    assert box.is_heard() == "theirs"
    monkeypatch.undo()
    monkeypatch.setattr(boxes_module, "WATCHED_S", 0.1)
    assert box.is_heard() == ""


def test_the_pod_is_one_and_may_little() -> None:
    spec = deployment("image:1", 20.0)["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (1, "Recreate")
    pod = spec["template"]["spec"]
    [container] = pod["containers"]
    assert (container["image"], container["args"]) == ("image:1", ["mailbox"])
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert "ports" not in container


# --- undo, from a fresh shell


@pytest.fixture
def targets(clusters: Clusters) -> dict[str, Target]:
    return {
        region: Target(
            account="123456789012", region=region, cluster="production", kube_system_uid=UID,
            ca_sha256=fingerprint(api.authority), kubeconfig=str(clusters.folder / f"kubeconfig-{region}.yaml"),
            context="east", edge="127.0.0.1", database="any", database_at="127.0.0.1:9", record="trade.example.com",
        )
        for region, api in clusters.of.items()
    }  # fmt: skip


def _undo(targets: dict[str, Target], monkeypatch: pytest.MonkeyPatch, state: Path) -> Undone:
    monkeypatch.setenv("GAMEDAY_STATE", str(state))
    for asks_aws in ("see_trading", "_see_primary"):
        monkeypatch.setattr(undoing, asks_aws, lambda *_: None)
    return undoing.undo(lambda *_: None, site_of(targets, Outside(dns="127.0.0.1:9")), targets)


@pytest.mark.proves(
    "EKS: gameday undo reads from its cluster what a pod holds, lifts what is left, and removes the pod"
)
@pytest.mark.parametrize("silent_s", [0.3, 600.0], ids=["lifted by the pod", "lifted by undo"])
def test_undo_on_another_machine(
    silent_s: float, clusters: Clusters, pods: Pods, targets: dict[str, Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is known there of the run: neither a process nor a ledger."""
    clusters.silent_s = silent_s
    pods.make()
    clusters.break_it()
    _box(pods).put(_plan(1, LIFT))
    if silent_s < 1:
        until(lambda: _box(pods).plan.done)
    monkeypatch.setattr(boxes_module, "WATCHED_S", 0.1)
    done = _undo(targets, monkeypatch, clusters.folder / "state")
    assert [result.ok for result in done.lifted] == [True]
    assert done.left == []
    assert clusters.replicas == 2
    assert clusters.ours() == []


def test_undo_refuses_while_a_run_of_another_machine_is_on(
    clusters: Clusters, pods: Pods, targets: dict[str, Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    pods.make()
    _box(pods).put(_plan(1, LIFT))
    monkeypatch.setattr(Box, "is_heard", lambda _: "theirs")
    with pytest.raises(UsageError, match="run theirs is on"):
        _undo(targets, monkeypatch, clusters.folder / "state")
    assert _box(pods).plan.lifts == (LIFT,)


def test_undo_where_no_pod_is(clusters: Clusters, targets: dict[str, Target], monkeypatch: pytest.MonkeyPatch) -> None:
    """None was ever made, or the role may not even look."""
    done = _undo(targets, monkeypatch, clusters.folder / "state")
    assert (done.lifted, done.left) == ([], [])
    assert clusters.of[EAST].changed() == []
