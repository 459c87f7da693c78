"""Deployments and the configuration, on the cluster's API."""

from typing import Any

import pytest

from experiments.platforms.eks.aws import Aws, AwsError
from experiments.platforms.eks.plans import Confirmation
from experiments.platforms.eks.verbs import do
from tests.contract.eks.kube import Api

PATH = "/apis/apps/v1/namespaces/grandmodel/deployments/risk-deployment"
CONFIG = "/api/v1/namespaces/grandmodel/configmaps/grandmodel-config"
SETS = "/apis/apps/v1/namespaces/grandmodel/replicasets"
PLAN = {"plan": {"risk": 3}}


@pytest.fixture
def deployment(api: Api) -> dict[str, Any]:
    status = {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1}
    api.objects[PATH] = {"metadata": {"generation": 2}, "spec": {"replicas": 1, "paused": False}, "status": status}
    found: dict[str, Any] = api.objects[PATH]
    return found


def test_scale_and_wait(aws: Aws, deployment: dict[str, Any], confirmed: Confirmation) -> None:
    do("scale", aws, PLAN, confirmed)
    assert deployment["spec"] == {"replicas": 3, "paused": False}
    with pytest.raises(AwsError, match="risk: found pods that are not ready"):
        do("wait_ready", aws, {**PLAN, "within_s": 0})
    deployment["status"] |= {"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3}
    assert do("wait_ready", aws, PLAN) == "risk ready"


def test_restart(aws: Aws, deployment: dict[str, Any], confirmed: Confirmation) -> None:
    do("restart", aws, PLAN, confirmed)
    assert "kubectl.kubernetes.io/restartedAt" in deployment["spec"]["template"]["metadata"]["annotations"]


def _template(image: str, **labels: str) -> dict[str, Any]:
    container = {"name": "risk-agent", "image": image, "ports": [8080]}
    return {"metadata": {"labels": {"app": "grandmodel", **labels}}, "spec": {"containers": [container]}}


def _revision(number: int, owner: str, image: str) -> dict[str, Any]:
    annotations = {"deployment.kubernetes.io/revision": str(number)}
    metadata = {"annotations": annotations, "ownerReferences": [{"uid": owner}]}
    return {"metadata": metadata, "spec": {"template": _template(image, **{"pod-template-hash": "abc"})}}


def test_images(aws: Aws, api: Api, deployment: dict[str, Any], confirmed: Confirmation) -> None:
    """Another image and nothing else; then back to the newest revision before, of this deployment."""
    deployment["metadata"]["uid"] = "risk"
    deployment["spec"]["template"] = _template("risk:2")
    do("set_image", aws, {**PLAN, "image": "risk:3"}, confirmed)
    assert deployment["spec"]["template"] == _template("risk:3")
    sets = [_revision(10, "risk", "risk:3"), _revision(9, "risk", "risk:2"), _revision(2, "risk", "risk:1")]
    api.objects[SETS] = {"items": [*sets, _revision(11, "tactical", "tactical:9")]}
    do("rollout_undo", aws, PLAN, confirmed)
    assert deployment["spec"]["template"] == _template("risk:2")


def test_nothing_to_go_back_to(aws: Aws, api: Api, deployment: dict[str, Any], confirmed: Confirmation) -> None:
    deployment["metadata"]["uid"] = "risk"
    api.objects[SETS] = {"items": [_revision(1, "risk", "risk:1"), _revision(2, "tactical", "tactical:1")]}
    with pytest.raises(AwsError, match="no revision before this one"):
        do("rollout_undo", aws, PLAN, confirmed)
    assert api.changed() == []


def test_configuration(aws: Aws, api: Api, confirmed: Confirmation) -> None:
    api.objects[CONFIG] = {"data": {"database_url": "old", "trading_enabled": "true"}}
    do("patch_config", aws, {"value": "new"}, confirmed)
    do("disable_trading", aws, {}, confirmed)
    assert api.objects[CONFIG]["data"] == {"database_url": "new", "trading_enabled": "false"}
    do("enable_trading", aws, {}, confirmed)
    assert api.objects[CONFIG]["data"]["trading_enabled"] == "true"
