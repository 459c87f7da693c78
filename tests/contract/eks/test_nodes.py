"""Nodes: instances are moto's, the cluster's API is ours on loopback."""

import pytest

from experiments.platforms.eks.aws import Aws, AwsError
from experiments.platforms.eks.plans import Confirmation
from experiments.platforms.eks.verbs import do
from scenarios.errors import UsageError
from tests.contract.eks.conftest import CLUSTER, Account
from tests.contract.eks.kube import Api

TAGS = [{"Key": "eks:cluster-name", "Value": CLUSTER}]


def _instance(account: Account, tags: list[dict[str, str]]) -> str:
    specification = [{"ResourceType": "instance", "Tags": tags}]
    run = account.ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, TagSpecifications=specification)
    return str(run["Instances"][0]["InstanceId"])


@pytest.fixture
def instance(account: Account, api: Api) -> str:
    """Node one, with a risk pod on it."""
    instance = _instance(account, TAGS)
    api.add_node("one", instance)
    api.add_pod("risk-1", "one")
    return instance


def _state(account: Account, instance: str) -> str:
    found = account.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return str(found["State"]["Name"])


def test_list(aws: Aws, instance: str) -> None:
    assert do("list_nodes", aws, {"group": "general"}) == f"one general ready, {instance} running"


def test_stop_and_start(account: Account, aws: Aws, instance: str, confirmed: Confirmation) -> None:
    """By the service that it runs, or by its name."""
    do("stop_node", aws, {"service": "risk"}, confirmed)
    assert _state(account, instance) == "stopped"
    do("start_node", aws, {"node": "one"}, confirmed)
    assert _state(account, instance) == "running"


def test_terminate(account: Account, aws: Aws, instance: str, confirmed: Confirmation) -> None:
    do("terminate_node", aws, {"node": "one"}, confirmed)
    assert _state(account, instance) == "terminated"


@pytest.mark.proves("EKS: an instance without the cluster's tag is never touched")
@pytest.mark.parametrize("verb", ["stop_node", "terminate_node"])
def test_an_instance_of_somebody_else(verb: str, account: Account, aws: Aws, api: Api, confirmed: Confirmation) -> None:
    """A node that says another's instance is its own changes nothing."""
    foreign = _instance(account, [{"Key": "eks:cluster-name", "Value": "another"}])
    api.add_node("planted", foreign)
    with pytest.raises(AwsError, match="no tag of this cluster"):
        do(verb, aws, {"node": "planted"}, confirmed)
    assert _state(account, foreign) == "running"


def test_cordon_and_uncordon(aws: Aws, api: Api, instance: str, confirmed: Confirmation) -> None:
    do("cordon_node", aws, {"service": "risk"}, confirmed)
    assert "cordoned" in do("list_nodes", aws, {})
    do("uncordon_node", aws, {"node": "one"}, confirmed)
    assert "cordoned" not in do("list_nodes", aws, {})
    assert api.objects["/api/v1/nodes/one"]["spec"]["providerID"].endswith(instance)  # patched, not replaced


def test_drain(aws: Aws, api: Api, instance: str, confirmed: Confirmation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget's no is tried again; pods of the node itself and those of other nodes stay."""
    monkeypatch.setattr("experiments.platforms.eks.nodes.EVERY_S", 0.0)
    api.add_pod("tactical-1", "one")
    api.add_pod("agent-1", "one", owner="DaemonSet")
    api.add_pod("risk-2", "two")
    api.guarded.add("risk-1")
    assert do("drain_node", aws, {"node": "one"}, confirmed) == "one is drained of 2 pods, and cordoned"
    assert {pod["metadata"]["name"] for pod in api.pods} == {"agent-1", "risk-2"}
    evictions = [path.split("/")[-2] for _, path, _ in api.changed() if path.endswith("eviction")]
    assert sorted(evictions) == ["risk-1", "risk-1", "tactical-1"]
    assert api.objects["/api/v1/nodes/one"]["spec"]["unschedulable"]


def test_drain_that_a_budget_forbids(aws: Aws, api: Api, instance: str, confirmed: Confirmation) -> None:
    api.guarded.add("risk-1")
    with pytest.raises(AwsError, match=r"still there: grandmodel/risk-1.*stays cordoned"):
        do("drain_node", aws, {"node": "one", "within_s": 0}, confirmed)


def test_no_node(aws: Aws, confirmed: Confirmation) -> None:
    with pytest.raises(UsageError, match="neither `node`, `instance` nor `service`"):
        do("stop_node", aws, {}, confirmed)
    with pytest.raises(AwsError, match="no pod on any node"):
        do("stop_node", aws, {"service": "risk"}, confirmed)
