"""Docker's Engine API over its socket: the few calls that lifting needs, each with a deadline."""

import http.client
import json
import os
import socket
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

SOCKET = "/var/run/docker.sock"


class EngineError(OSError):
    """Docker does not answer, or refuses."""


class _Connection(http.client.HTTPConnection):
    """HTTP over a socket of this machine."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("docker", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def socket_path() -> str:
    """Where Docker listens: DOCKER_HOST when it names a socket, else the usual place."""
    host = os.environ.get("DOCKER_HOST", "")
    return host.removeprefix("unix://") if host.startswith("unix://") else SOCKET


class Engine:
    """Docker on this machine.

    Every call raises EngineError when Docker does not answer within its time, or refuses; the words are Docker's.
    """

    def __init__(self, path: str | None = None) -> None:
        self._path = path or socket_path()

    def call(self, method: str, path: str, body: Any = None, *, timeout_s: float = 10.0) -> tuple[int, Any]:
        """Call the API; return the status and the answer, JSON or text."""
        connection = _Connection(self._path, timeout_s)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json"} if text is not None else {})
            answer = connection.getresponse()
            status, found = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(
                f"Docker does not answer at {self._path}: {str(error) or type(error).__name__}"
            ) from error
        finally:
            connection.close()
        return status, _parsed(found)

    def inspect(self, container: str, *, timeout_s: float = 10.0) -> dict[str, Any]:
        """Return what Docker knows of a container."""
        status, found = self.call("GET", f"/containers/{quote(container)}/json", timeout_s=timeout_s)
        if status != 200:
            raise EngineError(f"{container}: {_words(found)}")
        return dict(found)

    def do(self, path: str, body: Any = None, *, also: Sequence[int] = (), timeout_s: float = 10.0) -> None:
        """POST, and insist on success; `also` are further status codes that mean it."""
        status, found = self.call("POST", path, body, timeout_s=timeout_s)
        if not 200 <= status < 300 and status not in also:
            raise EngineError(_words(found))

    def execute(self, container: str, command: Sequence[str], *, timeout_s: float = 10.0) -> tuple[int, str]:
        """Run a command in a container; return its exit code and the end of what it said."""
        deadline = time.monotonic() + timeout_s
        body = {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True}
        status, found = self.call("POST", f"/containers/{quote(container)}/exec", body, timeout_s=timeout_s)
        if status != 201:
            raise EngineError(f"{container}: {_words(found)}")
        said = self._attached(f"/exec/{found['Id']}/start", deadline)
        status, state = self.call("GET", f"/exec/{found['Id']}/json", timeout_s=timeout_s)
        if status != 200 or state["ExitCode"] is None:
            raise EngineError(f"{container}: {command[0]} did not end within {timeout_s:g} s")
        return int(state["ExitCode"]), said

    def _attached(self, path: str, deadline: float) -> str:
        """Start a command and read what it says until it ends, or its time is up."""
        connection = _Connection(self._path, max(0.1, deadline - time.monotonic()))
        frames = bytearray()
        try:
            connection.request("POST", path, json.dumps({"Detach": False}), {"Content-Type": "application/json"})
            stream = connection.sock  # the connection lets go of it, for Docker ends it with the command
            answer = connection.getresponse()
            while (left := deadline - time.monotonic()) > 0:
                stream.settimeout(left)
                if not (chunk := answer.read1(65536)):
                    break
                frames += chunk
        except TimeoutError:
            pass  # the caller asks whether it has ended
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(
                f"Docker does not answer at {self._path}: {str(error) or type(error).__name__}"
            ) from error
        finally:
            connection.close()
        return _text(frames)


def _text(frames: bytes | bytearray) -> str:
    """Take the words out of Docker's frames: a head of 8 bytes, of which the last 4 are the length."""
    words, at = bytearray(), 0
    while at + 8 <= len(frames):
        length = int.from_bytes(frames[at + 4 : at + 8])
        words += frames[at + 8 : at + 8 + length]
        at += 8 + length
    return words.decode(errors="replace")


def _parsed(found: bytes) -> Any:
    try:
        return json.loads(found) if found else None
    except ValueError:
        return found.decode(errors="replace")


def _words(found: Any) -> str:
    return str(found.get("message", found) if isinstance(found, dict) else found)[:300]
