"""A region's API server, reached by the client certificate of its own kubeconfig; never the current context."""

import json
from pathlib import Path
from typing import Any

import urllib3
import yaml
from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config

CONTENT_TYPES = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
}
# What the client raises of a file that is no kubeconfig: it takes its shape for granted.
_DAMAGED = (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError)


class ApiServerError(OSError):
    """An API server does not answer, or its kubeconfig cannot be used."""


class ApiServer:
    """One API server. Every call has a deadline, and none is repeated by itself.

    Args:
        kubeconfig: says how it is reached; None: that of the cluster where this process is a pod.
    """

    def __init__(self, kubeconfig: Path | None) -> None:
        configuration = Configuration()
        try:
            if kubeconfig is None:
                load_incluster_config(client_configuration=configuration)
            else:
                load_kube_config(str(kubeconfig), client_configuration=configuration, persist_config=False)
        except (ConfigException, OSError, *_DAMAGED) as error:
            raise ApiServerError(f"{kubeconfig or 'this pod'}: {type(error).__name__} {error}") from error
        configuration.retries = False
        self._client = ApiClient(configuration)
        self._host = str(configuration.host).rstrip("/")

    @property
    def host(self) -> str:
        """Its address, https."""
        return self._host

    @property
    def authority(self) -> str:
        """The certificate authority that it must be vouched for by, in PEM. Raises ApiServerError."""
        path = self._client.configuration.ssl_ca_cert
        if not path:
            raise ApiServerError(f"{self._host}: its kubeconfig names no certificate authority")
        return Path(path).read_text(encoding="ascii")

    def call(
        self, method: str, path: str, body: Any = None, *, content: str = "application/json", timeout_s: float
    ) -> tuple[int, str]:
        """Call a path; return the status and the answer's text. Raises ApiServerError when nobody answers."""
        headers = {"Accept": "application/json", "Content-Type": content}
        self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        try:
            answer = self._client.call_api(method, self._host + path, headers, body, _request_timeout=timeout_s)
            return int(answer.status), bytes(answer.read()).decode(errors="replace")
        except ApiException as error:
            if not error.status:
                raise ApiServerError(f"{self._host}: {error.reason}") from error
            return int(error.status), str(error.body or error.reason)[:300]
        except (OSError, urllib3.exceptions.HTTPError) as error:
            raise ApiServerError(f"{self._host}: {error}") from error

    def patch(self, path: str, patch: Any, kind: str, *, timeout_s: float) -> tuple[int, str]:
        """Patch an object; kind: merge, strategic or json."""
        return self.call("PATCH", path, patch, content=CONTENT_TYPES[kind], timeout_s=timeout_s)

    def delete(self, path: str, *, timeout_s: float) -> tuple[int, str]:
        """Delete an object."""
        return self.call("DELETE", path, timeout_s=timeout_s)

    def get(self, path: str, *, timeout_s: float) -> Any:
        """Return an object. Raises ApiServerError when there is none."""
        status, text = self.call("GET", path, timeout_s=timeout_s)
        if status != 200:
            raise ApiServerError(f"{path}: {status} {text}")
        return json.loads(text)


class ApiServers:
    """API servers of all regions, from a folder that holds `kubeconfig-REGION.yaml` of each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[tuple[str, int], ApiServer] = {}

    def of(self, region: str) -> ApiServer:
        """Return a region's; its kubeconfig is read again when it was written anew. Raises ApiServerError."""
        path = self._folder / f"kubeconfig-{region}.yaml"
        try:
            key = region, path.stat().st_mtime_ns
        except OSError as error:
            raise ApiServerError(f"{path}: {error.strerror}") from error
        if key not in self._known:
            self._known[key] = ApiServer(path)
        return self._known[key]
