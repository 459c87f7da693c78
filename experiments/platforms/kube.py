"""Kubernetes: one client for each region, from that region's own kubeconfig, never the current context."""

from functools import cache
from pathlib import Path

from kubernetes.client import ApiClient, Configuration
from kubernetes.config import load_kube_config

from experiments.testbed.layout import Place
from scenarios.errors import GamedayError, Problem

CONNECT_S = 3.0
READ_S = 15.0
TIMEOUT_S = (CONNECT_S, READ_S)  # pass as `_request_timeout`: a lost region answers nothing at all


class NoClusterError(GamedayError, RuntimeError):
    """A region has no kubeconfig: the testbed was never made here."""


def client_of(place: Place) -> ApiClient:
    """Return the client of a region; one for each region and process, safe to use from several threads.

    Calls do not retry by themselves; pass `_request_timeout=TIMEOUT_S`, for a paused API server never answers.

    Raises:
        NoClusterError: the testbed has left no kubeconfig of this region.
    """
    path = place.kubeconfig
    try:
        written_ns = path.stat().st_mtime_ns
    except OSError as error:
        problem = Problem(str(path), "no such file", "the region's kubeconfig", "Run `gameday testbed up`.")
        raise NoClusterError(problem) from error
    return _client(path, place.context, written_ns)


@cache
def _client(path: Path, context: str, written_ns: int) -> ApiClient:
    """A client for this version of the file: a cluster that was made anew has other keys."""
    configuration = Configuration()
    load_kube_config(str(path), context=context, client_configuration=configuration, persist_config=False)
    configuration.retries = False
    return ApiClient(configuration)
