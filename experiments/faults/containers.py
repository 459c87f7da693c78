"""Node containers as Docker shows them, and the region's edge as a user sees it."""

import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from experiments.faults.base import nothing
from experiments.platforms import shell
from experiments.platforms.direct import urlopen
from experiments.platforms.docker import inspected
from experiments.platforms.site import site
from experiments.testbed.layout import NETWORK
from scenarios.errors import Problem

ANSWERS_WITHIN_S = 1.0
DOCKER_S = 20.0
SERVICES = ("strategic", "tactical", "risk")


@dataclass(frozen=True)
class Container:
    """A container: what it is, whether it runs, where it is on the testbed's network."""

    name: str
    id: str
    running: bool
    paused: bool
    address: str  # empty: cut from the network

    @property
    def works(self) -> bool:
        """Whether it runs and is on the network."""
        return self.running and not self.paused and bool(self.address)


def inspect(name: str) -> Container:
    """Look at a container. Raises CommandError when there is none."""
    documents = inspected(name)
    if not documents:
        remedy = "`gameday testbed status` says what is there."
        raise shell.CommandError(Problem(f"container {name}", "no such container", "one that is there", remedy))
    [found] = documents
    network = found["NetworkSettings"]["Networks"].get(NETWORK) or {}
    state = found["State"]
    return Container(name, found["Id"], state["Running"], state["Paused"], network.get("IPAddress", ""))


def working(name: str) -> Container:
    """A container that works. Raises NothingToHitError when it does not: something else has broken it."""
    found = inspect(name)
    if not found.works:
        raise nothing(name, "a container that is stopped, paused or cut", "one that works")
    return found


def docker(*command: str, timeout_s: float = DOCKER_S) -> str:
    """Run docker; it must succeed."""
    return shell.run("docker", *command, timeout_s=timeout_s).stdout


def execute(container: str, *command: str, timeout_s: float = DOCKER_S) -> str:
    """Run a command in a container; it must succeed."""
    return docker("exec", container, *command, timeout_s=timeout_s)


def request(method: str, url: str, body: Any = None, *, timeout_s: float = ANSWERS_WITHIN_S) -> tuple[int, Any]:
    """Call a URL; return status and answer (JSON, or text). Raises OSError when there is no answer."""
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urlopen(asked, timeout=timeout_s) as answer:
            status, text = int(answer.status), answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read().decode(errors="replace")
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text


def answers(region: str, service: str, path: str = "/probe") -> bool:
    """Whether a service of a region gives the right answer at the region's own address."""
    try:
        return request("GET", site().url(region, service) + path)[0] == 200
    except OSError:
        return False


def listens(region: str) -> bool:
    """Whether anything of the region answers at its edge."""
    with ThreadPoolExecutor(len(SERVICES)) as pool:  # each may take its time to say nothing
        return any(pool.map(lambda service: answers(region, service), SERVICES))
