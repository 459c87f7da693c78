"""Stand-ins for what lies outside: Docker, the witness that grants the writer's lease, an API server, time."""

import http.server
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from experiments.testbed.system.engine import EngineError
from experiments.testbed.system.lifting import Lifter


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


class Docker:
    """Containers with their state; every call that changes something is kept in `done`."""

    def __init__(self, *names: str) -> None:
        self.done: list[tuple[str, str]] = []
        self.broken: set[str] = set()  # calls that fail, by their last word
        self.known = frozenset(names)
        self.paused, self.stopped = set(names), set[str]()
        self.addresses = {name: f"10.0.0.{number}" for number, name in enumerate(names, 2)}

    def inspect(self, container: str, **_: Any) -> dict[str, Any]:
        if container not in self.known:
            raise EngineError(f"No such container: {container}")
        address = self.addresses.get(container)
        networks = {"kind": {"IPAddress": address}} if address else {}
        state = {"Paused": container in self.paused, "Running": container not in self.stopped}
        return {"State": state, "NetworkSettings": {"Networks": networks}}

    def do(self, path: str, body: Any = None, **_: Any) -> None:
        word = path.rpartition("/")[2]
        if word in self.broken:
            raise EngineError(f"cannot {word}")
        name = body["Container"] if body else path.split("/")[2]
        self.done.append((word, name))
        if word == "unpause":
            self.paused.discard(name)
        elif word == "disconnect":
            del self.addresses[name]
        elif word == "connect":
            self.addresses[name] = body["EndpointConfig"]["IPAMConfig"]["IPv4Address"]


class Lifting(Lifter):
    """The real lifter on containers that are made up."""

    def __init__(self, *names: str) -> None:
        self.docker = Docker(*(names or ("gameday-a", "gameday-b")))
        engine: Any = self.docker
        super().__init__(Path("nowhere"), engine=engine)


class Witness:
    """Says who holds the writer's lease, and keeps the facts that it is told."""

    def __init__(self) -> None:
        self.lease: Mapping[str, Any] | None = {"region": "us-east-1", "fenced": False}
        self.facts: list[dict[str, Any]] = []
        witness = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(witness.lease).encode()
                self.send_response(200 if witness.lease else 503)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                witness.facts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class Objects:
    """An API server that keeps objects, with resource versions; `busy` conflicts come first, `denies` is refused."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.version = 0
        self.busy = 0
        self.denies: set[str] = set()  # methods

    def call(self, method: str, path: str, body: Any = None, **_: Any) -> tuple[int, str]:
        if method in self.denies:
            return 401, "Unauthorized"
        if method == "GET":
            return (200, json.dumps(self.kept[path])) if path in self.kept else (404, "none")
        if method == "DELETE":
            return (200, "") if self.kept.pop(path, None) else (404, "none")
        name = f"{path}/{body['metadata']['name']}" if method == "POST" else path
        if self.busy or (method == "POST" and name in self.kept):
            self.busy = max(0, self.busy - 1)
            return 409, "conflict"
        if method == "PUT" and body["metadata"].get("resourceVersion") != str(self.version):
            return 409, "conflict"
        self.version += 1
        metadata = {**body["metadata"], "resourceVersion": str(self.version)}
        self.kept[name] = json.loads(json.dumps({**body, "metadata": metadata}))
        return 201 if method == "POST" else 200, ""

    def delete(self, path: str, **_: Any) -> tuple[int, str]:
        return self.call("DELETE", path)
