"""Databases that refuse, hang while one logs in, or hang in the middle of a query: all ends at the deadline."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator

import psycopg
import pytest

from experiments.observe.database import Beside, Session, State, probe, status_of

from .servers import ADDRESS, free_port

GUARD_S = 4.0  # a library that asks a server which hangs to cancel waits for longer


@contextlib.asynccontextmanager
async def hanging(*, lets_in: bool) -> AsyncIterator[int]:
    """A PostgreSQL server that says nothing; or that lets everybody in and answers no query."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = struct.unpack("!I", await reader.readexactly(4))[0]
        await reader.readexactly(length - 4)
        if lets_in:
            encoding = b"client_encoding\0UTF8\0"
            writer.write(b"R" + struct.pack("!II", 8, 0) + b"S" + struct.pack("!I", 4 + len(encoding)) + encoding)
            writer.write(b"Z" + struct.pack("!I", 5) + b"I")
        with contextlib.suppress(ConnectionError):
            while await reader.read(4096):
                pass
        writer.close()

    server = await asyncio.start_server(serve, ADDRESS, 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.mark.parametrize("lets_in", [False, True])
@pytest.mark.proves("a database that hangs costs a probe its timeout and nothing more")
def test_a_database_that_hangs_is_left_at_the_deadline(lets_in: bool) -> None:
    async def play() -> tuple[object, object]:
        async with hanging(lets_in=lets_in) as port, asyncio.timeout(GUARD_S):
            asked = await probe(ADDRESS, port, 1, 2, 0.2)
            async with Session(ADDRESS, port, 0.2) as session:
                return asked, await session.state()

    assert asyncio.run(play()) == (("timeout", None), None)


def test_nobody_there_is_refused() -> None:
    assert asyncio.run(probe(ADDRESS, free_port(), 1, 2, 1.0)) == ("refused", None)


def test_an_error_of_the_server_is_an_answer() -> None:
    assert status_of(psycopg.OperationalError('FATAL:  role "prober" does not exist')) == "5xx"
    assert status_of(psycopg.OperationalError("connection failed: Connection refused")) == "refused"


def test_what_runs_beside_ends_though_nobody_waits() -> None:
    ended: list[str] = []

    async def slow() -> str:
        await asyncio.sleep(0.05)
        ended.append("slow")
        return "done"

    async def play() -> str:
        beside = Beside()
        impatient = asyncio.create_task(beside.run(slow()))
        await asyncio.sleep(0)
        impatient.cancel()
        patient = await beside.run(slow())
        while len(ended) < 2:
            await asyncio.sleep(0.01)
        beside.close()
        return patient

    assert asyncio.run(play()) == "done"


def test_a_database_commits_outside_recovery_and_within_its_lease() -> None:
    primary = State(False, 1, 5, None, 1, 1_000)
    assert primary.writable(999)
    assert not primary.writable(1_000)
    assert not State(True, 1, 5, None, 1, 1_000).writable(0)
    assert State(False, 1, 5, None, 1, None).writable(10**18)
