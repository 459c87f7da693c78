"""A container whose port somebody took while it was cut from its network: Docker itself, without the testbed."""

import json
import socket
from collections.abc import Iterator

import pytest

from experiments.faults import verbs
from experiments.platforms.shell import attempt, run
from experiments.testbed import clusters, layout
from experiments.testbed.errors import TestbedError
from experiments.testbed.system.lifting import Lifter, unpublished

NAME, NETWORK, ADDRESS, IP = "gameday-try-ports", "gameday-try-ports", "127.0.9.1", "10.231.77.5"
pytestmark = pytest.mark.needs("docker")


@pytest.fixture
def port() -> Iterator[int]:
    """A port that a container publishes on a network of its own."""
    with socket.socket() as free:
        free.bind((ADDRESS, 0))
        number = int(free.getsockname()[1])
    run("docker", "network", "create", "--subnet", "10.231.77.0/24", NETWORK)
    try:
        there = run("docker", "images", "--format", "{{.Repository}}:{{.Tag}}").lines
        image = next(name for name in there if name.startswith("kindest/node:"))  # what every node of ours is
        where = ("--privileged", "--network", NETWORK, "--ip", IP, "-p", f"{ADDRESS}:{number}:80")
        run("docker", "run", "-d", "--name", NAME, *where, "--entrypoint", "sleep", image, "300")
        yield number
    finally:
        attempt("docker", "rm", "-f", NAME)
        attempt("docker", "network", "rm", NETWORK)


def missing() -> list[str]:
    """Ports that it should publish and does not."""
    return unpublished(json.loads(run("docker", "inspect", NAME).stdout)[0])


def test_the_lift_fails_until_the_port_is_free_then_publishes_it(port: int) -> None:
    lifter, lift = Lifter(layout.kubeconfig_folder()), verbs.connect(NAME, NETWORK, IP).to_json()
    run("docker", "network", "disconnect", "-f", NETWORK, NAME)
    with socket.create_server((ADDRESS, port)):
        result = lifter.perform_one(lift)
        assert not result.ok
        assert f"{ADDRESS}:{port} is taken" in result.detail
        assert not lifter.perform_one(lift).ok, "tried again while it is taken, it is no success either"
        assert missing() == [f"{ADDRESS}:{port}"]
    assert lifter.perform_one(lift).ok
    assert missing() == []


def test_one_that_is_on_the_network_without_its_ports_gets_them(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "NETWORK", NETWORK)
    run("docker", "network", "disconnect", NETWORK, NAME)
    with socket.create_server((ADDRESS, port)):
        assert not attempt("docker", "network", "connect", "--ip", IP, NETWORK, NAME).ok
        assert missing() == [f"{ADDRESS}:{port}"], "this is how Docker leaves it"
        with pytest.raises(TestbedError, match=f"{port} is taken"):
            clusters.publish(NAME)
    clusters.publish(NAME)
    assert missing() == []
