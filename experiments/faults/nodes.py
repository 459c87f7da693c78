"""The node that a fault of a service hits, and what else runs there."""

from collections.abc import Callable, Mapping
from typing import Any

from experiments.faults import base, cluster
from experiments.faults.machines import machines
from experiments.faults.verbs import Lift
from experiments.platforms.platform import platform
from experiments.testbed.layout import PLACES

_HOLDS_DATA = "gameday/holds-data"

Facts = Mapping[str, Any]


def machine(facts: Facts) -> tuple[str, str, str]:
    """Region, node and identity of the machine that a plan hits."""
    return facts["region"], facts["node"], facts["id"]


def plan(kind: str, region: str, service: str, hit: str, lift: Callable[[Facts], Lift]) -> base.Plan:
    """Plan for the node of the service's first ready pod. `hit`: what it does then, in words. Raises as `node_of`."""
    facts = facts_of(region, service)
    radius = f"the node {facts['node']} in {region} {hit}, with what runs on it: {words(facts)}."
    return base.Plan(kind, tuple(facts["targets"]), radius, (lift(facts),), facts)


def landed(fault: str) -> bool:
    """Whether the node does not work, and no pod of the service on it answers."""

    def see(planned: base.Plan) -> bool:
        facts = planned.facts
        return not machines().runs(*machine(facts)) and not any(
            cluster.pod_answers(facts["region"], name) for name in facts["asked"]
        )

    return base.look(fault, see, without=False)


def gone(fault: str) -> bool:
    """Whether the node works, or another in its stead, and everything in the region answers.

    One that goes on cut from its network is gone too when its region was replaced: it is out until the failback.
    """

    def see(planned: base.Plan) -> bool:
        here, its = machines(), machine(planned.facts)
        if here.is_fenced(*its) and is_replaced(planned):
            return True
        return (here.runs(*its) or here.has_successor(*its)) and cluster.all_answer(planned.facts["region"])

    return base.look(fault, see, without=True)


def is_replaced(planned: base.Plan) -> bool:
    """Whether the fault's region wrote before it, and another has taken its place: it is out until the failback."""
    return bool(planned.facts.get("wrote")) and platform().writer() != planned.facts["region"]


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
        "wrote": platform().writer() == region,
        "node": node,
        "id": machines().working(region, node),
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
