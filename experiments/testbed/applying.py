"""Manifests to a region: applied by the server, so that doing it again changes nothing."""

import json

from kubernetes.client import CoreV1Api
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient

from experiments.platforms.kube import TIMEOUT_S, client_of
from experiments.testbed import clusters, rendering
from experiments.testbed.errors import TestbedError
from experiments.testbed.layout import MONITORING_NAMESPACE, NAMESPACE, OWNER_LABEL, Place
from scenarios.errors import Problem

_MANAGER = "gameday-testbed"
_OWNER, _, _OWNED = OWNER_LABEL.partition("=")


def apply(place: Place, documents: list[rendering.Document]) -> None:
    """Apply objects in their order. Raises TestbedError when the API refuses one."""
    client = DynamicClient(client_of(place))
    for document in documents:
        metadata = document["metadata"]
        metadata["labels"] = {**metadata.get("labels", {}), _OWNER: _OWNED}
        resource = client.resources.get(api_version=document["apiVersion"], kind=document["kind"])
        try:
            client.server_side_apply(
                resource, body=document, field_manager=_MANAGER, force_conflicts=True, _request_timeout=TIMEOUT_S
            )
        except ApiException as error:
            where = f"{place.cluster}: {document['kind']} {metadata['name']}"
            found = f"{error.status} {error.reason}: {_said(error)}"[:400]
            raise TestbedError(Problem(where, found, "it applied", "`gameday testbed down`, then `up`.")) from error


def check_namespaces(place: Place) -> None:
    """Raise TestbedError when a namespace of ours exists and is somebody else's."""
    core = CoreV1Api(client_of(place))
    for name in (NAMESPACE, MONITORING_NAMESPACE):
        try:
            found = core.read_namespace(name, _request_timeout=TIMEOUT_S)
        except ApiException as error:
            if error.status == 404:
                continue
            raise
        if clusters.labels_of(found).get(_OWNER) != _OWNED:
            remedy = f"If nobody needs it: delete the namespace {name} of {place.cluster}."
            raise TestbedError(Problem(f"{place.cluster}: namespace {name}", "not ours", "none, or ours", remedy))


def _said(error: ApiException) -> str:
    try:
        return str(json.loads(error.body or "")["message"])
    except (ValueError, KeyError):
        return str(error.body)
