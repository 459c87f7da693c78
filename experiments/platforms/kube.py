"""Kubernetes: one client for each region, from that region's own kubeconfig, never the current context."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException, load_kube_config
from urllib3.exceptions import HTTPError
from yaml import YAMLError

from experiments.testbed.layout import Place
from scenarios.errors import GamedayError, Problem

CONNECT_S = 3.0
READ_S = 15.0
TIMEOUT_S = (CONNECT_S, READ_S)  # pass as `_request_timeout`: a lost region answers nothing at all

# What the client makes of a kubeconfig that is damaged: it looks for no shape before it reads one.
UNUSABLE = (ConfigException, YAMLError, OSError, ValueError, TypeError, LookupError, AttributeError)


class NoClusterError(GamedayError, RuntimeError):
    """A region has no kubeconfig that can be used: the testbed was never made here, or somebody changed the file."""


class KubernetesError(GamedayError, RuntimeError):
    """An API server does not answer, or refuses."""


@contextmanager
def asking(place: Place, what: str) -> Iterator[None]:
    """Make errors of the client ours. `what` is asked for, in words.

    Raises:
        KubernetesError: the region's API server does not answer, or refuses.
    """
    try:
        yield
    except ApiException as error:
        found = f"{error.status} {error.reason}: {_said(error)}"[:400]
        problem = Problem(f"{place.cluster}: {what}", found, "it done", "`gameday testbed status` shows more.")
        raise KubernetesError(problem) from error
    except (HTTPError, OSError) as error:
        found, remedy = f"no answer: {error}"[:300], "`gameday testbed up` brings a region back that has stopped."
        raise KubernetesError(Problem(f"{place.cluster}: {what}", found, "an answer", remedy)) from error


def _said(error: ApiException) -> str:
    try:
        return str(json.loads(error.body or "")["message"])
    except (ValueError, KeyError):
        return str(error.body)


def client_of(place: Place) -> ApiClient:
    """Return the client of a region; one for each region and process, safe to use from several threads.

    Calls do not retry by themselves; pass `_request_timeout=TIMEOUT_S`, for a paused API server never answers.

    Raises:
        NoClusterError: the testbed has left no kubeconfig of this region, or it is damaged or another's.
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
    try:
        load_kube_config(str(path), context=context, client_configuration=configuration, persist_config=False)
    except UNUSABLE as error:
        found = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        remedy = "`gameday testbed up` writes it anew."
        raise NoClusterError(Problem(str(path), found, f"a kubeconfig with the context {context}", remedy)) from error
    configuration.retries = False
    return ApiClient(configuration)
