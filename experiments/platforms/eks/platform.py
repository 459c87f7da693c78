"""EKS: two clusters in two regions of AWS. What RDS, the name server and the clusters say counts."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from experiments.platforms.eks import databases, identity
from experiments.platforms.eks.aws import Aws, answering
from experiments.platforms.eks.plans import Confirmation
from experiments.platforms.eks.steps import BY_THE_CLUSTER, FAULTS
from experiments.platforms.eks.targets import Target
from experiments.platforms.eks.verbs import do
from experiments.platforms.naming import address_of
from experiments.platforms.site import site
from experiments.testbed.system.lifting import CannotLiftError, Lifter
from scenarios.errors import GamedayError

WRONG = identity.REMEDY
SILENT = "See whether the cluster's endpoint can be reached from here, and whether the context may log in."
PREPARES = False  # what a scenario wants otherwise, the topology must say: production is not scaled for a game day
REMEDY = "Look with `gameday run SCENARIO --world eks`: until the targets' names are typed, it only looks."


def can_break() -> Collection[str]:
    """Kinds of faults that have a form on EKS."""
    return (*FAULTS, *BY_THE_CLUSTER)


def target_of(region: str) -> Target:
    """The declared target of a region."""
    return Target.model_validate(site().targets[region])


def writer() -> str | None:
    """Region whose database RDS calls a primary; nothing: none, or several. Raises AwsError."""
    primaries = []
    for region in site().places:
        target = target_of(region)
        with answering(f"database of {target.name}"):
            if databases.state(Aws(target), target.need("database")).role == "primary":
                primaries.append(region)
    return primaries[0] if len(primaries) == 1 else None


def leads_to() -> str:
    """Region that the name leads to, as the name server that users ask answers."""
    found = address_of(site().name, site().dns, [place.address for place in site().places.values()])
    return next((region for region, place in site().places.items() if place.address == found), "")


def failing_over() -> bool:
    """No: what an automation on AWS is doing, it tells nobody."""
    return False


def fencing(home: str) -> Mapping[str, Any]:
    """Nothing: a lost primary of RDS does not come back by a lift of ours."""
    return {"home": "", "nodes": {}, "network": ""}


def lifter(kubeconfigs: Path, timeout_s: float) -> Lifter:
    """Lifts on the clusters' API servers, and by AWS."""
    return AwsLifter(kubeconfigs, timeout_s=timeout_s)


class AwsLifter(Lifter):
    """Performs lifts on AWS too. The person who confirmed the run confirmed them."""

    def __init__(self, kubeconfigs: Path, *, timeout_s: float) -> None:
        super().__init__(kubeconfigs, timeout_s=timeout_s)
        self._verbs["aws"] = self._aws

    def _aws(self, region: str, arguments: Mapping[str, Any]) -> str:
        try:
            target = target_of(region)
            confirmed = Confirmation(frozenset({target.name}))
            return do(str(arguments["verb"]), Aws(target), arguments["options"], confirmed)
        except GamedayError as error:
            raise CannotLiftError(str(error)) from error
