"""A small API server of a region: it knows namespaces, checks a token, and may be lost after some answers."""

import http.server
import json
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from experiments.safety.identity import fingerprint
from experiments.testbed.layout import OWNER_LABEL, Place
from experiments.testbed.state import Identity

TOKEN = "that-of-a-test"
AUTHORITY = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
_OWNER, _, _OWNED = OWNER_LABEL.partition("=")
_VERBS = ["get", "list", "patch"]
_KINDS = [{"name": "namespaces", "singularName": "", "namespaced": False, "kind": "Namespace", "verbs": _VERBS}]


@dataclass
class Api:
    """What it holds, and what it was asked."""

    uid: str = "uid"
    namespaces: dict[str, Mapping[str, str]] = field(default_factory=dict)  # name -> labels
    token: str = TOKEN
    answers: int = 1_000_000  # then it is lost
    asked: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0

    def own(self, name: str) -> None:
        """Make it hold a namespace of the testbed's."""
        self.namespaces[name] = {_OWNER: _OWNED}

    def document(self, method: str, path: str) -> dict[str, Any]:
        """What it answers."""
        items = [{"metadata": {"name": n, "labels": dict(labels)}} for n, labels in self.namespaces.items()]
        fixed: dict[str, dict[str, Any]] = {
            "/version": {"major": "1", "minor": "34"},
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {"kind": "APIGroupList", "groups": []},
            "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": _KINDS},
            "/api/v1/namespaces": {"kind": "NamespaceList", "items": items},
            "/api/v1/namespaces/kube-system": {"metadata": {"name": "kube-system", "uid": self.uid}},
        }
        return fixed.get(path, {"kind": "List", "metadata": {"name": path.rpartition("/")[2]}, "items": []})

    def kubeconfig(self, place: Place) -> None:
        """Write the region's kubeconfig, with a token that is good."""
        name = place.context
        cluster = {
            "server": f"http://127.0.0.1:{self.port}",
            "certificate-authority-data": b64encode(AUTHORITY.encode()).decode(),
        }
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": {"token": TOKEN}}],
        }
        place.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        place.kubeconfig.write_text(json.dumps(document), encoding="utf-8")

    def identity(self, place: Place) -> Identity:
        """How it is remembered."""
        return Identity(place.cluster, self.uid, fingerprint(AUTHORITY))


@contextmanager
def served(api: Api) -> Iterator[Api]:
    """Let it answer on a port of its own."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            api.asked.append((self.command, path))
            if len(api.asked) > api.answers:
                self.close_connection = True
                return
            code, document = 200, api.document(self.command, path)
            if self.headers.get("Authorization") != f"Bearer {api.token}":
                code, document = 401, {"kind": "Status", "message": "the token has expired"}
            body = json.dumps(document).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_PATCH(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
