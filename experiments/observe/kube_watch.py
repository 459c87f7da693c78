"""Watching a region's Kubernetes API, in threads of its own, through its loss and its return.

Each resource is listed, then watched from there, in short watches, because an API server that was paused says nothing:
it is lost when a watch ends without the server's own end. Then it is asked again until it lists the resource anew.
"""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

from kubernetes.client import ApiException, AppsV1Api, CoreV1Api, DiscoveryV1Api
from urllib3.exceptions import HTTPError

from experiments.observe.cluster_facts import CONFIG
from experiments.platforms.kube import NoClusterError, client_of
from experiments.testbed import layout

RESOURCES = ("pods", "nodes", "endpoints", "deployments", "configuration")
WATCH_S = 5  # of one watch; the server ends it
TIMEOUT_S = (2.0, WATCH_S + 3.0)
AGAIN_S = 1.0
Event = tuple[str, Any]  # "listed" with all objects, "changed" or "deleted" with one, "lost" with None


class Watch:
    """A thread that watches one resource of one region and calls `tell(resource, event)` in that thread."""

    def __init__(self, place: layout.Place, resource: str, tell: Callable[[str, Event], None]) -> None:
        self._place, self._resource, self._tell = place, resource, tell
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{place.region}/{resource}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Tell nothing more; the thread ends with its watch."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                for event in self._events():
                    if self._stopped.is_set():
                        return
                    self._tell(self._resource, event)
            except (ApiException, HTTPError, NoClusterError, OSError, ValueError):
                self._tell(self._resource, ("lost", None))
                self._stopped.wait(AGAIN_S)

    def _events(self) -> Iterator[Event]:
        """List, then watch for as long as the server keeps what comes after."""
        ask = _questions(client_of(self._place))[self._resource]
        response = ask(_preload_content=False, _request_timeout=TIMEOUT_S)
        listed = json.loads(_whole(response))
        version = str(listed["metadata"]["resourceVersion"])
        yield "listed", listed["items"]
        while True:
            response = ask(
                watch=True, resource_version=version, timeout_seconds=WATCH_S, allow_watch_bookmarks=True,
                _preload_content=False, _request_timeout=TIMEOUT_S,
            )  # fmt: skip
            try:
                if response.status != 200:
                    return
                for line in response:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        return  # what came after is not kept any more
                    version = str(event["object"]["metadata"]["resourceVersion"])
                    if event["type"] in ("ADDED", "MODIFIED", "DELETED"):
                        yield "deleted" if event["type"] == "DELETED" else "changed", event["object"]
            finally:
                response.close()
                response.release_conn()


def _whole(response: Any) -> bytes:
    """Body of an answer. Raises ValueError when it is an error's."""
    try:
        if response.status != 200:
            raise ValueError(f"status {response.status}")
        return bytes(response.read())
    finally:
        response.release_conn()


def _questions(client: Any) -> dict[str, Callable[..., Any]]:
    """How each resource is listed and watched."""
    core, space = CoreV1Api(client), layout.NAMESPACE
    apps, discovery = AppsV1Api(client), DiscoveryV1Api(client)
    return {
        "pods": lambda **more: core.list_namespaced_pod(space, **more),
        "nodes": core.list_node,
        "endpoints": lambda **more: discovery.list_namespaced_endpoint_slice(space, **more),
        "deployments": lambda **more: apps.list_namespaced_deployment(space, **more),
        "configuration": lambda **more: core.list_namespaced_config_map(
            space, field_selector=f"metadata.name={CONFIG}", **more
        ),
    }


def trading_of(place: layout.Place, pod: str) -> bool | None:
    """Whether a pod takes orders, by its own metric, asked through the API; None: it does not say."""
    try:
        response = CoreV1Api(client_of(place)).connect_get_namespaced_pod_proxy_with_path(
            f"{pod}:8080", layout.NAMESPACE, "metrics", _preload_content=False, _request_timeout=(2.0, 2.0)
        )
        text = _whole(response).decode()
    except (ApiException, HTTPError, NoClusterError, OSError, ValueError):
        return None
    values = [line.split()[1] for line in text.splitlines() if line.startswith("trading_enabled ")]
    return float(values[0]) > 0 if values else None
