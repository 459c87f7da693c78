"""Polls of a region: half of its pods hang, all of them do, or nobody listens."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from experiments.testbed.system.asking import Asker
from experiments.testbed.system.automation import Automation, Facts, Failover
from experiments.testbed.system.database import Database, DatabaseError
from experiments.testbed.system.polling import Region, Service, Writer, answers
from experiments.testbed.system.procedure import Step
from tests.unit.testbed_system.test_automation import TOLD

PATIENCE_S = 0.25
POLLS = 12
SEED = 11  # among the first picks of a pod are three hanging ones in a row: one try a poll would fail over
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Edge:
    """A service's address: each connection goes to one of its pods by chance, as kube-proxy does it."""

    def __init__(self, *pods: bool) -> None:
        self._pods = pods
        self._chance = random.Random(SEED)
        self.met: list[bool] = []
        self.url = ""

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serves = self._chance.choice(self._pods)
        self.met.append(serves)
        if serves:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(GOOD)
            await writer.drain()
        else:
            await reader.read()  # all that a paused pod takes, until the other side gives up
            await reader.read(1)
        writer.close()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self.connected, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/probe"


class Recorded:
    """The failover that is not played here; and how many polls there were when it was called for."""

    def __init__(self) -> None:
        self.polls = 0
        self.called_after: list[int] = []

    def steps(self) -> tuple[Step, ...]:
        self.called_after.append(self.polls)
        return ()

    async def points_home(self) -> bool:
        return True


async def silent() -> bool:
    """The database, which does not answer."""
    await asyncio.sleep(60)
    return False


def polled(url_of: Callable[[], Any], polls: int = POLLS, database: Callable[[], Awaitable[bool]] = silent) -> Recorded:
    """Watch for some polls, with a real client."""
    found = Recorded()

    class Counted(Region):
        async def answers(self) -> bool:
            good = await super().answers()
            found.polls += 1
            return good

    async def run() -> None:
        asker = Asker(PATIENCE_S)
        async with url_of() as url:
            region = Counted((Service(url, asker, PATIENCE_S).look, database), PATIENCE_S)
            facts = Facts("http://outside/facts", asker)
            task = asyncio.create_task(Automation(TOLD, region, cast(Failover, found), facts).watch())
            while found.polls < polls and not found.called_after:
                await asyncio.sleep(0.01)
            task.cancel()
        await asker.close()

    asyncio.run(run())
    return found


@asynccontextmanager
async def nobody() -> AsyncIterator[str]:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens there
        yield f"http://127.0.0.1:{closed.getsockname()[1]}/probe"


@pytest.mark.proves(
    "one of a service's two pods hangs: the automation does not fail over, though the database is away too"
)
def test_a_half_dead_edge_is_no_lost_region() -> None:
    edge = Edge(True, False)
    assert polled(edge.open).called_after == []
    hangs = "".join("-" if serves else "x" for serves in edge.met)
    assert "xxx" in hangs, "three connections in a row hung: with one a poll it would have acted"


@pytest.mark.parametrize("where", [Edge(False, False).open, nobody], ids=["hangs", "refuses"])
def test_a_lost_region_is_found_after_three_polls(where: Callable[[], Any]) -> None:
    assert polled(where).called_after == [3]


def test_a_database_that_takes_rows_is_no_lost_region() -> None:
    async def takes_rows() -> bool:
        return True

    assert polled(Edge(False, False).open, 4, takes_rows).called_after == []


def test_a_poll_is_over_when_its_patience_is() -> None:
    async def run() -> float:
        began_s = asyncio.get_running_loop().time()
        assert not await answers([silent], PATIENCE_S)
        return asyncio.get_running_loop().time() - began_s

    assert asyncio.run(run()) >= PATIENCE_S


@pytest.mark.parametrize(
    ("row", "good"), [((True,), True), ((False,), False), (None, False), (DatabaseError("lease expired", True), False)]
)
def test_a_database_answers_when_a_row_can_be_written(row: Any, good: bool) -> None:
    class Fake:
        async def ask(self, *_: Any) -> Any:
            if isinstance(row, Exception):
                raise row
            return row

    assert asyncio.run(Writer(cast(Database, Fake()), PATIENCE_S).look()) is good
