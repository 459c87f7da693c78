"""From objects as the Kubernetes API sends them to facts."""

from typing import Any

from experiments.observe.cluster_facts import ClusterFacts
from experiments.observe.facts import Fact

SERVICES = {"strategic": "strategic-deployment", "risk": "risk-deployment"}
CREATED, LATER = "2026-01-02T03:04:05Z", "2026-01-02T03:05:05Z"


def _pod(name: str = "risk-a", *, ready: bool = False, component: str = "risk", **status: Any) -> dict[str, Any]:
    condition = {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": LATER}
    return {
        "metadata": {"name": name, "labels": {"component": component}, "creationTimestamp": CREATED},
        "status": {"conditions": [condition], **status},
    }


def _container(restarts: int, state: dict[str, Any], last: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "agent", "restartCount": restarts, "state": state, "lastState": last or {}}]}


def _cluster(*pods: dict[str, Any], planned: int = 1) -> ClusterFacts:
    cluster = ClusterFacts("us-east-1", SERVICES)
    assert cluster.listed("pods", list(pods)) == []  # how things stand is nothing that happened
    deployment = {"metadata": {"name": "risk-deployment"}, "spec": {"replicas": planned}}
    assert cluster.listed("deployments", [deployment]) == []
    return cluster


def _kinds(facts: list[Fact]) -> list[str]:
    return [f.kind for f in facts]


def test_the_life_of_a_pod() -> None:
    cluster = _cluster()
    created = cluster.changed("pods", _pod())
    assert [(f.kind, f.subject, f.source_epoch_us) for f in created] == [
        ("pod_created", "us-east-1/risk/risk-a", 1767323045000000)
    ]
    ready = cluster.changed("pods", _pod(ready=True))
    assert _kinds(ready) == ["pod_ready", "redundancy_restored"]
    assert ready[0].source_epoch_us == 1767323105000000
    assert (cluster.ready("risk"), cluster.pods("risk")) == (1, ["risk-a"])
    assert cluster.changed("pods", _pod(ready=True)) == []
    assert _kinds(cluster.changed("pods", _pod())) == ["pod_unready"]
    lost = cluster.deleted("pods", _pod())
    assert [(f.kind, f.detail) for f in lost] == [("pod_lost", {"reason": "deleted"})]
    assert cluster.ready("risk") == 0


def test_a_pod_that_vanished_while_nobody_watched_is_lost() -> None:
    cluster = _cluster(_pod(ready=True), _pod("risk-b", ready=True))
    assert _kinds(cluster.listed("pods", [_pod(ready=True)])) == ["pod_unready", "pod_lost"]
    assert cluster.ready("risk") == 1


def test_a_pod_that_is_being_deleted_does_not_count() -> None:
    pod = _pod(ready=True)
    cluster = _cluster(pod)
    assert cluster.ready("risk") == 1
    pod["metadata"]["deletionTimestamp"] = LATER
    cluster.changed("pods", pod)
    assert cluster.ready("risk") == 0


def test_pods_of_others_are_left_out() -> None:
    cluster = _cluster()
    assert cluster.changed("pods", _pod("redis-0", component="redis")) == []
    postgres = _pod("postgres-0", component="")
    postgres["metadata"]["labels"] = {"app": "postgres"}
    assert [f.subject for f in cluster.changed("pods", postgres)] == ["us-east-1/database/postgres-0"]


def test_every_end_of_a_container_is_a_crash_once() -> None:
    cluster = _cluster(_pod(**_container(0, {"running": {}})))
    ended = {"terminated": {"exitCode": 1, "finishedAt": LATER}}
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 1m20s restarting failed container"}}
    seen = []
    for status in (
        _container(0, ended),
        _container(1, {"running": {}}, ended),
        _container(1, waiting, ended),
        _container(1, waiting, ended),
        _container(2, {"running": {}}, ended),
        _container(2, ended, ended),
    ):
        seen += [f.detail for f in cluster.changed("pods", _pod(**status)) if f.kind == "crashed"]
    assert seen == [
        {"restarts": 1, "back_off_s": 0},
        {"restarts": 2, "back_off_s": 80},
        {"restarts": 3, "back_off_s": 20},
    ]


def test_nodes_come_and_go() -> None:
    cluster = ClusterFacts("us-east-1", SERVICES)

    def node(ready: str) -> dict[str, Any]:
        return {"metadata": {"name": "w"}, "status": {"conditions": [{"type": "Ready", "status": ready}]}}

    assert cluster.listed("nodes", [node("True")]) == []
    seen = [f for status in ("True", "Unknown", "False", "True") for f in cluster.changed("nodes", node(status))]
    assert [(f.kind, f.subject) for f in seen] == [
        ("node_not_ready", "us-east-1/w"),
        ("node_ready", "us-east-1/w"),
    ]


def test_endpoints_are_counted_over_all_slices() -> None:
    cluster = ClusterFacts("us-east-1", SERVICES)

    def part(name: str, *ready: bool) -> dict[str, Any]:
        labels = {"kubernetes.io/service-name": "risk-service"}
        ends = [{"conditions": {"ready": r}} for r in ready]
        return {"metadata": {"name": name, "labels": labels}, "endpoints": ends}

    assert cluster.listed("endpoints", [part("a", True, False)]) == []
    seen = [cluster.changed("endpoints", p) for p in (part("b", True), part("a", True, False), part("a", False, False))]
    seen.append(cluster.deleted("endpoints", part("b")))
    assert [[(f.subject, f.detail["ready"]) for f in facts] for facts in seen] == [
        [("us-east-1/risk", 2)],
        [],
        [("us-east-1/risk", 1)],
        [("us-east-1/risk", 0)],
    ]
    cluster.changed("endpoints", part("c", True))
    assert [f.detail for f in cluster.listed("endpoints", [])] == [{"ready": 0}]


def test_redundancy_is_back_when_as_many_are_ready_as_planned() -> None:
    cluster = _cluster(_pod(ready=True), _pod("risk-b", ready=True), planned=2)
    assert "redundancy_restored" not in _kinds(cluster.deleted("pods", _pod("risk-b")))
    assert "redundancy_restored" not in _kinds(cluster.changed("pods", _pod("risk-c")))
    back = cluster.changed("pods", _pod("risk-c", ready=True))
    assert [(f.subject, f.detail) for f in back if f.kind == "redundancy_restored"] == [
        ("us-east-1/risk", {"what": "replicas"})
    ]


def test_the_trading_switch_is_what_the_configuration_says() -> None:
    cluster = ClusterFacts("us-east-1", SERVICES)
    assert cluster.trading is None
    for said, meant in (("true", True), (" TRUE ", True), ("false", False), ("", False)):
        cluster.changed("configuration", {"metadata": {"name": "grandmodel-config"}, "data": {"trading_enabled": said}})
        assert cluster.trading is meant
