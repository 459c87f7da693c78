"""What differs between kind and EKS, behind one face: who writes, where the name leads, how a fault is lifted."""

import importlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from experiments.platforms.site import site
from experiments.testbed.system.lifting import Lifter

_MODULES = {"kind": "experiments.platforms.kind", "eks": "experiments.platforms.eks.platform"}


class Platform(Protocol):
    """What a world's module offers."""

    PREPARES: bool  # whether a scenario may scale services before it begins
    REMEDY: str  # what to do when nobody knows who may write
    WRONG: str  # what to do when a target is another than was meant
    SILENT: str  # what to do when a target does not answer

    def can_break(self) -> Collection[str]:
        """Kinds of faults that have a form here."""

    def writer(self) -> str | None:
        """Region whose database may write now; nothing: nobody knows one."""

    def leads_to(self) -> str:
        """Region that the name leads to now; empty when it cannot be known. Raises nothing."""

    def failing_over(self) -> bool:
        """Whether an automation is in the middle of its procedure; one that tells nobody is not. Raises nothing."""

    def fencing(self, home: str) -> Mapping[str, Any]:
        """What the reverter must know to let the primary's region come back fenced: home, nodes, network."""

    def lifter(self, kubeconfigs: Path, timeout_s: float) -> Lifter:
        """What performs lifts."""


def platform(world: str | None = None) -> Platform:
    """The module of a world; nothing: of the site where this process works."""
    return cast("Platform", importlib.import_module(_MODULES[world or site().world]))
