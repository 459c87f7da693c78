"""node-loss: the node that runs the service's first pod dies, and is started again when it is lifted."""

from typing import Any

from experiments.faults import base, containers, nodes, verbs
from experiments.faults.nodes import gone, landed

__all__ = ["gone", "inject", "landed", "lift", "plan"]


def plan(region: str, service: str) -> base.Plan:
    """Plan for the node of the service's first ready pod."""
    return nodes.plan("node-loss", region, service, "dies", verbs.start)


def inject(fault: str, region: str, service: str) -> dict[str, Any]:
    """Kill the node's container."""
    return base.inject(fault, plan(region, service), lambda planned: containers.docker("kill", planned.facts["id"]))


def lift(fault: str, by: str = "clean-up") -> str:
    """Start the node again."""
    return base.lift(fault, by)
