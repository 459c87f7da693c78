"""A state folder of its own for each test, and a reverter that runs in this process."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from experiments.safety import counter
from experiments.safety.reverter import Reverter
from experiments.testbed.system.apiserver import ApiServerError
from experiments.testbed.system.plan import Store
from experiments.testbed.system.reverter import application
from experiments.testbed.system.watch import Watch
from tests.unit.safety.doubles import Clock, Lifting, Objects, Witness
from tests.unit.safety.undo_world import World, stand_in


class Server(uvicorn.Server):
    """It says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path / "state"))
    return tmp_path / "state" / "gameday"


@pytest.fixture
def witness() -> Iterator[Witness]:
    with Witness() as witness:
        yield witness


@pytest.fixture
def lifting() -> Lifting:
    return Lifting()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(tmp_path: Path, lifting: Lifting, witness: Witness, clock: Clock) -> Watch:
    (tmp_path / "plans").mkdir()
    return Watch(Store(tmp_path / "plans"), lifting, witness.url, now_s=clock)


@pytest.fixture
def reverter(watch: Watch) -> Iterator[Reverter]:
    """The real HTTP around the watch, on a port of its own."""
    server = Server(uvicorn.Config(application(watch), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert server.is_up.wait(10)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Reverter(f"http://127.0.0.1:{port}")
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def targets(monkeypatch: pytest.MonkeyPatch) -> dict[str, Objects]:
    """API servers of the regions, for counters; a region that a test takes out is lost."""
    targets = {"us-east-1": Objects(), "us-west-2": Objects()}

    class Servers:
        def __init__(self, _: Path) -> None:
            pass

        def of(self, region: str) -> Objects:
            if region not in targets:
                raise ApiServerError("lost")
            return targets[region]

    monkeypatch.setattr(counter, "ApiServers", Servers)
    return targets


@pytest.fixture
def world(witness: Witness, reverter: Reverter, monkeypatch: pytest.MonkeyPatch) -> World:
    """What undo finds."""
    world = World(witness)
    stand_in(world, reverter, monkeypatch)
    return world
