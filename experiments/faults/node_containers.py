"""Machines of kind: each node is a container of this machine's Docker."""

from experiments.faults import containers, verbs
from experiments.faults.verbs import Lift


def working(region: str, node: str) -> str:
    """Identity of a node's container. Raises NothingToHitError when it is stopped, paused or cut."""
    return containers.working(node).id


def runs(region: str, node: str, identity: str) -> bool:
    """Whether it runs and is on the network."""
    return containers.inspect(node).works


def is_fenced(region: str, node: str, identity: str) -> bool:
    """Whether it goes on outside the network."""
    found = containers.inspect(node)
    return found.running and not found.paused and not found.works


def has_successor(region: str, node: str, identity: str) -> bool:
    """Never: nobody replaces a container of kind's."""
    return False


def kill(region: str, node: str, identity: str) -> None:
    """Kill the container."""
    containers.docker("kill", identity)


def started(region: str, node: str, identity: str) -> Lift:
    """Start the container again."""
    return verbs.start(node)
