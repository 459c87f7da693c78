"""The machine under a node: a container where kind made the node, an instance where EC2 did."""

import importlib
from typing import Protocol, cast

from experiments.faults.verbs import Lift
from experiments.platforms.site import site

_MODULES = {"kind": "experiments.faults.node_containers", "eks": "experiments.platforms.eks.machines"}


class Machines(Protocol):
    """What a world's module offers. A machine is known by its identity: another of the same name has another."""

    def working(self, region: str, node: str) -> str:
        """Identity of a node's machine. Raises NothingToHitError when it does not work already."""

    def runs(self, region: str, node: str, identity: str) -> bool:
        """Whether the machine works."""

    def is_fenced(self, region: str, node: str, identity: str) -> bool:
        """Whether the machine goes on, cut from its network."""

    def has_successor(self, region: str, node: str, identity: str) -> bool:
        """Whether the machine is gone for good, and another does its work."""

    def kill(self, region: str, node: str, identity: str) -> None:
        """Have it die at once, its operating system unasked."""

    def started(self, region: str, node: str, identity: str) -> Lift:
        """The lift that starts it again."""


def machines() -> Machines:
    """Those of the site where this process works."""
    return cast("Machines", importlib.import_module(_MODULES[site().world]))
