"""region-partition: a region and the others lose each other. Users, the name server and the lease still reach both."""

from typing import Any

from experiments.faults import base, containers, inside, verbs
from experiments.platforms import shell
from experiments.testbed.layout import LINK, PLACES

TABLE = "gameday_partition"
_API_PORT = 6443


def plan(region: str) -> base.Plan:
    """Plan to drop every packet between the region's nodes and those of the others, and the line between them."""
    nodes = [containers.working(name).name for name in PLACES[region].nodes]
    others = [n for other, place in PLACES.items() if other != region for n in place.nodes]
    peers = [containers.working(name).address for name in (*others, LINK)]
    probe = [containers.working(place.control_plane).address for other, place in PLACES.items() if other != region]
    lifts = tuple(verbs.execute(node, inside.unfiltering(TABLE)) for node in nodes)
    radius = f"{region} and {base.listed([r for r in PLACES if r != region])} lose each other; replication stops."
    return base.Plan("region-partition", (region,), radius, lifts, {"nodes": nodes, "peers": peers, "probe": probe})


def inject(fault: str, region: str) -> dict[str, Any]:
    """Drop the packets in every node of the region."""
    return base.inject(fault, plan(region), _act)


def _act(planned: base.Plan) -> None:
    peers = f"{{ {', '.join(planned.facts['peers'])} }}"
    rules = [
        f"add chain inet {TABLE} into {{ type filter hook prerouting priority -300 ; policy accept ; }}",
        f"add rule inet {TABLE} into ip saddr {peers} counter drop",
        f"add chain inet {TABLE} out {{ type filter hook postrouting priority 300 ; policy accept ; }}",
        f"add rule inet {TABLE} out ip daddr {peers} counter drop",
    ]
    for node in planned.facts["nodes"]:
        inside.run(node, inside.filtering(TABLE, rules))


def landed(fault: str) -> bool:
    """Whether no node of the region reaches the others' control planes."""
    return base.look(fault, lambda p: not any(_reach(p)), without=False)


def gone(fault: str) -> bool:
    """Whether every node does."""
    return base.look(fault, lambda p: all(_reach(p)), without=True)


def _reach(planned: base.Plan) -> list[bool]:
    return [
        shell.attempt(
            "docker", "exec", node, "bash", "-c", f"timeout 1 bash -c ': < /dev/tcp/{address}/{_API_PORT}'"
        ).ok
        for node in planned.facts["nodes"]
        for address in planned.facts["probe"]
    ]


def lift(fault: str, by: str = "clean-up") -> str:
    """Drop no more."""
    return base.lift(fault, by)
