"""Each injection increments a counter kept in the targets, so that a run that was never registered betrays itself.

Beside it stand the approvals that were used there.
"""

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.platforms.site import site
from experiments.testbed import layout
from experiments.testbed.system.apiserver import ApiServer, ApiServerError, ApiServers

NAME = "gameday-counter"
CALL_S = 2.0  # a lost region never answers
_ATTEMPTS = 5


@dataclass(frozen=True)
class Counters:
    """A ConfigMap in each target: `injections`, the run and fault of the last one, and what may be taken once."""

    kubeconfigs: Path = field(default_factory=layout.kubeconfig_folder)
    namespace: str = layout.NAMESPACE

    def count(self, run: str, fault: str) -> dict[str, int]:
        """Add one in each target that answers; return the counts. A target that is lost keeps its count."""
        servers, counts = ApiServers(self.kubeconfigs), {}
        for region in site().places:
            with contextlib.suppress(ApiServerError):
                counts[region] = self._add(servers.of(region), run, fault)
        return counts

    def claim(self, name: str, words: str) -> str:
        """Take what may be taken once, in every target. Two who try at the same time do not both get it.

        Args:
            name: of what is taken.
            words: who takes it, and when; nobody else's words.

        Returns:
            The words of whoever has taken it before, in the first target that has them; empty: it is taken now.

        Raises:
            ApiServerError: a target does not answer, or refuses.
        """
        servers = ApiServers(self.kubeconfigs)
        for region in site().places:
            kept = self._change(servers.of(region), lambda data: {name: words, **data})
            if kept[name] != words:
                return kept[name]
        return ""

    def read(self, region: str) -> int:
        """Return a target's count. Raises ApiServerError."""
        return int(
            (self._find(ApiServers(self.kubeconfigs).of(region)) or {"data": {"injections": "0"}})["data"]["injections"]
        )

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/configmaps"

    def _find(self, server: ApiServer) -> dict[str, Any] | None:
        status, text = server.call("GET", f"{self._path}/{NAME}", timeout_s=CALL_S)
        if status not in (200, 404):
            raise ApiServerError(f"{NAME}: {status} {text}")
        return dict(json.loads(text)) if status == 200 else None

    def _add(self, server: ApiServer, run: str, fault: str) -> int:
        def add(data: dict[str, str]) -> dict[str, str]:
            return {**data, "injections": str(int(data["injections"]) + 1), "run": run, "fault": fault}

        return int(self._change(server, add)["injections"])

    def _change(self, server: ApiServer, change: Callable[[dict[str, str]], dict[str, str]]) -> dict[str, str]:
        """Change what is kept, unless somebody else does so in the meantime: then it is looked at anew."""
        for _ in range(_ATTEMPTS):
            found = self._find(server)
            kept = {"resourceVersion": found["metadata"]["resourceVersion"]} if found else {}
            before = found["data"] if found else {"injections": "0"}
            data = change(before)
            if found and data == before:
                return data
            document = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": NAME, "namespace": self.namespace, **kept},
                "data": data,
            }
            method, path = ("PUT", f"{self._path}/{NAME}") if found else ("POST", self._path)
            status, text = server.call(method, path, document, timeout_s=CALL_S)
            if status in (200, 201):
                return data
            if status != 409:  # 409: somebody changed it at the same moment
                raise ApiServerError(f"{NAME}: {status} {text}")
        raise ApiServerError(f"{NAME}: changed by somebody else {_ATTEMPTS} times")
