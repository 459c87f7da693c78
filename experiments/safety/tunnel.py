"""A way to the database of a region that is cut from the network, so that its timeline can be read while it is fenced.

While a region is cut, nothing listens at its edge; this process listens there in its stead. Each connection goes
through `docker exec` on the node that holds the data, to the pod's own address. Nobody else gets in.
"""

import contextlib
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from experiments.platforms.shell import CommandError, run
from experiments.testbed import clusters, layout
from experiments.testbed.layout import Place

CLAIM = "data-postgres-0"
POD = "postgres-0"
INSIDE_S = 20.0
_PORT = 5432
# Bytes from the socket go to the pod, the pod's come back; when either side ends, both do.
_FORWARD = "exec 3<>/dev/tcp/$0/$1 || exit 1; cat <&3 & cat >&3; kill $! 2>/dev/null"


@dataclass(frozen=True)
class Data:
    """Where a region's database keeps its data."""

    node: str
    folder: str  # on the node


def kubectl(place: Place, *arguments: str) -> str:
    """Call kubectl inside the region's control plane, which works while the region is cut. Raises CommandError."""
    inside = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "--server", "https://127.0.0.1:6443")
    command = ("docker", "exec", place.control_plane, *inside, "--request-timeout", f"{INSIDE_S:g}s", *arguments)
    return run(*command, timeout_s=2 * INSIDE_S).stdout


def data_of(place: Place) -> Data:
    """Find the node and folder of the region's database. Raises CommandError, LookupError."""
    for volume in json.loads(kubectl(place, "get", "pv", "-o", "json"))["items"]:
        spec = volume["spec"]
        claim = spec.get("claimRef") or {}
        if (claim.get("namespace"), claim.get("name")) != (layout.NAMESPACE, CLAIM):
            continue
        terms = spec["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"]
        node = next(term["values"][0] for term in terms if term["key"] == "kubernetes.io/hostname")
        return Data(node, str((spec.get("hostPath") or spec["local"])["path"]))
    raise LookupError(f"{place.region}: no volume is bound to {layout.NAMESPACE}/{CLAIM}")


def is_cut(place: Place) -> bool:
    """Whether a node of the region runs outside the network."""
    return "cut" in clusters.node_states([place]).values()


@contextlib.contextmanager
def to_fenced_databases() -> Iterator[list[str]]:
    """Within it, databases of regions that are cut answer at their usual address; yields those regions.

    A region whose database cannot be found is left out: whoever reads finds that nothing answers.
    """
    with contextlib.ExitStack() as stack:
        regions = []
        for place in layout.PLACES.values():
            if is_cut(place):
                with contextlib.suppress(CommandError, LookupError, OSError):
                    stack.enter_context(_to_database(place, usual_address(place)))
                    regions.append(place.region)
        yield regions


@contextlib.contextmanager
def to_database(place: Place) -> Iterator[tuple[str, int]]:
    """Within it the database of a region answers at the address that is yielded.

    One that is cut does so where nobody else asks: for whoever watches it from outside it stays out of reach.

    Raises CommandError, LookupError, OSError when one that is cut cannot be found.
    """
    if not is_cut(place):
        yield usual_address(place)
        return
    with _to_database(place, (layout.HOST, 0)) as address:
        yield address


def usual_address(place: Place) -> tuple[str, int]:
    """Where the database of a region answers while it is on the network."""
    return place.address, layout.PORTS["database"]


@contextlib.contextmanager
def _to_database(place: Place, at: tuple[str, int]) -> Iterator[tuple[str, int]]:
    node = data_of(place).node
    pod = ("get", "pod", "-n", layout.NAMESPACE, POD, "-o", "jsonpath={.status.podIP}")
    address = kubectl(place, *pod).strip()
    if not address:
        raise LookupError(f"{place.region}: {POD} has no address")
    with socket.create_server(at) as server:
        forwarding = _Forwarding(server, node, address)
        host, port = server.getsockname()[:2]
        try:
            yield host, port
        finally:
            forwarding.end()


class _Forwarding:
    """Accepts connections until it is ended; each is handed to a `docker exec`, which talks through it by itself."""

    def __init__(self, server: socket.socket, node: str, address: str) -> None:
        self._server, self._node, self._address = server, node, address
        self._talking: list[subprocess.Popen[bytes]] = []
        self._thread = threading.Thread(target=self._accept, daemon=True, name="tunnel")
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return  # ended
            command = ["docker", "exec", "-i", self._node, "bash", "-c", _FORWARD, self._address, str(_PORT)]
            with connection:
                end = connection.fileno()
                self._talking.append(subprocess.Popen(command, stdin=end, stdout=end, stderr=subprocess.DEVNULL))

    def end(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for process in self._talking:
            process.kill()
            process.wait()
