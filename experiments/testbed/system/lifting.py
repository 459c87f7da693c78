"""What each verb that lifts a fault does. One implementation, for the runner and for the reverter.

A lift is a JSON object `{"verb", "target", "arguments"}` from a closed list. Each is idempotent: done twice, or on
something that is already as it should be, it changes nothing and succeeds. What cannot be lifted is a result that
says why; nothing is raised, so that the lifts after it are still tried.
"""

import http.client
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .apiserver import ApiServerError, ApiServers
from .engine import Engine, EngineError

TIMEOUT_S = 10.0  # of one lift
_TAKEN = re.compile(r"listen (?:tcp|udp)\d? (\S+): bind: address already in use")
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # what is called is on this machine


class CannotLiftError(RuntimeError):
    """A lift did not do what it should."""


@dataclass(frozen=True)
class Result:
    """What became of a lift: done (or nothing to do), or why not."""

    verb: str
    target: str
    ok: bool
    detail: str
    took_s: float

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


class Lifter:
    """Performs lifts on this machine's Docker, on the regions' API servers, and over HTTP.

    Args:
        kubeconfigs: folder with `kubeconfig-REGION.yaml` of each region.
        addresses: where to call instead, for "host:port" of an `http` lift (a container sees others by name).
        engine: Docker; nothing: this machine's.
        timeout_s: of one lift, in seconds.
    """

    def __init__(
        self,
        kubeconfigs: Path,
        *,
        addresses: Mapping[str, str] | None = None,
        engine: Engine | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.engine = engine or Engine()
        self._servers = ApiServers(kubeconfigs)
        self._addresses = dict(addresses or {})
        self._timeout_s = timeout_s
        self._verbs: dict[str, Callable[[str, Mapping[str, Any]], str]] = {
            "docker-unpause": self._unpause,
            "docker-start": self._start,
            "docker-connect": self._connect,
            "docker-exec": self._execute,
            "kube-patch": self._patch,
            "kube-delete": self._delete,
            "http": self._http,
        }

    def perform(self, lifts: Sequence[Mapping[str, Any]]) -> list[Result]:
        """Perform lifts in their order; one result each."""
        return [self.perform_one(lift) for lift in lifts]

    def perform_one(self, lift: Mapping[str, Any]) -> Result:
        """Perform one lift."""
        verb, target, begun = str(lift.get("verb")), str(lift.get("target")), time.monotonic()
        try:
            if verb not in self._verbs:
                raise CannotLiftError(f"{verb} is not on the list of verbs")
            ok, detail = True, self._verbs[verb](target, lift["arguments"])
        except (CannotLiftError, EngineError, ApiServerError) as error:
            ok, detail = False, str(error)
        except (KeyError, TypeError) as error:
            ok, detail = False, f"arguments of {verb}: {type(error).__name__} {error}"
        return Result(verb, target, ok, detail, round(time.monotonic() - begun, 3))

    def _unpause(self, container: str, _: Mapping[str, Any]) -> str:
        if not self.engine.inspect(container, timeout_s=self._timeout_s)["State"]["Paused"]:
            return "was not paused"
        # It may have gone on by itself in the meantime: Docker then says so, and that is what was wanted.
        self.engine.do(f"/containers/{quote(container)}/unpause", also=(304,), timeout_s=self._timeout_s)
        return "goes on"

    def _start(self, container: str, _: Mapping[str, Any]) -> str:
        if self.engine.inspect(container, timeout_s=self._timeout_s)["State"]["Running"]:
            return "was running"
        self.engine.do(f"/containers/{quote(container)}/start", also=(304,), timeout_s=self._timeout_s)
        return "started"

    def _connect(self, container: str, arguments: Mapping[str, Any]) -> str:
        network, ip = str(arguments["network"]), str(arguments["ip"])
        found = self.engine.inspect(container, timeout_s=self._timeout_s)
        has = address_of(found, network)
        if has == ip and not unpublished(found):
            return f"was connected to {network} as {ip}"
        if has is not None:
            self._loosen(container, network, has)
        body = {"Container": container, "EndpointConfig": {"IPAMConfig": {"IPv4Address": ip}}}
        try:
            self.engine.do(f"/networks/{quote(network)}/connect", body, timeout_s=self._timeout_s)
        except EngineError as error:
            if taken := _TAKEN.search(str(error)):
                words = f"{taken[1]} is taken by another program (`ss -ltnp` names it)"
                raise CannotLiftError(f"{words}: its ports are published when that one is free") from error
            raise
        return f"connected to {network} as {ip}"

    def _loosen(self, container: str, network: str, ip: str) -> None:
        """Cut a container from a network before it is connected anew.

        After a connection that failed for a port, Docker says it is connected and will not disconnect it: what stays
        is the interface, which it then finds in its way.
        """
        try:
            self.disconnect(container, network)
        except EngineError as error:
            if "is not connected" not in str(error):
                raise
            own = f"for each in $(ip -o -4 addr show to {ip} | awk '{{print $2}}'); do ip link del $each; done"
            self._execute(container, {"command": ["sh", "-c", own]})

    def disconnect(self, container: str, network: str) -> None:
        """Cut a container from a network."""
        body = {"Container": container, "Force": True}
        self.engine.do(f"/networks/{quote(network)}/disconnect", body, timeout_s=self._timeout_s)

    def _execute(self, container: str, arguments: Mapping[str, Any]) -> str:
        command = [str(word) for word in arguments["command"]]
        code, said = self.engine.execute(container, command, timeout_s=self._timeout_s)
        if code != 0:
            raise CannotLiftError(f"{container}: exit code {code} of {command[0]}: {said.strip()[-300:]}")
        return f"{command[0]} succeeded"

    def _patch(self, region: str, arguments: Mapping[str, Any]) -> str:
        server = self._servers.of(region)
        path, patch, kind = str(arguments["path"]), arguments["patch"], str(arguments["type"])
        status, found = server.patch(path, patch, kind, timeout_s=self._timeout_s)
        if 200 <= status < 300:
            return f"patched {path}"
        if kind == "json" and status in (409, 422):  # the guard: a `test` of the value that we wrote
            current = server.get(path, timeout_s=self._timeout_s)
            if holds(current, patch):
                return f"{path} was as it should be"
            raise CannotLiftError(f"{path} holds neither our value nor the one before: somebody else changed it")
        raise CannotLiftError(f"{path}: {status} {found}")

    def _delete(self, region: str, arguments: Mapping[str, Any]) -> str:
        path = str(arguments["path"])
        status, found = self._servers.of(region).delete(path, timeout_s=self._timeout_s)
        if status == 404:
            return f"{path} was gone"
        if not 200 <= status < 300:
            raise CannotLiftError(f"{path}: {status} {found}")
        return f"deleted {path}"

    def _http(self, url: str, arguments: Mapping[str, Any]) -> str:
        status, words = call_url(
            url_seen_here(url, self._addresses), str(arguments["method"]), arguments["body"], timeout_s=self._timeout_s
        )
        if not 200 <= status < 300:
            raise CannotLiftError(f"{arguments['method']} {url}: {status} {words}")
        return f"{arguments['method']} {url}: {status}"


def address_of(container: Mapping[str, Any], network: str) -> str | None:
    """Address that a container has on a network, or will have when it starts; nothing when it is not connected."""
    found = container["NetworkSettings"]["Networks"].get(network)
    if found is None:
        return None
    wanted = (found.get("IPAMConfig") or {}).get("IPv4Address")
    return str(found.get("IPAddress") or wanted or "")


def unpublished(container: Mapping[str, Any]) -> list[str]:
    """Ports ("127.0.1.1:30080") that a container should publish and does not."""
    published = container["NetworkSettings"].get("Ports") or {}
    wanted = (container.get("HostConfig") or {}).get("PortBindings") or {}
    missing = [each for port, bindings in wanted.items() if not published.get(port) for each in bindings or ()]
    return [f"{each.get('HostIp') or '0.0.0.0'}:{each.get('HostPort')}" for each in missing]


def url_seen_here(url: str, addresses: Mapping[str, str]) -> str:
    """URL with its host and port as they are reached from here."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{addresses.get(host, host)}{slash}{path}"


def call_url(url: str, method: str, body: Any, *, timeout_s: float) -> tuple[int, str]:
    """Call a URL with a JSON body; return the status and the answer, 0 when nobody answers."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if data is not None else {}
    try:
        request = urllib.request.Request(url, data, headers, method=method)
        with _DIRECT.open(request, timeout=timeout_s) as answer:
            return int(answer.status), answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(errors="replace")[:300]
    except (OSError, ValueError, http.client.HTTPException) as error:
        return 0, str(error)


def holds(current: Any, patch: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an object is already as a JSON patch would leave it."""
    return all(_holds_one(current, step) for step in patch if step["op"] != "test")


def _holds_one(current: Any, step: Mapping[str, Any]) -> bool:
    value = current
    for word in str(step["path"]).split("/")[1:]:
        key = word.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, dict) and key in value:
            value = value[key]
        else:
            return bool(step["op"] == "remove")
    return bool(step["op"] in ("add", "replace") and value == step["value"])
