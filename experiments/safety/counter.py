"""Each injection increments a counter kept in the targets, so that a run that was never registered betrays itself."""

import contextlib
import json
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
    """A ConfigMap in each target: `injections`, and the run and fault of the last one."""

    kubeconfigs: Path = field(default_factory=layout.kubeconfig_folder)
    namespace: str = layout.NAMESPACE

    def count(self, run: str, fault: str) -> dict[str, int]:
        """Add one in each target that answers; return the counts. A target that is lost keeps its count."""
        servers, counts = ApiServers(self.kubeconfigs), {}
        for region in site().places:
            with contextlib.suppress(ApiServerError):
                counts[region] = self._add(servers.of(region), run, fault)
        return counts

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
        for _ in range(_ATTEMPTS):
            found = self._find(server)
            kept = {"resourceVersion": found["metadata"]["resourceVersion"]} if found else {}
            count = int(found["data"]["injections"]) + 1 if found else 1
            document = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": NAME, "namespace": self.namespace, **kept},
                "data": {"injections": str(count), "run": run, "fault": fault},
            }
            method, path = ("PUT", f"{self._path}/{NAME}") if found else ("POST", self._path)
            status, text = server.call(method, path, document, timeout_s=CALL_S)
            if status in (200, 201):
                return count
            if status != 409:  # 409: somebody counted at the same moment
                raise ApiServerError(f"{NAME}: {status} {text}")
        raise ApiServerError(f"{NAME}: changed by somebody else {_ATTEMPTS} times")
