"""A cluster's API by its address and authority: no kubeconfig, so no current context that could point elsewhere."""

import json
import ssl
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlencode

import urllib3

from scenarios.errors import GamedayError, Problem

CALL_S = 15.0
PATCH = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
}


class KubeError(GamedayError, OSError):
    """The cluster's API refused or did not answer. `status` is HTTP's, 0 for no answer."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(problem)
        self.status = status


class Gate(Protocol):
    """What lets a change through, or raises."""

    def __call__(self, operation: str, *, changes: bool) -> None:
        """Ask it."""


class Kube:
    """Calls of one cluster's API. None is repeated by itself.

    Args:
        host: its address, https.
        authority: the certificate authority that must vouch for it, in PEM.
        token: makes a token, anew for each call, for it is good for a minute only.
        gate: is asked before each call with its method and path.
    """

    def __init__(self, host: str, authority: str, token: Callable[[], str], gate: Gate) -> None:
        self._host, self._token, self._gate = host.rstrip("/"), token, gate
        context = ssl.create_default_context(cadata=authority)
        self._pool = urllib3.PoolManager(ssl_context=context, retries=False, timeout=CALL_S)

    def get(self, path: str, **query: str) -> Any:
        """Read an object or a list. Raises KubeError."""
        return self._call("GET", path + (f"?{urlencode(query)}" if query else ""))

    def patch(self, path: str, body: Any, kind: str = "strategic") -> Any:
        """Patch an object; kind: merge, strategic or json. Raises KubeError."""
        return self._call("PATCH", path, body, PATCH[kind])

    def post(self, path: str, body: Any) -> Any:
        """Create an object, or an eviction. Raises KubeError."""
        return self._call("POST", path, body)

    def _call(self, method: str, path: str, body: Any = None, content: str = "application/json") -> Any:
        self._gate(operation(method, path), changes=method != "GET")
        headers = {"Authorization": f"Bearer {self._token()}", "Accept": "application/json", "Content-Type": content}
        where = f"{method} {path} of {self._host}"
        try:
            answer = self._pool.request(
                method, self._host + path, body=None if body is None else json.dumps(body), headers=headers
            )
        except urllib3.exceptions.HTTPError as error:
            remedy = "See whether the cluster's endpoint can be reached from here."
            raise KubeError(0, Problem(where, str(error)[:300], "an answer", remedy)) from error
        if not 200 <= answer.status < 300:
            remedy = "Give the role an access entry with the rights of docs/how-to/eks.md."
            if answer.status not in (401, 403):
                remedy = "Look at the cluster, then repeat."
            found = f"{answer.status} {answer.data.decode(errors='replace')[:300]}"
            raise KubeError(answer.status, Problem(where, found, "2xx", remedy))
        return json.loads(answer.data)


def operation(method: str, path: str) -> str:
    """A call's kind, as plans name it: the method and the kind of object.

    >>> operation("PATCH", "/apis/apps/v1/namespaces/grandmodel/deployments/risk-deployment")
    'PATCH deployments'
    >>> operation("POST", "/api/v1/namespaces/grandmodel/pods/risk-1/eviction")
    'POST eviction'
    """
    parts = path.partition("?")[0].strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    if parts[0] == "namespaces" and len(parts) > 2:
        parts = parts[2:]
    return f"{method} {parts[2] if len(parts) > 2 else parts[0]}"
