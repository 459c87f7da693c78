"""Plain containers, a network and a reverter of a test's own: nothing of the testbed is touched."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from experiments.platforms.shell import attempt, run
from experiments.safety.reverter import Reverter, ReverterError
from tests.unit.safety.doubles import Witness

NETWORK, SUBNET = "gameday-try", "10.199.77.0/24"
IMAGE = "python:3.12-slim"


@dataclass(frozen=True)
class Container:
    """A container that sleeps."""

    name: str

    def is_paused(self) -> bool:
        return run("docker", "inspect", "-f", "{{.State.Paused}}", self.name).stdout.strip() == "true"

    def is_running(self) -> bool:
        return run("docker", "inspect", "-f", "{{.State.Running}}", self.name).stdout.strip() == "true"

    def address(self) -> str:
        """Its address on the network; empty: it is not connected."""
        form = f'{{{{with index .NetworkSettings.Networks "{NETWORK}"}}}}{{{{.IPAddress}}}}{{{{end}}}}'
        return run("docker", "inspect", "-f", form, self.name).stdout.strip()


@contextmanager
def containers(*names: str) -> Iterator[list[Container]]:
    """Containers on a network of their own."""
    remove(*names)
    run("docker", "network", "create", "--subnet", SUBNET, NETWORK)
    try:
        for name in names:
            run("docker", "run", "-d", "--name", name, "--network", NETWORK, IMAGE, "sleep", "infinity", timeout_s=300)
        yield [Container(name) for name in names]
    finally:
        remove(*names)


def remove(*names: str) -> None:
    """Remove what a test, or one before that was killed, has made."""
    attempt("docker", "rm", "-f", *names)
    attempt("docker", "network", "rm", NETWORK)


@contextmanager
def reverter(folder: Path, witness: Witness, port: int) -> Iterator[Reverter]:
    """The real role `reverter`, as a process of this machine, on the real Docker."""
    folder.mkdir(exist_ok=True)
    told = {"PLANS": str(folder), "KUBECONFIGS": str(folder), "OUTSIDE_URL": witness.url, "LISTEN": f"127.0.0.1:{port}"}
    environment = {**os.environ, **told, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-m", "experiments.testbed.system", "reverter"], env=environment)
    found = Reverter(f"http://127.0.0.1:{port}")
    try:
        assert poll(lambda: answers(found), 30)
        yield found
    finally:
        process.terminate()
        process.wait()


def answers(reverter: Reverter) -> bool:
    """Whether it answers."""
    try:
        reverter.plan()
    except ReverterError:
        return False
    return True


def poll(look: Callable[[], bool], within_s: float, every_s: float = 0.2) -> bool:
    """Look until it is true, or the time is up."""
    until = time.monotonic() + within_s
    while not (found := look()) and time.monotonic() < until:
        time.sleep(every_s)
    return found
