"""A cluster's API on loopback, with an authority of its own: what the verbs ask of it, and nothing more."""

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.unit.safety.test_identity import certificates

UID = "11111111-2222-3333-4444-555555555555"


class Api:
    """Objects by path; what was called. A pod in `guarded` refuses its first eviction, as a budget does."""

    def __init__(self, authority: str) -> None:
        self.authority, self.host = authority, ""
        self.forget()

    def forget(self) -> None:
        """Empty."""
        self.objects: dict[str, Any] = {"/api/v1/namespaces/kube-system": {"metadata": {"uid": UID}}}
        self.pods: list[dict[str, Any]] = []
        self.guarded: set[str] = set()
        self.called: list[tuple[str, str, Any]] = []
        self.tokens: set[str] = set()

    def changed(self) -> list[tuple[str, str, Any]]:
        """Calls that were to change something."""
        return [call for call in self.called if call[0] != "GET"]

    def add_node(self, name: str, instance: str) -> None:
        labels = {"eks.amazonaws.com/nodegroup": "general"}
        self.objects[f"/api/v1/nodes/{name}"] = {
            "metadata": {"name": name, "labels": labels},
            "spec": {"providerID": f"aws:///us-east-1a/{instance}"},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }

    def add_pod(self, name: str, node: str, owner: str = "ReplicaSet") -> None:
        metadata = {"name": name, "namespace": "grandmodel", "ownerReferences": [{"kind": owner}]}
        labels = {"component": name.split("-", maxsplit=1)[0]}
        self.pods.append({"metadata": {**metadata, "labels": labels}, "spec": {"nodeName": node}})

    def answer(self, method: str, url: str, body: Any) -> tuple[int, Any]:
        """Answer a call."""
        path, query = urlsplit(url).path, parse_qs(urlsplit(url).query)
        self.called.append((method, path, body))
        if path.endswith("/eviction"):
            return self._evict(path.split("/")[-2])
        if path.endswith("/pods"):
            key, _, wanted = query.get("labelSelector", query.get("fieldSelector", [""]))[0].partition("=")
            found = [p for p in self.pods if wanted in (p["metadata"]["labels"].get(key), p["spec"]["nodeName"])]
            return 200, {"items": found}
        if path == "/api/v1/nodes":
            return 200, {"items": [thing for p, thing in self.objects.items() if p.startswith("/api/v1/nodes/")]}
        if path not in self.objects:
            return 404, {"reason": "NotFound"}
        if method == "PATCH":
            _merge(self.objects[path], body)
        return 200, self.objects[path]

    def _evict(self, name: str) -> tuple[int, Any]:
        if name in self.guarded:
            self.guarded.discard(name)
            return 429, {"reason": "TooManyRequests"}
        self.pods = [pod for pod in self.pods if pod["metadata"]["name"] != name]
        return 201, {}


def _merge(thing: dict[str, Any], patch: Any) -> None:
    """As a merge patch does; of JSON patches the one that replaces, of strategic ones a list of one container."""
    if isinstance(patch, list):
        for each in patch:
            *parents, last = each["path"].strip("/").split("/")
            inner = thing
            for key in parents:
                inner = inner[key]
            inner[last] = each["value"]
        return
    for key, value in patch.items():
        if key == "containers":
            assert value[0]["name"] == thing[key][0]["name"]
            thing[key][0] |= value[0]
        elif isinstance(value, dict):
            _merge(thing.setdefault(key, {}), value)
        else:
            thing[key] = value


def kubeconfig(api: Api, file: Path) -> None:
    """Write how it is reached."""
    authority = base64.b64encode(api.authority.encode()).decode()
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "east",
        "contexts": [{"name": "east", "context": {"cluster": "east", "user": "me"}}],
        "clusters": [{"name": "east", "cluster": {"server": api.host, "certificate-authority-data": authority}}],
        "users": [{"name": "me", "user": {"token": "made-up"}}],
    }
    file.write_text(yaml.safe_dump(document))


@contextmanager
def served[A: Api](folder: Path, kind: Callable[[str], A]) -> Iterator[A]:
    """Serve it over TLS."""
    api = kind(certificates(folder))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # a connection is kept: proving who one is takes most of the time

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            api.tokens.add(self.headers.get("Authorization", ""))
            status, document = api.answer(self.command, self.path, body)
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self._answer()

        def do_PATCH(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def do_PUT(self) -> None:
            self._answer()

        def do_DELETE(self) -> None:
            self._answer()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    api.host = f"https://127.0.0.1:{server.server_port}"
    yield api
    server.shutdown()
    server.server_close()
    thread.join()
