"""Who does what a step of a procedure says: the testbed's verbs, or those of EKS."""

import importlib
from collections.abc import Mapping
from typing import Any, Protocol, cast

from experiments.platforms.site import site

_MODULES = {"kind": "experiments.operate.verbs", "eks": "experiments.platforms.eks.operating"}


class Performer(Protocol):
    """What a world's module offers."""

    def perform(self, verb: str, target: Mapping[str, str], options: Mapping[str, Any]) -> str:
        """Do what a verb says, to its end; return what was seen. Raises GamedayError, or what does not answer."""

    def known(self) -> tuple[str, ...]:
        """Verbs that can be done."""


def performer() -> Performer:
    """That of the site where this process works."""
    return cast("Performer", importlib.import_module(_MODULES[site().world]))
