"""Pressure inside a container's own limit: processes of ours beside the service's, known by a mark."""

import math
from collections.abc import Sequence
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from experiments.faults import base, cluster, inside, verbs
from experiments.faults.verbs import Lift

MARK = "gameday-pressure"
_BUSY = f"mark = '{MARK}'\nwhile True: pass"
_HOLD = f"import time; mark = '{MARK}'; held = b'1' * %d; time.sleep(86400)"


def pods(region: str, service: str, count: int, resource: str) -> list[dict[str, Any]]:
    """The first ready pods of a service with their limit of a resource.

    Raises:
        NothingToHitError: a container without a limit: pressure would starve whoever measures.
    """
    found = cluster.ready_pods(region, service, count)
    limits = [pod["spec"]["containers"][0].get("resources", {}).get("limits", {}).get(resource) for pod in found]
    if not all(limits):
        raise base.nothing(f"{region}/{service}", f"a container without limit of {resource}", "one with a limit")
    return [
        {**identity, "limit": float(parse_quantity(limit))}
        for identity, limit in zip(cluster.identities(found), limits, strict=True)
    ]


def lifts(found: Sequence[dict[str, Any]]) -> tuple[Lift, ...]:
    """Lifts that kill what is marked in each container, and nothing else."""
    return tuple(verbs.execute(pod["node"], inside.killing_marked(pod["container"], MARK)) for pod in found)


def use_cpu(pod: dict[str, Any]) -> None:
    """Use all CPU of a container's limit."""
    for number in range(math.ceil(pod["limit"])):
        command = ["python", "-c", _BUSY]
        inside.run(pod["node"], inside.starting(pod["container"], f"{MARK}-{number}", command))


def use_memory(pod: dict[str, Any], share: float) -> None:
    """Use memory until so large a share of a container's limit is in use."""
    more = int(share * pod["limit"]) - inside.memory(pod["node"], pod["container"])
    if more > 0:
        command = ["python", "-c", _HOLD % more]
        inside.run(pod["node"], inside.starting(pod["container"], f"{MARK}-memory", command))


def is_gone(planned: base.Plan) -> bool:
    """Whether nothing marked runs in any of the containers."""
    return not any(inside.marked(pod["node"], pod["container"], MARK) for pod in planned.facts["pods"])
