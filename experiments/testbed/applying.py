"""Manifests to a region: applied by the server, so that doing it again changes nothing."""

from kubernetes.client import CoreV1Api
from kubernetes.dynamic import DynamicClient

from experiments.platforms.kube import TIMEOUT_S, asking, client_of
from experiments.testbed import clusters, rendering
from experiments.testbed.errors import TestbedError
from experiments.testbed.layout import MONITORING_NAMESPACE, NAMESPACE, OWNER_LABEL, Place
from scenarios.errors import Problem

_MANAGER = "gameday-testbed"
_OWNER, _, _OWNED = OWNER_LABEL.partition("=")


def apply(place: Place, documents: list[rendering.Document]) -> None:
    """Apply objects in their order. Raises KubernetesError when the API refuses one, or does not answer."""
    with asking(place, "what it can hold"):
        client = DynamicClient(client_of(place))
    for document in documents:
        metadata = document["metadata"]
        metadata["labels"] = {**metadata.get("labels", {}), _OWNER: _OWNED}
        with asking(place, f"apply {document['kind']} {metadata['name']}"):
            resource = client.resources.get(api_version=document["apiVersion"], kind=document["kind"])
            client.server_side_apply(
                resource, body=document, field_manager=_MANAGER, force_conflicts=True, _request_timeout=TIMEOUT_S
            )


def check_namespaces(place: Place) -> None:
    """Raise TestbedError when a namespace of ours exists and is somebody else's."""
    with asking(place, "its namespaces"):
        found = CoreV1Api(client_of(place)).list_namespace(_request_timeout=TIMEOUT_S).items
    for namespace in found:
        name = namespace.metadata.name if namespace.metadata else None
        if name in (NAMESPACE, MONITORING_NAMESPACE) and clusters.labels_of(namespace).get(_OWNER) != _OWNED:
            remedy = f"If nobody needs it: delete the namespace {name} of {place.cluster}."
            raise TestbedError(Problem(f"{place.cluster}: namespace {name}", "not ours", "none, or ours", remedy))
