"""What a scenario wants otherwise than the testbed has it: pods of services, an automation that does not work.

It is put back like a fault: kept before it is done, known to the reverter, lifted in the end.
"""

from collections.abc import Mapping
from typing import Any

from experiments.faults import base, cluster, nodes, verbs
from experiments.testbed.layout import NAMESPACE

NAME = "preparation"
_COST = "controller.kubernetes.io/pod-deletion-cost"
_AUTOMATION = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/failover-automation"


def prepare(region: str, plan: Mapping[str, int], automation: Mapping[str, Any]) -> str:
    """Scale services of the home region, and switch the automation off where a scenario has none that works.

    Args:
        region: the home region.
        plan: pods of each service.
        automation: `region` where it stands in the testbed, `works` whether it may act.
    """
    wanted = [(region, cluster.deployment_path(service), replicas) for service, replicas in plan.items()]
    wanted.append((str(automation["region"]), _AUTOMATION, 1 if automation["works"] else 0))
    changes = [(r, path, cluster.get(r, path)["spec"]["replicas"], replicas) for r, path, replicas in wanted]
    changes = [change for change in changes if change[2] != change[3]]
    lifts = tuple(verbs.patch(r, path, {"spec": {"replicas": before}}, "merge") for r, path, before, _ in changes)
    if not changes:
        return "the testbed is as the scenario wants it"
    base.store(NAME, base.Plan(NAME, (region,), "pods as the scenario wants them", lifts))
    for r, path, _, replicas in changes:
        if path != _AUTOMATION:
            _give_up_first(region)
        cluster.patch(r, path, {"spec": {"replicas": replicas}}, "merge")
    return f"{len(changes)} deployments scaled"


def _give_up_first(region: str) -> None:
    """Of several pods Kubernetes gives up those first that share a node with the database.

    So that a node which dies in a scenario with one pod of a service takes that pod, and not the database too.
    """
    cost = {"metadata": {"annotations": {_COST: "-100"}}}
    for pod in cluster.get(region, f"/api/v1/namespaces/{NAMESPACE}/pods", labelSelector="app=grandmodel")["items"]:
        if nodes.holds_data(str(pod["spec"].get("nodeName", ""))):
            cluster.patch(region, cluster.pod_path(cluster.name_of(pod)), cost, "merge")


def put_back() -> str:
    """Put everything back as it was; nothing happens when nothing was prepared."""
    said = base.undo(NAME, "clean-up")
    base.forget(NAME)
    return said
