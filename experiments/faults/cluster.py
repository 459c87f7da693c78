"""What a fault sees of a region's cluster, and does there: objects by their path on the region's own API server."""

import json
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlencode

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from experiments.faults.base import nothing
from experiments.faults.verbs import PATCH_TYPES
from experiments.platforms.kube import TIMEOUT_S, client_of
from experiments.platforms.site import site
from experiments.testbed.layout import MONITORING_NAMESPACE, NAMESPACE
from scenarios.errors import GamedayError, Problem

Object = dict[str, Any]

_SERVICE_PORT = 8080
_SOON_S = (1.0, 1.5)  # to connect, to answer


class KubernetesError(GamedayError, OSError):
    """The API server refused. `status` is HTTP's, 0 when there was no answer."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(problem)
        self.status = status


def call(
    region: str,
    method: str,
    path: str,
    body: Any = None,
    *,
    kind: str = "application/json",
    query: str = "",
    timeout_s: tuple[float, float] = TIMEOUT_S,
) -> Any:
    """Call the API server of a region. Raises KubernetesError for a refusal, OSError or HTTPError for silence."""
    client = client_of(site().places[region])
    headers = {"Accept": "application/json", "Content-Type": kind}
    request = client.param_serialize(
        method, path + (f"?{query}" if query else ""), header_params=headers, body=body, auth_settings=["BearerToken"]
    )
    try:
        response = client.call_api(*request, _request_timeout=timeout_s)
    except ApiException as error:  # the connection broke while it was being made
        problem = Problem(f"{method} {path} in {region}", str(error)[:300], "an answer", "It may be starting.")
        raise KubernetesError(0, problem) from error
    text = bytes(response.read()).decode(errors="replace")
    if not 200 <= response.status < 300:
        found = f"{response.status} {text[:300]}"
        raise KubernetesError(
            response.status,
            Problem(f"{method} {path} in {region}", found, "2xx", "`gameday testbed status` says more."),
        )
    try:
        return json.loads(text)
    except ValueError:
        return text


def get(region: str, path: str, **query: str) -> Any:
    """Read an object."""
    return call(region, "GET", path, query=urlencode(query))


def patch(region: str, path: str, body: Any, kind: Literal["merge", "strategic", "json"] = "strategic") -> Object:
    """Patch an object."""
    found: Object = call(region, "PATCH", path, body, kind=PATCH_TYPES[kind])
    return found


def create(region: str, path: str, body: Mapping[str, Any]) -> None:
    """Create an object under the path of its kind; fine when it is there already."""
    try:
        call(region, "POST", path, dict(body))
    except KubernetesError as error:
        if error.status != 409:
            raise


def is_there(region: str, path: str) -> bool:
    """Whether an object exists."""
    try:
        get(region, path)
    except KubernetesError as error:
        if error.status == 404:
            return False
        raise
    return True


# --- paths


def deployment_path(service: str, namespace: str = NAMESPACE) -> str:
    """Path of a service's deployment."""
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/{service}-deployment"


def pod_path(name: str, namespace: str = NAMESPACE) -> str:
    """Path of a pod."""
    return f"/api/v1/namespaces/{namespace}/pods/{name}"


def node_path(name: str) -> str:
    """Path of a node."""
    return f"/api/v1/nodes/{name}"


# --- what is there


def selector(part: str) -> str:
    """Label of a part's pods: a service of the trading system, or postgres, redis, prometheus."""
    return f"app={part}" if part in ("postgres", "redis", "prometheus", "copies") else f"component={part}"


def pods(region: str, part: str, namespace: str = NAMESPACE) -> list[Object]:
    """Pods of a part that are not being deleted, in order of their names."""
    found = get(region, f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector(part))["items"]
    alive = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
    return sorted(alive, key=name_of)


def ready_pods(region: str, part: str, count: int | None = None, namespace: str = NAMESPACE) -> list[Object]:
    """The first `count` ready pods of a part. Raises NothingToHitError when there are fewer."""
    found = [pod for pod in pods(region, part, namespace) if is_ready(pod)]
    wanted = max(1, count if count is not None else len(found))
    if len(found) < wanted:
        raise nothing(f"{region}/{part}", f"{len(found)} ready pods", f"{wanted}")
    return found[:wanted]


def is_ready(thing: Object) -> bool:
    """Whether a pod or a node says that it is ready."""
    conditions = thing.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def name_of(thing: Object) -> str:
    """Name of an object."""
    return str(thing["metadata"]["name"])


def uid_of(thing: Object) -> str:
    """Identity of an object: another one of the same name has another."""
    return str(thing["metadata"]["uid"])


def identities(things: list[Object]) -> list[dict[str, str]]:
    """Name, identity, node and first container of pods, as a plan keeps them."""
    return [
        {
            "name": name_of(pod),
            "uid": uid_of(pod),
            "node": str(pod["spec"].get("nodeName", "")),
            "container": container_of(pod),
        }
        for pod in things
    ]


def container_of(pod: Object) -> str:
    """Identity of a pod's first container, which does its work; empty while it does not run."""
    first = pod["spec"]["containers"][0]["name"]
    statuses = pod["status"].get("containerStatuses", [])
    ids = [str(status.get("containerID", "")) for status in statuses if status["name"] == first]
    return ids[0].rpartition("//")[2] if ids else ""


def subjects(region: str, service: str, things: list[Object]) -> tuple[str, ...]:
    """Pods as the record names them."""
    return tuple(f"{region}/{service}/{name_of(pod)}" for pod in things)


def is_whole(region: str, path: str) -> bool:
    """Whether a deployment or stateful set has what it wants: every pod of the newest template, ready."""
    thing = get(region, path)
    wanted, status = thing["spec"].get("replicas", 1), thing.get("status", {})
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")]
    return status.get("observedGeneration", 0) >= thing["metadata"]["generation"] and counts == [wanted] * 3


def is_settled(region: str, service: str) -> bool:
    """Whether a service's deployment has every pod that it wants."""
    return is_whole(region, deployment_path(service))


def all_settled(region: str) -> bool:
    """Whether every deployment and stateful set of the region has every pod that it wants, and every node is ready."""
    if not all(map(is_ready, get(region, "/api/v1/nodes")["items"])):
        return False
    return all(
        is_whole(region, f"/apis/apps/v1/namespaces/{namespace}/{kind}/{name_of(thing)}")
        for namespace in (NAMESPACE, MONITORING_NAMESPACE)
        for kind in ("deployments", "statefulsets")
        for thing in get(region, f"/apis/apps/v1/namespaces/{namespace}/{kind}")["items"]
    )


def pod_answers(region: str, pod: str) -> bool:
    """Whether this very pod of a service answers soon, asked through the API server."""
    try:
        call(region, "GET", f"{pod_path(f'{pod}:{_SERVICE_PORT}')}/proxy/health/live", timeout_s=_SOON_S)
    except (OSError, HTTPError):
        return False
    return True


def all_answer(region: str) -> bool:
    """Whether everything in the region is settled, and every pod of a service answers: what is listed may be old."""
    pods_ = get(region, f"/api/v1/namespaces/{NAMESPACE}/pods", labelSelector="app=grandmodel")["items"]
    return all_settled(region) and all(pod_answers(region, name_of(pod)) for pod in pods_)
