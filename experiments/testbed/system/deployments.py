"""Deployments of the cluster that this container runs in."""

import asyncio
from collections.abc import Mapping

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from .procedure import NotYet
from .settings import SettingError

_PATIENCE_S = 5.0


class Deployments:
    """Scales to a plan and looks whether it is there."""

    def __init__(self, namespace: str, plan: Mapping[str, int]) -> None:
        """Take the service account of this pod.

        Args:
            namespace: Of the deployments.
            plan: Replicas of each deployment.

        Raises:
            SettingError: This is not a pod.
        """
        try:
            config.load_incluster_config()
        except config.ConfigException as error:
            raise SettingError(f"no service account: {error}; automation runs as a pod") from error
        self._namespace = namespace
        self._plan = dict(plan)
        self._apps = client.AppsV1Api()

    async def scale(self) -> None:
        """Ask for the plan.

        Raises:
            NotYet: The API does not answer, or refuses.
        """
        for name, replicas in self._plan.items():
            await asyncio.to_thread(self._scale, name, replicas)

    async def look(self) -> None:
        """See whether the plan is ready.

        Raises:
            NotYet: It is not, or the API does not answer.
        """
        for name, replicas in self._plan.items():
            ready = await asyncio.to_thread(self._ready, name)
            if ready < replicas:
                raise NotYet(f"{name}: {ready} of {replicas} ready")

    def _scale(self, name: str, replicas: int) -> None:
        body = {"spec": {"replicas": replicas}}
        try:
            self._apps.patch_namespaced_deployment_scale(name, self._namespace, body, _request_timeout=_PATIENCE_S)
        except (ApiException, urllib3.exceptions.HTTPError, OSError) as error:
            raise NotYet(f"scale {name}: {_brief(error)}") from error

    def _ready(self, name: str) -> int:
        try:
            found = self._apps.read_namespaced_deployment(name, self._namespace, _request_timeout=_PATIENCE_S)
        except (ApiException, urllib3.exceptions.HTTPError, OSError) as error:
            raise NotYet(f"look at {name}: {_brief(error)}") from error
        if found.status is None or found.metadata is None:
            return 0
        seen = (found.status.observed_generation or 0) >= (found.metadata.generation or 0)
        return (found.status.ready_replicas or 0) if seen else 0


def _brief(error: Exception) -> str:
    return f"{error.status} {error.reason}" if isinstance(error, ApiException) else f"{type(error).__name__} {error}"
