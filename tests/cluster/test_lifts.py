"""Each verb that lifts, on the real Docker; and the reverter when the process that broke something is gone."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.faults import verbs
from experiments.platforms.shell import run
from experiments.safety.reverter import Reverter
from experiments.testbed.system.lifting import Lifter, Result
from tests.cluster.plain import NETWORK, Container, containers, poll, reverter
from tests.unit.safety.doubles import Witness

pytestmark = pytest.mark.needs("docker")

LIFTED_WITHIN_S = 60.0


@pytest.fixture(scope="module")
def pair() -> Iterator[list[Container]]:
    with containers("gameday-try-1", "gameday-try-2") as found:
        yield found


@pytest.fixture
def container(pair: list[Container]) -> Container:
    return pair[0]


@pytest.fixture
def witness() -> Iterator[Witness]:
    with Witness() as witness:
        yield witness


@pytest.fixture
def helper(tmp_path: Path, witness: Witness) -> Iterator[Reverter]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with reverter(tmp_path / "plans", witness, port) as found:
        yield found


def twice(lift: verbs.Lift) -> list[Result]:
    return Lifter(Path("nowhere")).perform([lift.to_json()] * 2)


@pytest.mark.proves("each lift on Docker works on what is broken, and changes nothing on what is whole")
def test_unpause_and_start(container: Container) -> None:
    run("docker", "pause", container.name)
    assert [result.detail for result in twice(verbs.unpause(container.name))] == ["goes on", "was not paused"]
    assert not container.is_paused()
    run("docker", "kill", container.name)
    assert [result.detail for result in twice(verbs.start(container.name))] == ["started", "was running"]
    assert container.is_running()
    assert not [result for result in twice(verbs.unpause("gameday-try-none")) if result.ok]


def test_connect_under_the_old_address(container: Container) -> None:
    address = container.address()
    run("docker", "network", "disconnect", NETWORK, container.name)
    assert all(result.ok for result in twice(verbs.connect(container.name, NETWORK, address)))
    assert container.address() == address
    other = address.rpartition(".")[0] + ".99"
    assert all(result.ok for result in twice(verbs.connect(container.name, NETWORK, other)))
    assert container.address() == other


def test_execute(container: Container) -> None:
    good, bad = (verbs.execute(container.name, ["sh", "-c", f"echo words; exit {code}"]) for code in (0, 3))
    assert all(result.ok for result in twice(good))
    failed = twice(bad)[0]
    assert not failed.ok
    assert "exit code 3" in failed.detail
    assert "words" in failed.detail


def test_a_command_that_does_not_end_is_given_up(container: Container) -> None:
    lift = verbs.execute(container.name, ["sleep", "30"])
    result = Lifter(Path("nowhere"), timeout_s=1.0).perform_one(lift.to_json())
    assert not result.ok
    assert "did not end within 1 s" in result.detail
    assert result.took_s < 20


def test_the_order_is_kept_and_one_failure_stops_nothing(container: Container) -> None:
    run("docker", "pause", container.name)
    lifts = [verbs.unpause("gameday-try-none"), verbs.unpause(container.name), verbs.execute(container.name, ["true"])]
    results = Lifter(Path("nowhere")).perform([lift.to_json() for lift in lifts])
    assert [result.ok for result in results] == [False, True, True]


RUNNER = """
import subprocess, sys, time
from experiments.faults import verbs
from experiments.platforms import kind
from experiments.safety import guard, lifting
from experiments.safety.reverter import Reverter
url, witness, *nodes = sys.argv[1:]
kind.OUTSIDE_URL = lifting.OUTSIDE_URL = witness
kind.fencing = lambda home: {"home": home, "nodes": {"us-east-1": nodes[:1]}, "network": "gameday-try"}
with guard.Guard("killed", reverter=Reverter(url)) as held:
    held.arm("node-pause:0", [verbs.unpause(node) for node in nodes])
    subprocess.run(["docker", "pause", *nodes], check=True, stdout=subprocess.DEVNULL)
    print("paused", flush=True)
    time.sleep(600)
"""


def start_runner(helper: Reverter, witness: Witness, tmp_path: Path, *nodes: Container) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "GAMEDAY_STATE": str(tmp_path / "state")}
    command = [sys.executable, "-c", RUNNER, helper.url, witness.url, *(node.name for node in nodes)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == b"paused\n"
    return process


def test_a_killed_runner_leaves_nothing_paused(
    pair: list[Container], helper: Reverter, witness: Witness, tmp_path: Path
) -> None:
    process = start_runner(helper, witness, tmp_path, *pair)
    process.send_signal(signal.SIGKILL)
    killed_s = time.monotonic()
    process.wait()
    assert all(container.is_paused() for container in pair)
    assert poll(lambda: not any(container.is_paused() for container in pair), LIFTED_WITHIN_S)
    assert time.monotonic() - killed_s <= LIFTED_WITHIN_S
    assert all(container.address() for container in pair)


def test_an_old_primary_comes_back_without_its_network(
    pair: list[Container], helper: Reverter, witness: Witness, tmp_path: Path
) -> None:
    old, other = pair
    address = old.address()
    process = start_runner(helper, witness, tmp_path, *pair)
    witness.lease = {"region": "us-west-2"}
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert poll(lambda: not any(container.is_paused() for container in pair), LIFTED_WITHIN_S)
    assert old.address() == ""
    assert other.address() != ""
    assert helper.plan()["cut"] == {old.name: address}
    assert twice(verbs.connect(old.name, NETWORK, address))[0].ok


def test_a_runner_that_is_told_to_end_lifts_by_itself(
    pair: list[Container], helper: Reverter, witness: Witness, tmp_path: Path
) -> None:
    process = start_runner(helper, witness, tmp_path, *pair)
    process.send_signal(signal.SIGINT)
    told_s = time.monotonic()
    process.wait()
    assert time.monotonic() - told_s <= 15
    assert not any(container.is_paused() for container in pair)
    assert helper.plan()["lifts"] == []
