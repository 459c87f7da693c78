"""node-pause: the node that runs the service's first pod hangs, and goes on where it was when it is lifted."""

from typing import Any

from experiments.faults import base, containers, nodes, verbs
from experiments.faults.nodes import gone, landed

__all__ = ["gone", "inject", "landed", "lift", "plan"]


def plan(region: str, service: str) -> base.Plan:
    """Plan for the node of the service's first ready pod."""
    return nodes.plan("node-pause", region, service, "hangs", lambda facts: verbs.unpause(facts["node"]))


def inject(fault: str, region: str, service: str) -> dict[str, Any]:
    """Pause the node's container."""
    return base.inject(fault, plan(region, service), lambda planned: containers.docker("pause", planned.facts["id"]))


def lift(fault: str, by: str = "clean-up") -> str:
    """Let the node go on."""
    return base.lift(fault, by)
