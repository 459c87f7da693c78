"""region-loss: a whole region is lost: nodes, database, control plane and its monitoring.

pause: it hangs, and goes on where it was. stop: its containers die and start again. cut: it runs on and nobody can
reach it.
"""

from typing import Any

from experiments.faults import base, cluster, containers, verbs
from experiments.faults.nodes import is_replaced as replaced
from experiments.safety.lifting import OUTSIDE_URL
from experiments.testbed.layout import NETWORK, PLACES
from experiments.testbed.system.returning import writer

WAYS = {"pause": "paused", "stop": "stopped", "cut": "cut from the network"}


def plan(region: str, by: str = "pause") -> base.Plan:
    """Plan to lose every node container of a region."""
    if by not in WAYS:
        raise base.nothing("region-loss", f"by: {by}", f"one of {', '.join(WAYS)}", "Choose one of them.")
    nodes = [containers.working(name) for name in PLACES[region].nodes]
    lifts = {
        "pause": [verbs.unpause(node.name) for node in nodes],
        "stop": [verbs.start(node.name) for node in nodes],
        "cut": [verbs.connect(node.name, NETWORK, node.address) for node in nodes],
    }[by]
    names = [node.name for node in nodes]
    radius = (
        f"all of {region}: its {len(names)} nodes ({base.listed(names)}) are {WAYS[by]}, with every service, "
        "the database, the control plane and the monitoring on them."
    )
    wrote = writer(OUTSIDE_URL) == region
    facts = {
        "region": region,
        "by": by,
        "wrote": wrote,
        "nodes": [{"name": node.name, "id": node.id} for node in nodes],
    }
    return base.Plan("region-loss", (region,), radius, tuple(lifts), facts)


def inject(fault: str, region: str, by: str = "pause") -> dict[str, Any]:
    """Lose the region: the workers last, so that the control plane sees nothing of it."""
    return base.inject(fault, plan(region, by), _act)


def _act(planned: base.Plan) -> None:
    names = [node["id"] for node in planned.facts["nodes"]]  # by identity: another of the same name is left alone
    by = planned.facts["by"]
    if by == "pause":
        containers.docker("pause", *names)
    elif by == "stop":
        containers.docker("kill", *names)
    else:
        for name in names:
            containers.docker("network", "disconnect", NETWORK, name)


def landed(fault: str) -> bool:
    """Whether every node is paused, stopped or cut, and nothing of the region answers at its edge."""

    def see(planned: base.Plan) -> bool:
        nodes = [containers.inspect(node["name"]) for node in planned.facts["nodes"]]
        lost = bool(nodes) and not any(node.works for node in nodes)
        return lost and not containers.listens(planned.facts["region"])

    return base.look(fault, see, without=False)


def gone(fault: str) -> bool:
    """Whether the nodes run and everything on them answers again.

    A region that wrote, and whose place another has taken, is lifted without its network, or stays stopped: it is out
    until it is failed back.
    """
    return base.look(fault, _is_gone, without=True)


def _is_gone(planned: base.Plan) -> bool:
    region, nodes = planned.facts["region"], [containers.inspect(node["name"]) for node in planned.facts["nodes"]]
    if any(node.paused for node in nodes):
        return False
    if not any(node.works for node in nodes) and replaced(planned):
        return True
    return all(node.running for node in nodes) and cluster.all_answer(region)


def lift(fault: str, by: str = "clean-up") -> str:
    """Let the region come back."""
    return base.lift(fault, by)
