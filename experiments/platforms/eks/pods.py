"""The reverter as a pod: made in the cluster of another target than the one that is hit, and removed at the end.

In the cluster that is hit it gets a service account that may lift and no more, and a token that lives as long as the
run and its undo. In its own it has a namespace with all that it is asked and answers by (`system.mailbox`).
"""

import base64
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from experiments.platforms.eks.boxes import NAMESPACE, Box, SilentError
from experiments.platforms.eks.postings import LIFTED_BY, Posting
from experiments.testbed.system.apiserver import ApiServer, ApiServerError
from experiments.testbed.system.mailbox import ECHO, HEARTBEAT, ORDER, PLAN
from experiments.testbed.system.plan import PlanError
from experiments.testbed.system.watch import SILENT_S, RefusedError
from scenarios.errors import GamedayError, Problem

Object = dict[str, Any]

NAME = NAMESPACE
LIFTS_ON = "gameday/lifts-on"  # annotation of our namespace: region whose faults the pod in it lifts
LIFTED_FROM = "gameday/lifted-from"  # the same from the other side: region where the pod is that lifts here
USER = 10001
CALL_S = 10.0
STARTS_WITHIN_S = 150.0  # the image may have to be pulled
GONE_WITHIN_S = 60.0
AUTHORITY_WITHIN_S = 20.0
_RBAC = "rbac.authorization.k8s.io"
_LABELS = {"app.kubernetes.io/managed-by": "gameday", "app": NAME}
_PATHS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts",
    "Secret": "/api/v1/namespaces/{namespace}/secrets",
    "Lease": "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases",
    "Deployment": "/apis/apps/v1/namespaces/{namespace}/deployments",
    "Role": f"/apis/{_RBAC}/v1/namespaces/{{namespace}}/roles",
    "RoleBinding": f"/apis/{_RBAC}/v1/namespaces/{{namespace}}/rolebindings",
    "ClusterRole": f"/apis/{_RBAC}/v1/clusterroles",
    "ClusterRoleBinding": f"/apis/{_RBAC}/v1/clusterrolebindings",
}


class PodError(GamedayError, RuntimeError):
    """A reverter's pod cannot be made, does not come up, or cannot be removed."""


@dataclass(frozen=True)
class Pods:
    """The pods of a run. Within each call the clusters are reached by the kubeconfigs of `folder`.

    `addresses` are those at which pods reach a cluster's API, by region; a region without one is reached as from here.
    """

    postings: tuple[Posting, ...]
    folder: Path
    image: str
    lasts_s: float  # that a token must live
    addresses: Mapping[str, str]
    silent_s: float = SILENT_S

    def make(self) -> None:
        """Make each pod, and wait until it answers.

        Raises:
            PodError: something of an earlier run is there, a cluster refuses, a token is too short, or a pod does not
                come up. What was made is removed.
        """
        self.refuse_left()
        try:
            for posting in self.postings:
                self._make(posting)
            for posting in self.postings:
                self._wait(posting)
        except BaseException:  # Ctrl-C too
            with suppress(PodError):
                self.remove()
            raise

    def refuse_left(self) -> None:
        """Refuse while something of another run is there. Raises PodError."""
        for region in dict.fromkeys(region for posting in self.postings for region in (posting.hit, posting.holder)):
            _refuse_left(region, self.folder)

    @property
    def pairs(self) -> dict[str, str]:
        """Region that each lifts on: region where it is."""
        return {posting.hit: posting.holder for posting in self.postings}

    def remove(self) -> None:
        """Remove all that was made. Raises PodError for what could not be; the rest is removed."""
        remove(self.pairs, self.folder)

    def _make(self, posting: Posting) -> None:
        hit, own = _Cluster(posting.hit, self.folder), _Cluster(posting.holder, self.folder)
        for document in lifting(posting):
            hit.create(document)
        for document in mailbox(posting):
            own.create(document)
        access = self._access(hit, posting)
        own.create(_secret("access", {f"kubeconfig-{posting.hit}.yaml": access}))
        own.create(deployment(self.image, self.silent_s))

    def _access(self, hit: "_Cluster", posting: Posting) -> str:
        """A kubeconfig of the lifting account, as it works from another cluster's pods."""
        token, authority = hit.token(self.lasts_s), hit.authority()
        server = self.addresses.get(posting.hit) or hit.server.host
        cluster = {"server": server, "certificate-authority-data": base64.b64encode(authority.encode()).decode()}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "hit",
            "contexts": [{"name": "hit", "context": {"cluster": "hit", "user": NAME}}],
            "clusters": [{"name": "hit", "cluster": cluster}],
            "users": [{"name": NAME, "user": {"token": token}}],
        }
        return str(yaml.safe_dump(document))

    def _wait(self, posting: Posting) -> None:
        cluster = _Cluster(posting.holder, self.folder)
        box, deadline = cluster.box(), time.monotonic() + STARTS_WITHIN_S
        while True:
            try:
                box.ask("look")
                return
            except SilentError as error:
                if time.monotonic() > deadline:
                    raise _error(posting.holder, f"{error}; {cluster.why()}", "a pod that answers") from error
            except (OSError, PlanError, RefusedError) as error:
                raise _error(posting.holder, str(error), "a pod that answers") from error


def found(regions: Sequence[str], folder: Path) -> dict[str, str]:
    """Pods that are there, or are half made: region that each lifts on, and the region where it is. Raises PodError."""
    there: dict[str, str] = {}
    for region in regions:
        notes = ((_Cluster(region, folder).namespace() or {}).get("metadata") or {}).get("annotations") or {}
        pairs = ((notes.get(LIFTS_ON), region), (region, notes.get(LIFTED_FROM)))
        there |= {str(hit): str(holder) for hit, holder in pairs if hit in regions and holder in regions}
    return there


def _refuse_left(region: str, folder: Path) -> None:
    """Refuse while something of another run is there; what is just being removed is waited for. Raises PodError."""
    cluster, deadline = _Cluster(region, folder), time.monotonic() + GONE_WITHIN_S
    while (namespace := cluster.namespace()) is not None:
        metadata = namespace["metadata"]
        if "deletionTimestamp" not in metadata or time.monotonic() > deadline:
            words = f"namespace {NAMESPACE}, made at {metadata.get('creationTimestamp')}"
            remedy = "It is of another game day: wait for its end, or run `gameday undo --world eks`."
            raise PodError(Problem(f"reverter's pod in {region}", words, "none yet", remedy))
        time.sleep(1.0)


def remove(pairs: Mapping[str, str], folder: Path) -> None:
    """Remove all that was made for pods. Raises PodError for what could not be; the rest is removed."""
    problems: list[Problem] = []
    for hit, holder in pairs.items():
        for region, paths in ((holder, [f"{_PATHS['Namespace']}/{NAMESPACE}"]), (hit, _lifting_paths())):
            for path in paths:
                try:
                    _Cluster(region, folder).delete(path)
                except PodError as error:
                    problems += error.problems
    if problems:
        raise PodError(*problems)


def _error(region: str, found: str, expected: str) -> PodError:
    remedy = "Nothing was broken. See docs/how-to/eks.md, What the reverter's pod needs."
    return PodError(Problem(f"reverter's pod in {region}", found[:400], expected, remedy))


# --- what is made


def lifting(posting: Posting) -> Iterator[Object]:
    """What the pod gets in the cluster that is hit: an account, and the rights to lift."""
    yield _object("Namespace", NAMESPACE, annotations={LIFTED_FROM: posting.holder})
    yield _object("ServiceAccount", f"{NAME}-lifts", automountServiceAccountToken=False)
    for right in posting.rights:
        role, binding = ("Role", "RoleBinding") if right.namespace else ("ClusterRole", "ClusterRoleBinding")
        yield _object(role, NAME, right.namespace, rules=[right.rule()])
        subject = {"kind": "ServiceAccount", "name": f"{NAME}-lifts", "namespace": NAMESPACE}
        reference = {"apiGroup": _RBAC, "kind": role, "name": NAME}
        yield _object(binding, NAME, right.namespace, roleRef=reference, subjects=[subject])


def _lifting_paths() -> list[str]:
    """All that `lifting` may have made for whatever scenario."""
    everything = Posting("", "", tuple(dict.fromkeys(LIFTED_BY.values())))
    documents = [d for d in lifting(everything) if d["kind"] not in ("ServiceAccount", "Namespace")]
    return [*map(_path, documents), f"{_PATHS['Namespace']}/{NAMESPACE}"]


def mailbox(posting: Posting) -> Iterator[Object]:
    """What the pod gets in its own cluster: a namespace, an account, and what it is asked and answers by."""
    yield _object("Namespace", NAMESPACE, annotations={LIFTS_ON: posting.hit})
    yield _object("ServiceAccount", NAME)
    rules = [
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [ORDER], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [PLAN], "verbs": ["get", "update"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": [HEARTBEAT], "verbs": ["get"]},
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resourceNames": [ECHO],
            "verbs": ["get", "update"],
        },
    ]
    yield _object("Role", NAME, rules=rules)
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}
    yield _object("RoleBinding", NAME, roleRef={"apiGroup": _RBAC, "kind": "Role", "name": NAME}, subjects=[subject])
    yield _secret(ORDER, {})
    yield _secret(PLAN, {})
    yield _object("Lease", HEARTBEAT, spec={})
    yield _object("Lease", ECHO, spec={})


def deployment(image: str, silent_s: float) -> Object:
    """The pod: one, always; never two at a time; it can write nowhere but to memory."""
    container = {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["mailbox"],
        "env": [{"name": "NAMESPACE", "value": NAMESPACE}, {"name": "SILENT_S", "value": f"{silent_s:g}"}],
        "volumeMounts": [
            {"name": "access", "mountPath": "/etc/gameday", "readOnly": True},
            {"name": "memory", "mountPath": "/tmp"},
        ],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "192Mi"}},
    }
    pod = {
        "serviceAccountName": NAME,
        "terminationGracePeriodSeconds": 0,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            {"name": "access", "secret": {"secretName": "access", "defaultMode": 0o440}},
            {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}},
        ],
    }
    spec = {
        "replicas": 1,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": {"app": NAME}},
        "template": {"metadata": {"labels": _LABELS}, "spec": pod},
    }
    return _object("Deployment", NAME, spec=spec)


def _secret(name: str, values: Mapping[str, str]) -> Object:
    return _object("Secret", name, type="Opaque", stringData=dict(values))


def _object(
    kind: str, name: str, namespace: str = "", annotations: Mapping[str, str] | None = None, **content: Any
) -> Object:
    group = _PATHS[kind].split("/")[2] + "/" if _PATHS[kind].startswith("/apis/") else ""
    metadata: Object = {"name": name, "labels": _LABELS}
    if "{namespace}" in _PATHS[kind]:
        metadata["namespace"] = namespace or NAMESPACE
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": f"{group}v1", "kind": kind, "metadata": metadata, **content}


def _path(document: Object) -> str:
    metadata = document["metadata"]
    return f"{_PATHS[document['kind']].format(namespace=metadata.get('namespace'))}/{metadata['name']}"


# --- one cluster


class _Cluster:
    """A region's API, as it is asked here. Every call raises PodError."""

    def __init__(self, region: str, folder: Path) -> None:
        self.region = region
        try:
            self.server = ApiServer(folder / f"kubeconfig-{region}.yaml")
        except ApiServerError as error:
            raise _error(region, str(error), "a kubeconfig that can be used") from error

    def box(self) -> Box:
        """The way to the pod in this cluster."""
        return Box(self.server, self.region)

    def create(self, document: Object) -> None:
        """Make an object; a namespace or an account that is there stays, with our annotations."""
        path = _path(document)
        status, text = self._call("POST", path.rpartition("/")[0], document)
        if status == 409 and document["kind"] == "Namespace":
            merge = {"metadata": {"annotations": document["metadata"].get("annotations", {})}}
            status, text = self._call("PATCH", path, merge, "application/merge-patch+json")
        if status not in (200, 201):
            raise _error(self.region, f"POST {path}: {status} {text}", "201")

    def delete(self, path: str) -> None:
        """Remove an object; one that is not there is gone."""
        status, text = self._call("DELETE", path)
        if status not in (200, 202, 404, 409):  # 409: it is being removed
            raise _error(self.region, f"DELETE {path}: {status} {text}", "it gone")

    def namespace(self) -> Object | None:
        """Our namespace; nothing: there is none."""
        status, text = self._call("GET", f"{_PATHS['Namespace']}/{NAMESPACE}")
        if status in (403, 404):  # who may not look for it has not made it
            return None
        if status != 200:
            raise _error(self.region, f"GET namespace {NAMESPACE}: {status} {text}", "200 or 404")
        return dict(json.loads(text))

    def token(self, lasts_s: float) -> str:
        """A token of the lifting account that lives so long."""
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": int(lasts_s) + 60},
        }
        path = f"{_PATHS['ServiceAccount'].format(namespace=NAMESPACE)}/{NAME}-lifts/token"
        status, text = self._call("POST", path, body)
        if status != 201:
            raise _error(self.region, f"POST {path}: {status} {text}", "a token")
        given = json.loads(text)["status"]
        until = datetime.fromisoformat(given["expirationTimestamp"])
        if until < datetime.now(UTC) + timedelta(seconds=lasts_s):
            wanted = f"one for {lasts_s / 3600:.1f} h, the run with its longest undo"
            raise _error(self.region, f"a token until {until:%Y-%m-%d %H:%M} UTC", wanted)
        return str(given["token"])

    def authority(self) -> str:
        """The authority that this cluster hands to its own pods, in PEM: by it others know its API too."""
        path = f"/api/v1/namespaces/{NAMESPACE}/configmaps/kube-root-ca.crt"
        deadline = time.monotonic() + AUTHORITY_WITHIN_S
        while True:  # a new namespace gets it a moment later
            status, text = self._call("GET", path)
            if status == 200:
                return str(json.loads(text)["data"]["ca.crt"])
            if status != 404 or time.monotonic() > deadline:
                raise _error(self.region, f"GET {path}: {status} {text}", "its authority")
            time.sleep(0.5)

    def why(self) -> str:
        """Why the pod does not come up, as far as the cluster says."""
        with suppress(PodError, ValueError, KeyError, IndexError):
            _, text = self._call("GET", f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app%3D{NAME}")
            status = json.loads(text)["items"][0]["status"]
            waiting = [c["state"].get("waiting", {}) for c in status.get("containerStatuses", [])]
            said = [f"{w.get('reason')}: {w.get('message', '')}" for w in waiting if w]
            said += [str(c.get("message")) for c in status.get("conditions", []) if c.get("status") == "False"]
            return "; ".join(said)[:250] or f"its pod is {status.get('phase')}"
        return "no pod"

    def _call(self, method: str, path: str, body: Any = None, content: str = "application/json") -> tuple[int, str]:
        try:
            return self.server.call(method, path, body, content=content, timeout_s=CALL_S)
        except ApiServerError as error:
            raise _error(self.region, str(error), "an answer") from error
