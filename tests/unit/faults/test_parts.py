"""Parts of faults that need no cluster: guards of patches, policies, quotas, what lifts a pressure."""

import json
from pathlib import Path
from typing import Any

import pytest

from experiments.faults import base, cluster, inside, partition, releases
from experiments.testbed.system.lifting import holds

DEPLOYMENT: dict[str, Any] = {
    "spec": {
        "replicas": 3,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        "template": {"spec": {"containers": [{"name": "agent", "image": "grandmodel/testbed:1"}]}},
    }
}
PATH = "/apis/apps/v1/namespaces/grandmodel/deployments/strategic-deployment"


def container() -> dict[str, Any]:
    found: dict[str, Any] = DEPLOYMENT["spec"]["template"]["spec"]["containers"][0]
    return found


def _pod(name: str, container: str) -> dict[str, Any]:
    statuses = [{"name": "agent", "containerID": f"containerd://{container}"}] if container else []
    return {
        "metadata": {"name": name, "uid": name},
        "spec": {"nodeName": "node", "containers": [{"name": "agent"}]},
        "status": {"containerStatuses": statuses},
    }


@pytest.mark.proves("Without a pod that can be asked, a partition has neither landed nor gone")
@pytest.mark.parametrize(
    ("pods", "connects", "landed", "gone"),
    [
        ([], True, False, False),
        ([_pod("starting", "")], True, False, False),
        ([_pod("another", "c2")], True, False, True),
        ([_pod("another", "c2")], False, True, False),
    ],
)
def test_a_partition_whose_pods_were_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pods: list[Any], connects: bool, landed: bool, gone: bool
) -> None:
    old = {"name": "old", "uid": "old", "node": "node", "container": "c1"}
    facts = {"region": "us-east-1", "pods": [old], "callee": ["redis", 6379]}
    base.keep("partition:0", base.Plan("partition", ("us-east-1/risk",), "calls hang", (), facts))
    monkeypatch.setattr(cluster, "pods", lambda *_: pods)
    monkeypatch.setattr(partition, "_reaches", lambda *_: connects)
    assert (partition.landed("partition:0"), partition.gone("partition:0")) == (landed, gone)


@pytest.mark.parametrize("by", ["config", "image"])
def test_a_bad_release_is_taken_back_only_while_it_is_ours(by: str) -> None:
    key, bad = releases.change(container(), by)
    lift = releases.taken_back("us-east-1", PATH, container(), key, bad)
    test, back = lift.arguments["patch"]
    assert (test["op"], test["value"]) == ("test", bad)
    assert back["op"] == ("replace" if by == "image" else "remove")
    assert holds(DEPLOYMENT, [test, back]), "an operator's rollback leaves nothing to take back"


def test_guards_hold_no_character_that_the_api_server_compares_wrongly() -> None:
    """Its JSON patches compare texts as they were sent with texts in which <, > and & are escaped."""
    for by in ("config", "image"):
        assert not set("<>&") & set(json.dumps(releases.change(container(), by)))


def test_a_bad_image_is_one_of_the_same_repository() -> None:
    assert releases.change(container(), "image") == ("image", "grandmodel/testbed:no-such-release")


@pytest.mark.parametrize(("share", "pods"), [(1.0, 3), (0.5, 2), (0.01, 1)])
def test_a_share_of_the_pods_is_replaced_at_once(share: float, pods: int) -> None:
    strategy = releases.all_at_once(DEPLOYMENT, share)
    assert strategy["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": pods}
    back = releases.strategy_back("us-east-1", PATH, DEPLOYMENT, strategy).arguments["patch"]
    assert back[0]["value"] == strategy
    assert back[1]["value"] == DEPLOYMENT["spec"]["strategy"]


@pytest.mark.parametrize(
    ("reason", "crashes"), [("CrashLoopBackOff", 1), ("ImagePullBackOff", 1), ("ContainerCreating", 0)]
)
def test_pods_that_do_not_come_up(monkeypatch: pytest.MonkeyPatch, reason: str, crashes: int) -> None:
    pods = [
        {"status": {"containerStatuses": [{"state": {"waiting": {"reason": reason}}}]}},
        {"status": {"containerStatuses": [{"state": {"running": {}}}]}},
        {"status": {}},
    ]
    monkeypatch.setattr(releases.cluster, "pods", lambda *_: pods)
    assert releases.crashing("us-east-1", "strategic") == crashes


@pytest.mark.parametrize(
    ("callee", "key", "value"),
    [({"app": "grandmodel", "component": "risk"}, "component", "risk"), ({"app": "postgres"}, "app", "postgres")],
)
def test_a_partition_leaves_everything_else_reachable(callee: dict[str, str], key: str, value: str) -> None:
    policy = partition._policy("p", "tactical", callee, ["10.244.0.0/24", "10.244.1.0/24"])
    assert policy["spec"]["podSelector"] == {"matchLabels": {"component": "tactical"}}
    pods, others, outside = policy["spec"]["egress"][0]["to"]
    assert pods["podSelector"]["matchExpressions"] == [{"key": key, "operator": "NotIn", "values": [value]}]
    assert others["namespaceSelector"]["matchExpressions"][0]["operator"] == "NotIn"
    assert outside["ipBlock"]["except"] == ["10.244.0.0/24", "10.244.1.0/24"]


def test_a_pod_names_whom_it_calls() -> None:
    environment = [{"name": "NEXT_URL", "value": "http://risk-service:8080"}]
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"env": environment}]}}
    assert partition.callee_of("us-east-1", pod) == ("risk-service", 8080)


def test_quotas_of_both_versions_of_control_groups() -> None:
    assert inside.quota_of("cpu.max", 0.05, "100000 100000") == "5000 100000"
    assert inside.quota_of("cpu.max", 0.5, "max 50000") == "25000 50000"
    assert inside.quota_of("cpu.cfs_quota_us", 0.05, "100000") == "5000"


def test_a_table_of_packets_is_removed_whether_it_is_there_or_not() -> None:
    assert inside.unfiltering("t") == ["nft", "add table inet t; delete table inet t"]
