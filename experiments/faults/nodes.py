"""The node that a fault of a service hits, and what else runs there."""

from typing import Any

from experiments.faults import base, cluster, containers
from experiments.testbed.layout import PLACES

_HOLDS_DATA = "gameday/holds-data"


def node_of(region: str, service: str) -> str:
    """Node of a service's first ready pod; one that holds no database is taken before one that does.

    Raises:
        NothingToHitError: its pods run on the control plane only: without it the whole region is lost.
    """
    found = [str(pod["spec"]["nodeName"]) for pod in cluster.ready_pods(region, service)]
    nodes = [name for name in found if name != PLACES[region].control_plane]
    if not nodes:
        found_words = f"pods on {base.listed(found)} only"
        raise base.nothing(f"{region}/{service}", found_words, "one on a worker", "Take the fault region-loss.")
    return min(nodes, key=holds_data)


def holds_data(node: str) -> bool:
    """Whether a node holds the region's database, its cache and its monitoring."""
    region = next((region for region, place in PLACES.items() if node in place.nodes), None)
    if region is None:
        return False
    labels = cluster.get(region, cluster.node_path(node))["metadata"].get("labels", {})
    return str(labels.get(_HOLDS_DATA)) == "yes"


def facts_of(region: str, service: str) -> dict[str, Any]:
    """What a plan keeps of a service's node: its container, the pods of ours on it, those of the service."""
    node = node_of(region, service)
    pods = [pod for pod in pods_on(region, node) if pod["metadata"]["namespace"] != "kube-system"]
    names = [cluster.name_of(pod) for pod in pods]
    own = {cluster.name_of(pod) for pod in cluster.pods(region, service)}
    return {
        "region": region,
        "node": node,
        "id": containers.working(node).id,
        "pods": names,
        "asked": [name for name in names if name in own],
        "targets": [node, *_subjects(region, pods)],
    }


def pods_on(region: str, node: str) -> list[cluster.Object]:
    """Pods on a node."""
    found: list[cluster.Object] = cluster.get(region, "/api/v1/pods", fieldSelector=f"spec.nodeName={node}")["items"]
    return found


def _subjects(region: str, pods: list[cluster.Object]) -> list[str]:
    labels = [(pod["metadata"].get("labels", {}), cluster.name_of(pod)) for pod in pods]
    return [f"{region}/{found.get('component') or found.get('app', 'other')}/{name}" for found, name in labels]


def words(facts: dict[str, Any]) -> str:
    """What is on the node, in words."""
    return base.listed(facts["pods"])
