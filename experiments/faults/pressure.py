"""Pressure inside a container's own limit: processes of ours beside the service's, known by a mark."""

import math
from collections.abc import Sequence
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from experiments.faults import base, cluster, inside
from experiments.faults.verbs import Lift

_BUSY = "mark = '%s'\nwhile True: pass"
_HOLD = "import time; mark = '%s'; held = b'1' * %d; time.sleep(86400)"


def _mark(token: str) -> str:
    """Mark of a plan's own: what uses memory of a pod goes on when what uses its CPU is lifted."""
    return f"gameday-pressure-{token}"


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


def lifts(found: Sequence[dict[str, Any]], token: str) -> tuple[Lift, ...]:
    """Lifts that kill what a plan has started in each container, and nothing else."""
    return tuple(
        inside.lifting(pod["node"], token, inside.killing_marked(pod["container"], _mark(token))) for pod in found
    )


def use_cpu(pod: dict[str, Any], token: str) -> None:
    """Use all CPU of a container's limit."""
    for number in range(math.ceil(pod["limit"])):
        _start(pod, token, number, _BUSY % _mark(token))


def use_memory(pod: dict[str, Any], token: str, share: float) -> None:
    """Use memory until so large a share of a container's limit is in use."""
    more = int(share * pod["limit"]) - inside.memory(pod["node"], pod["container"])
    if more > 0:
        _start(pod, token, 0, _HOLD % (_mark(token), more))


def _start(pod: dict[str, Any], token: str, number: int, script: str) -> None:
    command = inside.starting(pod["container"], f"{_mark(token)}-{number}", ["python", "-c", script])
    inside.run(pod["node"], inside.injecting(token, command))


def runs(pod: dict[str, Any], token: str) -> bool:
    """Whether anything that a plan has started runs in a container."""
    return bool(inside.marked(pod["node"], pod["container"], _mark(token)))


def is_gone(planned: base.Plan) -> bool:
    """Whether nothing of it runs in any of the containers."""
    return not any(runs(pod, planned.facts["token"]) for pod in planned.facts["pods"])
