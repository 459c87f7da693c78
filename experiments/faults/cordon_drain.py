"""cordon-drain: the node that runs the service's first pod takes no pods any more, and those on it are evicted.

Evictions that a disruption budget refuses are tried again for a while; what is still there then stays.
"""

from typing import Any

from experiments.faults import base, cluster, nodes, verbs
from experiments.operate.moments import moments

TRIES_FOR_S = 45.0
_MIRROR = "kubernetes.io/config.mirror"
_AGAIN = 429  # a disruption budget says: not now


def plan(region: str, service: str) -> base.Plan:
    """Plan for the node of the service's first ready pod.

    Raises:
        NothingToHitError: it takes no pods already: the lift would undo what somebody else has done.
    """
    facts = nodes.facts_of(region, service)
    path = cluster.node_path(facts["node"])
    if cluster.get(region, path)["spec"].get("unschedulable", False):
        raise base.nothing(facts["node"], "a node that takes no pods", "one that does", "Uncordon it first.")
    radius = f"the node {facts['node']} in {region} is drained; what runs on it moves: {nodes.words(facts)}."
    lift = verbs.patch(region, path, {"spec": {"unschedulable": None}}, "merge")
    return base.Plan("cordon-drain", tuple(facts["targets"]), radius, (lift,), facts)


def inject(fault: str, region: str, service: str) -> dict[str, Any]:
    """Cordon the node and evict its pods."""
    return base.inject(fault, plan(region, service), _act)


def _act(planned: base.Plan) -> None:
    region, node = planned.facts["region"], planned.facts["node"]
    cluster.patch(region, cluster.node_path(node), {"spec": {"unschedulable": True}}, "merge")
    moments.poll(lambda: all([_evicted(region, pod) for pod in _to_evict(region, node)]), TRIES_FOR_S, every_s=1.0)


def _to_evict(region: str, node: str) -> list[cluster.Object]:
    """Pods that can live elsewhere: neither a daemon set's nor the node's own."""
    return [
        pod
        for pod in nodes.pods_on(region, node)
        if _MIRROR not in pod["metadata"].get("annotations", {})
        and "deletionTimestamp" not in pod["metadata"]
        and not any(owner["kind"] == "DaemonSet" for owner in pod["metadata"].get("ownerReferences", []))
    ]


def _evicted(region: str, pod: cluster.Object) -> bool:
    """Evict a pod. Returns False when it must be tried again."""
    name, namespace = cluster.name_of(pod), pod["metadata"]["namespace"]
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
        "deleteOptions": {"preconditions": {"uid": cluster.uid_of(pod)}},
    }
    try:
        cluster.call(region, "POST", f"{cluster.pod_path(name, namespace)}/eviction", eviction)
    except cluster.KubernetesError as error:
        if error.status == _AGAIN:
            return False
        if error.status not in (404, 409):  # gone, or another of its name
            raise
    return True


def landed(fault: str) -> bool:
    """Whether nothing that can live elsewhere is on the node."""

    def see(planned: base.Plan) -> bool:
        region, node = planned.facts["region"], planned.facts["node"]
        cordoned = cluster.get(region, cluster.node_path(node))["spec"].get("unschedulable", False)
        return bool(cordoned) and not _to_evict(region, node)

    return base.look(fault, see, without=False)


def gone(fault: str) -> bool:
    """Whether the node takes pods, and everything in the region is ready."""

    def see(planned: base.Plan) -> bool:
        region, node = planned.facts["region"], planned.facts["node"]
        cordoned = cluster.get(region, cluster.node_path(node))["spec"].get("unschedulable", False)
        return not cordoned and cluster.all_settled(region)

    return base.look(fault, see, without=True)


def lift(fault: str, by: str = "clean-up") -> str:
    """Let the node take pods again."""
    return base.lift(fault, by)
