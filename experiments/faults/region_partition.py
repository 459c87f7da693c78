"""region-partition: a region and the others lose each other. Users, the name server and the lease still reach both."""

from typing import Any

from experiments.faults import base, containers, inside
from experiments.testbed.layout import LINK, PLACES

_API_PORT = 6443
_ASK = """if timeout 1 bash -c ": < /dev/tcp/$1/$2" 2>/dev/null; then echo yes; else echo no; fi"""


def _table(token: str) -> str:
    return f"gameday_partition_{token}"


def plan(region: str) -> base.Plan:
    """Plan to drop every packet between the region's nodes and those of the others, and the line between them."""
    nodes = [containers.working(name).name for name in PLACES[region].nodes]
    others = [n for other, place in PLACES.items() if other != region for n in place.nodes]
    peers = [containers.working(name).address for name in (*others, LINK)]
    probe = [containers.working(place.control_plane).address for other, place in PLACES.items() if other != region]
    token = inside.token()
    lifts = tuple(inside.lifting(node, token, inside.unfiltering(_table(token))) for node in nodes)
    radius = f"{region} and {base.listed([r for r in PLACES if r != region])} lose each other; replication stops."
    facts = {"nodes": nodes, "peers": peers, "probe": probe, "token": token}
    return base.Plan("region-partition", (region,), radius, lifts, facts)


def inject(fault: str, region: str) -> dict[str, Any]:
    """Drop the packets in every node of the region."""
    return base.inject(fault, plan(region), _act)


def _act(planned: base.Plan) -> None:
    peers = f"{{ {', '.join(planned.facts['peers'])} }}"
    token = planned.facts["token"]
    table = _table(token)
    rules = [
        f"add chain inet {table} into {{ type filter hook prerouting priority -300 ; policy accept ; }}",
        f"add rule inet {table} into ip saddr {peers} counter drop",
        f"add chain inet {table} out {{ type filter hook postrouting priority 300 ; policy accept ; }}",
        f"add rule inet {table} out ip daddr {peers} counter drop",
    ]
    for node in planned.facts["nodes"]:
        inside.run(node, inside.injecting(token, inside.filtering(table, rules)))


def landed(fault: str) -> bool:
    """Whether every node of the region has dropped packets, and none reaches the others' control planes."""

    def see(planned: base.Plan) -> bool:
        nodes, found = planned.facts["nodes"], _reach(planned)
        dropped = [inside.filtered(node, _table(planned.facts["token"])) > 0 for node in nodes]
        return bool(found) and not any(found) and all(dropped)

    return base.look(fault, see, without=False)


def gone(fault: str) -> bool:
    """Whether every node does."""

    def see(planned: base.Plan) -> bool:
        found = _reach(planned)
        return bool(found) and all(found)

    return base.look(fault, see, without=True)


def _reach(planned: base.Plan) -> list[bool]:
    """Whether each node reaches each control plane. A node that cannot be asked raises: it says neither yes nor no."""
    facts = planned.facts
    return [_reaches(node, address) for node in facts["nodes"] for address in facts["probe"]]


def _reaches(node: str, address: str) -> bool:
    said = inside.run(node, ["bash", "-c", _ASK, "gameday", address, str(_API_PORT)]).strip()
    if said not in ("yes", "no"):
        raise base.nothing(node, repr(said[-200:]), "an answer, yes or no")
    return said == "yes"


def lift(fault: str, by: str = "clean-up") -> str:
    """Drop no more."""
    return base.lift(fault, by)
