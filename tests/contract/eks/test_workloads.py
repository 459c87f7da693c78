"""Deployments and the configuration, on the cluster's API."""

from typing import Any

import pytest

from experiments.platforms.eks.aws import Aws, AwsError
from experiments.platforms.eks.plans import Confirmation
from experiments.platforms.eks.verbs import do
from tests.contract.eks.kube import Api

PATH = "/apis/apps/v1/namespaces/grandmodel/deployments/risk-deployment"
CONFIG = "/api/v1/namespaces/grandmodel/configmaps/grandmodel-config"
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


def test_configuration(aws: Aws, api: Api, confirmed: Confirmation) -> None:
    api.objects[CONFIG] = {"data": {"database_url": "old", "trading_enabled": "true"}}
    do("patch_config", aws, {"value": "new"}, confirmed)
    do("disable_trading", aws, {}, confirmed)
    assert api.objects[CONFIG]["data"] == {"database_url": "new", "trading_enabled": "false"}
    do("enable_trading", aws, {}, confirmed)
    assert api.objects[CONFIG]["data"]["trading_enabled"] == "true"
