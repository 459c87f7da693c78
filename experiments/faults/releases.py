"""Bad releases of a service: what is rolled out, how it is taken back, how one sees it crash."""

import math
from typing import Any

from experiments.faults import cluster, verbs
from experiments.faults.verbs import Lift

COMMAND = ["sh", "-c", "echo bad configuration; exit 1"]  # the API server's guard knows no <, > and &
NO_SUCH_RELEASE = "no-such-release"
_CRASHES = ("CrashLoopBackOff", "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "Error", "RunContainerError")
_CONTAINER = "/spec/template/spec/containers/0"


def change(container: dict[str, Any], by: str) -> tuple[str, Any]:
    """Key of the container that is changed, and its bad value; by: config or image."""
    if by == "config":
        return "command", COMMAND
    repository = str(container["image"]).rpartition(":")[0] or str(container["image"])
    return "image", f"{repository}:{NO_SUCH_RELEASE}"


def taken_back(region: str, path: str, container: dict[str, Any], key: str, bad: Any) -> Lift:
    """Lift that puts the container's key back, unless somebody has changed it since."""
    place = f"{_CONTAINER}/{key}"
    before = {"op": "replace", "path": place, "value": container[key]} if key in container else None
    steps = [{"op": "test", "path": place, "value": bad}, before or {"op": "remove", "path": place}]
    return verbs.patch(region, path, steps, "json")


def all_at_once(deployment: dict[str, Any], share: float) -> dict[str, Any]:
    """Strategy of a rollout that replaces a share of the pods at once, and goes no further."""
    pods = math.ceil(share * int(deployment["spec"]["replicas"]))
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": pods}}


def strategy_back(region: str, path: str, deployment: dict[str, Any], ours: dict[str, Any]) -> Lift:
    """Lift that puts a deployment's strategy back."""
    steps = [
        {"op": "test", "path": "/spec/strategy", "value": ours},
        {"op": "replace", "path": "/spec/strategy", "value": deployment["spec"]["strategy"]},
    ]
    return verbs.patch(region, path, steps, "json")


def crashing(region: str, service: str) -> int:
    """Pods of a service that do not come up."""
    return sum(_crashes(pod) for pod in cluster.pods(region, service))


def _crashes(pod: dict[str, Any]) -> bool:
    states = pod["status"].get("containerStatuses", [])
    reasons = [state.get("state", {}).get("waiting", {}).get("reason", "") for state in states]
    ended = any("terminated" in state.get("state", {}) for state in states)
    return ended or any(reason in _CRASHES for reason in reasons)
