"""Who holds the lifts of a game day: which pods there are, where, and what each may do in the cluster that is hit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.platforms.eks.targets import Target
from experiments.testbed.layout import MONITORING_NAMESPACE, NAMESPACE
from scenarios.files.resolved import Resolved
from scenarios.model.faults import FAULTS


@dataclass(frozen=True)
class Right:
    """Verbs on one kind of object; no namespace: in the whole cluster."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    namespace: str = ""

    def rule(self) -> dict[str, Any]:
        """Return it as a role has it."""
        return {"apiGroups": [self.group], "resources": [self.resource], "verbs": list(self.verbs)}

    def __str__(self) -> str:
        """Return it in words."""
        return f"{' and '.join(self.verbs)} {self.resource}" + (f" in {self.namespace}" if self.namespace else "")


# A JSON patch that does not apply is followed by a look: the object may already be as it should be.
_DEPLOYMENTS = Right("apps", "deployments", ("get", "patch"), NAMESPACE)
LIFTED_BY: Mapping[str, Right] = {  # faults that a pod can lift, and what it must be allowed to
    "crash-loop": _DEPLOYMENTS,
    "bad-rollout": _DEPLOYMENTS,
    "redis-loss": _DEPLOYMENTS,
    "prometheus-down": Right("apps", "deployments", ("get", "patch"), MONITORING_NAMESPACE),
    "cordon-drain": Right("", "nodes", ("patch",)),
}


@dataclass(frozen=True)
class Posting:
    """One pod: in which region's cluster it lifts, in which one it runs, and its rights in the former."""

    hit: str
    holder: str
    rights: tuple[Right, ...]

    def __str__(self) -> str:
        """Return it in words."""
        return f"a pod in {self.holder} for {self.hit}, where it may {', '.join(map(str, self.rights))}"


def postings(resolved: Resolved, targets: Mapping[str, Target], image: str) -> tuple[Posting, ...]:
    """Pods that a scenario needs: one for each region with a fault that a pod can lift, in the next one's cluster.

    Without an image there is none, nor with one target: a pod in the cluster that is hit may be hit too.
    """
    regions, rights = list(targets), dict[str, dict[Right, None]]()
    if not image or len(regions) < 2:
        return ()
    for fault, region in _faults(resolved):
        if fault in LIFTED_BY:
            rights.setdefault(region, {})[LIFTED_BY[fault]] = None
    return tuple(
        Posting(hit, regions[(regions.index(hit) + 1) % len(regions)], tuple(needed)) for hit, needed in rights.items()
    )


def who_lifts(resolved: Resolved, posted: tuple[Posting, ...]) -> tuple[str, ...]:
    """Who lifts when the runner falls silent, in words; of what only this machine lifts it is said."""
    pods = {posting.hit for posting in posted}
    here = dict.fromkeys(
        f"{fault} in {region}"
        for fault, region in _faults(resolved)
        if FAULTS[fault].lifted and not (fault in LIFTED_BY and region in pods)
    )
    alone = f"a process on the runner's machine for {', '.join(here)}: nobody lifts it while that machine is dead"
    return tuple([*map(str, posted), *([alone] if here else [])]) or ("no fault is to be lifted",)


def _faults(resolved: Resolved) -> Iterator[tuple[str, str]]:
    for entry in resolved.scenario.timeline:
        if entry.fault is not None and "region" in entry.target:
            yield entry.fault, entry.target["region"]
