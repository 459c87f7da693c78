"""packet-loss: a share of the packets to and from a service's pods is lost, by chance, on the pods' nodes."""

from typing import Any

from experiments.faults import base, cluster, containers, inside, verbs

TABLE = "gameday_loss"
OF = 1000  # packets that the share is counted in


def plan(region: str, service: str, share: float = 0.1) -> base.Plan:
    """Plan for every ready pod of a service."""
    pods = cluster.ready_pods(region, service)
    by_node: dict[str, list[str]] = {}
    for pod in pods:
        by_node.setdefault(str(pod["spec"]["nodeName"]), []).append(str(pod["status"]["podIP"]))
    facts = {"region": region, "service": service, "share": share, "nodes": by_node}
    lifts = tuple(verbs.execute(node, inside.unfiltering(TABLE)) for node in by_node)
    radius = f"{share:.0%} of the packets to and from {service} in {region} are lost."
    return base.Plan("packet-loss", (f"{region}/{service}",), radius, lifts, facts)


def inject(fault: str, region: str, service: str, share: float = 0.1) -> dict[str, Any]:
    """Drop packets where they pass the pods' nodes."""
    return base.inject(fault, plan(region, service, share), _act)


def _act(planned: base.Plan) -> None:
    lost = f"numgen random mod {OF} < {round(planned.facts['share'] * OF)} counter drop"
    for node, addresses in planned.facts["nodes"].items():
        pods = f"{{ {', '.join(addresses)} }}"
        rules = [
            f"add chain inet {TABLE} loss {{ type filter hook forward priority -10 ; policy accept ; }}",
            f"add rule inet {TABLE} loss ip daddr {pods} {lost}",
            f"add rule inet {TABLE} loss ip saddr {pods} {lost}",
        ]
        inside.run(node, inside.filtering(TABLE, rules))


def landed(fault: str) -> bool:
    """Whether packets have been lost on every node, under requests of our own."""

    def see(planned: base.Plan) -> bool:
        containers.answers(planned.facts["region"], planned.facts["service"])
        return all(inside.filtered(node, TABLE) > 0 for node in planned.facts["nodes"])

    return base.look(fault, see, without=False)


def gone(fault: str) -> bool:
    """Whether no node drops any more."""
    return base.look(fault, lambda p: not any(inside.is_filtering(n, TABLE) for n in p.facts["nodes"]), without=True)


def lift(fault: str, by: str = "clean-up") -> str:
    """Drop no more."""
    return base.lift(fault, by)
