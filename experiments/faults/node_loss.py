"""node-loss: the node that runs the service's first pod dies, and is started again when it is lifted."""

from typing import Any

from experiments.faults import base, nodes
from experiments.faults.machines import machines
from experiments.faults.nodes import gone, landed
from experiments.faults.verbs import Lift

__all__ = ["gone", "inject", "landed", "lift", "plan"]


def plan(region: str, service: str) -> base.Plan:
    """Plan for the node of the service's first ready pod."""
    return nodes.plan("node-loss", region, service, "dies", _started)


def _started(facts: nodes.Facts) -> Lift:
    return machines().started(*nodes.machine(facts))


def inject(fault: str, region: str, service: str) -> dict[str, Any]:
    """Have the node's machine die."""
    return base.inject(fault, plan(region, service), lambda planned: machines().kill(*nodes.machine(planned.facts)))


def lift(fault: str, by: str = "clean-up") -> str:
    """Start the node again."""
    return base.lift(fault, by)
