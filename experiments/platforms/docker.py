"""Where Docker listens, as the program `docker` finds it (DOCKER_HOST, else the context in use), and what it has."""

import json
import os
import sys
from typing import Any

from experiments.platforms.shell import CommandError, attempt
from scenarios.errors import Problem

INSIDE = "/var/run/docker.sock"  # where it is on the machine that Docker runs on, unless that is a user's own
_UNIX = "unix://"
_ASKED_S = 2.0
_INSPECTED_S = 20.0
_TRIES = 3  # while a container is being unpaused, `docker inspect` was seen to print nothing


def endpoint() -> str:
    """URL of the Docker that `docker` talks to; empty when it does not say."""
    return os.environ.get("DOCKER_HOST", "") or _said("context", "inspect", "-f", "{{.Endpoints.docker.Host}}")


def socket_path() -> str:
    """Path of its socket for a process of this machine; the usual one when it is not known."""
    found = endpoint()
    return found.removeprefix(_UNIX) if found.startswith(_UNIX) else INSIDE


def mounted_socket() -> str:
    """Path of its socket for a container; Docker Desktop and its like have the usual one, in a machine of their own."""
    elsewhere = sys.platform != "linux" or "Docker Desktop" in _said("info", "-f", "{{.OperatingSystem}}")
    return INSIDE if elsewhere else socket_path()


def inspected(*names: str) -> list[dict[str, Any]]:
    """What Docker knows of those of the containers that are there.

    Raises CommandError: it does not say. That is not the same as that none is there.
    """
    for _ in range(_TRIES):
        found = attempt("docker", "inspect", "--type", "container", *names, timeout_s=_INSPECTED_S)
        if (found.ok or "No such" in found.stderr) and found.stdout.strip():
            return list(json.loads(found.stdout))
    said = (found.stderr.strip() or "nothing")[-300:]
    remedy = "See whether Docker is running: `docker ps`."
    raise CommandError(
        Problem("docker inspect", f"exit code {found.code}: {said}", "what containers there are", remedy)
    )


def _said(*arguments: str) -> str:
    try:
        return attempt("docker", *arguments, timeout_s=_ASKED_S).stdout.strip()
    except CommandError:
        return ""
