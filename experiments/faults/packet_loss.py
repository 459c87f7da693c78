"""packet-loss: a share of the packets to and from a service's pods is lost, by chance, on the pods' nodes."""

from typing import Any

from experiments.faults import base, cluster, containers, inside

OF = 1000  # packets that the share is counted in


def plan(region: str, service: str, share: float = 0.1) -> base.Plan:
    """Plan for every ready pod of a service."""
    pods = cluster.ready_pods(region, service)
    by_node: dict[str, list[str]] = {}
    for pod in pods:
        by_node.setdefault(str(pod["spec"]["nodeName"]), []).append(str(pod["status"]["podIP"]))
    token = inside.token()
    facts = {"region": region, "service": service, "share": share, "nodes": by_node, "token": token}
    lifts = tuple(inside.lifting(node, token, inside.unfiltering(_table(token))) for node in by_node)
    radius = f"{share:.0%} of the packets to and from {service} in {region} are lost."
    return base.Plan("packet-loss", (f"{region}/{service}",), radius, lifts, facts)


def _table(token: str) -> str:
    """Table of a plan's own: two services that lose packets on one node do not share one."""
    return f"gameday_loss_{token}"


def inject(fault: str, region: str, service: str, share: float = 0.1) -> dict[str, Any]:
    """Drop packets where they pass the pods' nodes."""
    return base.inject(fault, plan(region, service, share), _act)


def _act(planned: base.Plan) -> None:
    lost = f"numgen random mod {OF} < {round(planned.facts['share'] * OF)} counter drop"
    token = planned.facts["token"]
    table = _table(token)
    for node, addresses in planned.facts["nodes"].items():
        pods = f"{{ {', '.join(addresses)} }}"
        rules = [
            f"add chain inet {table} loss {{ type filter hook forward priority -10 ; policy accept ; }}",
            f"add rule inet {table} loss ip daddr {pods} {lost}",
            f"add rule inet {table} loss ip saddr {pods} {lost}",
        ]
        inside.run(node, inside.injecting(token, inside.filtering(table, rules)))


def landed(fault: str) -> bool:
    """Whether packets have been lost on every node, under requests of our own."""

    def see(planned: base.Plan) -> bool:
        facts = planned.facts
        containers.answers(facts["region"], facts["service"])
        return all(inside.filtered(node, _table(facts["token"])) > 0 for node in facts["nodes"])

    return base.look(fault, see, without=False)


def gone(fault: str) -> bool:
    """Whether no node drops any more."""

    def see(planned: base.Plan) -> bool:
        table = _table(planned.facts["token"])
        return not any(inside.is_filtering(node, table) for node in planned.facts["nodes"])

    return base.look(fault, see, without=True)


def lift(fault: str, by: str = "clean-up") -> str:
    """Drop no more."""
    return base.lift(fault, by)
