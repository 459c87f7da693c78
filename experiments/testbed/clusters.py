"""The two kind clusters: made, brought back, told apart from clusters of the same name that are not ours."""

import base64
import hashlib
import ssl
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from kubernetes.client import CoreV1Api, V1ConfigMap, V1Namespace, V1ObjectMeta
from kubernetes.client.exceptions import ApiException
from ruamel.yaml import YAML
from urllib3.exceptions import HTTPError

from experiments.platforms.docker import inspected, socket_path
from experiments.platforms.kube import TIMEOUT_S, asking, client_of
from experiments.platforms.shell import CommandError, attempt, run
from experiments.testbed import rendering, state
from experiments.testbed.errors import TestbedError
from experiments.testbed.layout import NETWORK, OWNER_LABEL, Place, kubeconfig_folder
from experiments.testbed.system.engine import Engine
from experiments.testbed.system.lifting import Lifter, unpublished
from scenarios.errors import Problem

MARK = "gameday-testbed"  # ConfigMap in kube-system of a cluster that is ours
_CREATE_S = 400
_ANSWER_S = 120
_REFUSES = "net.ipv4.icmp_ratelimit=0"
_OWNER, _, _OWNED = OWNER_LABEL.partition("=")


def existing() -> set[str]:
    """Names of all clusters that kind knows on this machine."""
    return set(run("kind", "get", "clusters").lines)


def make(place: Place, addresses: Mapping[str, str] | None = None) -> None:
    """Make the cluster of a region, or bring it back; return when its API answers and it is known to be ours.

    Args:
        place: the region.
        addresses: what nodes had on the network before they were cut from it, as far as it is known.

    Raises:
        TestbedError: kind failed, it does not answer, or it is somebody else's.
    """
    there = place.cluster in existing()
    if there and place.cluster not in state.read().making:
        _revive(place, addresses or {})
        run("kind", "export", "kubeconfig", "--name", place.cluster, "--kubeconfig", str(place.kubeconfig))
        _wait_until_it_answers(place)
        if not is_ours(place):
            raise foreign(place)
        _refuse_aloud(place)
        return
    if there:
        delete(place)  # we began it, and were stopped before it was whole
    _create(place)
    _wait_until_it_answers(place)
    _refuse_aloud(place)
    _mark(place)


def start_kubelets(place: Place) -> None:
    """Start the kubelets of a region's nodes again: one is stopped while its database is given up."""
    for node, seen in node_states([place]).items():
        if seen in ("running", "cut"):
            attempt("docker", "exec", node, "systemctl", "start", "kubelet")


def is_ours(place: Place) -> bool:
    """Whether a cluster that answers carries our mark."""
    with asking(place, "whether it is ours"):
        found = CoreV1Api(client_of(place)).list_namespaced_config_map(
            "kube-system",
            field_selector=f"metadata.name={MARK}",
            label_selector=OWNER_LABEL,
            _request_timeout=TIMEOUT_S,
        )
    return bool(found.items)


def labels_of(thing: V1Namespace) -> Mapping[str, str]:
    """Labels of a namespace; it may have none."""
    return (thing.metadata.labels if thing.metadata else None) or {}


def identity(place: Place) -> state.Identity:
    """What tells this cluster from any other: UID of its namespace kube-system, fingerprint of its API's CA."""
    with asking(place, "its identity"):
        metadata = CoreV1Api(client_of(place)).read_namespace("kube-system", _request_timeout=TIMEOUT_S).metadata
    assert metadata is not None, "a namespace has metadata"
    assert metadata.uid, "a namespace has a UID"
    return state.Identity(place.cluster, metadata.uid, _fingerprint(place.kubeconfig))


def delete(place: Place) -> None:
    """Delete the cluster and its kubeconfig."""
    run("kind", "delete", "cluster", "--name", place.cluster, "--kubeconfig", str(place.kubeconfig), timeout_s=180)
    place.kubeconfig.unlink(missing_ok=True)


def node_states(places: Sequence[Place]) -> dict[str, str]:
    """State of each node container as Docker sees it: running, paused, exited, absent, or running and not reached.

    Those that are not reached are cut (without network) or unpublished (on it, without their ports of this machine).

    Raises CommandError: Docker does not say.
    """
    names = [name for place in places for name in place.nodes]
    states = dict.fromkeys(names, "absent")
    for document in inspected(*names):
        connected = NETWORK in document["NetworkSettings"]["Networks"]
        seen = str(document["State"]["Status"])
        if seen == "running" and not connected:
            seen = "cut"
        elif seen == "running" and unpublished(document):
            seen = "unpublished"
        states[document["Name"].lstrip("/")] = seen
    return states


def _create(place: Place) -> None:
    state.begin(place.cluster)
    place.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
    command = ("kind", "create", "cluster", "--config", "-", "--kubeconfig", str(place.kubeconfig))
    try:
        run(*command, stdin=rendering.cluster_file(place), timeout_s=_CREATE_S)
    except CommandError as error:
        remedy = "Read what kind said; `gameday doctor` shows what this machine lacks. Then `gameday testbed up` again."
        raise TestbedError(Problem(f"cluster {place.cluster}", error.problems[0].found, "it made", remedy)) from error


def _revive(place: Place, addresses: Mapping[str, str]) -> None:
    """Unpause, connect and start its nodes. A node whose address has changed finds its way when it starts."""
    states = node_states([place])
    for node, condition in states.items():
        if condition == "absent":
            remedy = f"`kind delete cluster --name {place.cluster}`, then `gameday testbed up`."
            raise TestbedError(Problem(f"cluster {place.cluster}", f"no node {node}", "all its nodes", remedy))
        if condition == "paused":
            run("docker", "unpause", node)
        if condition == "cut":
            if node in addresses:
                _connect(node, addresses[node])
            else:  # one whose address is not known finds its way when it starts
                run("docker", "network", "connect", NETWORK, node)
                run("docker", "restart", node)
        elif condition == "unpublished":
            publish(node)
        elif condition not in ("running", "paused"):
            run("docker", "start", node)


def publish(node: str) -> None:
    """Publish the ports of a node that is on the network without them. Raises TestbedError while one is taken."""
    form = f'{{{{(index .NetworkSettings.Networks "{NETWORK}").IPAddress}}}}'
    _connect(node, run("docker", "inspect", "-f", form, node).stdout.strip())


def _connect(node: str, address: str) -> None:
    """Connect a node under an address, as a lift does. Raises TestbedError."""
    lift = {"verb": "docker-connect", "target": node, "arguments": {"network": NETWORK, "ip": address}}
    result = Lifter(kubeconfig_folder(), engine=Engine(socket_path())).perform_one(lift)
    if not result.ok:
        remedy = "Free what it names, then the same command again."
        raise TestbedError(Problem(f"node {node}", result.detail, "it on the network, with its ports", remedy))


def _refuse_aloud(place: Place) -> None:
    """Have the nodes refuse each connection to a service without pods, after a restart too.

    Linux sends one such answer a second to a peer; the rest of the connections would hang for two minutes, and at the
    rate of a game day docker-proxy, which holds them, runs out of files and dies.
    """
    setting = f"echo {_REFUSES} > /etc/sysctl.d/60-gameday.conf && sysctl -q -w {_REFUSES}"
    for node in place.nodes:
        run("docker", "exec", node, "sh", "-c", setting)


def _wait_until_it_answers(place: Place) -> None:
    deadline = time.monotonic() + _ANSWER_S
    while True:
        try:
            CoreV1Api(client_of(place)).list_node(_request_timeout=TIMEOUT_S)
            return
        except (ApiException, HTTPError, OSError) as error:
            if time.monotonic() > deadline:
                problem = Problem(
                    f"cluster {place.cluster}",
                    f"no answer of its API within {_ANSWER_S} s ({error})"[:300],
                    "an answer",
                    "`gameday testbed down`, then `gameday testbed up`.",
                )
                raise TestbedError(problem) from error
        time.sleep(1)


def _mark(place: Place) -> None:
    metadata = V1ObjectMeta(name=MARK, labels={_OWNER: _OWNED})
    body = V1ConfigMap(metadata=metadata, data={"region": place.region})
    with asking(place, "its mark"):
        CoreV1Api(client_of(place)).create_namespaced_config_map("kube-system", body, _request_timeout=TIMEOUT_S)
    state.finish(place.cluster)


def foreign(place: Place) -> TestbedError:
    """What is wrong when a cluster of this name is somebody else's."""
    remedy = f"If nobody needs it: `kind delete cluster --name {place.cluster}`. Nothing was changed."
    return TestbedError(Problem(f"cluster {place.cluster}", "one that is not ours", "none, or our own", remedy))


def _fingerprint(kubeconfig: Path) -> str:
    document = YAML(typ="safe").load(kubeconfig.read_text(encoding="utf-8"))
    pem = base64.b64decode(document["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
