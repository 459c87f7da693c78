"""node-loss: the node that runs the service's first pod dies, and is started again when it is lifted."""

from typing import Any

from experiments.faults import base, cluster, containers, nodes, verbs


def plan(region: str, service: str) -> base.Plan:
    """Plan for the node of the service's first ready pod."""
    facts = nodes.facts_of(region, service)
    radius = f"the node {facts['node']} in {region} dies, with what runs on it: {nodes.words(facts)}."
    return base.Plan("node-loss", tuple(facts["targets"]), radius, (verbs.start(facts["node"]),), facts)


def inject(fault: str, region: str, service: str) -> dict[str, Any]:
    """Kill the node's container."""
    return base.inject(fault, plan(region, service), lambda planned: containers.docker("kill", planned.facts["id"]))


def landed(fault: str) -> bool:
    """Whether the node does not work, and no pod of the service on it answers."""

    def see(planned: base.Plan) -> bool:
        facts = planned.facts
        return not containers.inspect(facts["node"]).works and not any(
            cluster.pod_answers(facts["region"], name) for name in facts["asked"]
        )

    return base.look(fault, see, without=False)


def gone(fault: str) -> bool:
    """Whether the node works, and everything in the region answers."""

    def see(planned: base.Plan) -> bool:
        return containers.inspect(planned.facts["node"]).works and cluster.all_answer(planned.facts["region"])

    return base.look(fault, see, without=True)


def lift(fault: str, by: str = "clean-up") -> str:
    """Start the node again."""
    return base.lift(fault, by)
