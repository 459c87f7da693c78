"""Asking PostgreSQL: the probe that writes and reads back, the state of a database, and its orders.

Every function ends: with what was found, or with a status in words. The caller's timeout may cancel it at any point.
"""

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import psycopg

PAGE = 20_000  # orders read at once
_ERRORS = (psycopg.Error, OSError)

type Connection = psycopg.AsyncConnection[Any]
type Parameters = Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """A row that was written and read back, and by which database."""

    timeline: int
    region: str
    writable: bool


@dataclass(frozen=True, slots=True)
class State:
    """What a database says of itself. Times are of the wall clock; positions are bytes of the write-ahead log."""

    in_recovery: bool
    timeline: int
    position: int
    replayed_at_us: int | None
    streaming_standbys: int
    lease_until_us: int | None

    def writable(self, epoch_us: int) -> bool:
        """Whether it commits at an instant of the wall clock: outside recovery, and its lease has not run out."""
        return not self.in_recovery and (self.lease_until_us is None or epoch_us < self.lease_until_us)


def conninfo(address: str, port: int) -> str:
    """How a prober logs in."""
    return (
        f"host={address} port={port} user=prober password=prober dbname=grandmodel"
        " sslmode=disable gssencmode=disable application_name=gameday-observe"
    )


async def probe(address: str, port: int, key: int, sent_us: int, timeout_s: float) -> tuple[str, Written | None]:
    """Write a row over a new connection and read it back. Status 5xx: the database answered with an error."""
    query = "SELECT timeline, region, writable FROM gameday_probe(%s, %s)"
    until = asyncio.get_running_loop().time() + timeout_s
    try:
        connection = await _connect(conninfo(address, port), until)
    except (*_ERRORS, TimeoutError) as error:
        return status_of(error), None
    try:
        rows = await _rows(connection, query, (key, sent_us), until)
    except _ERRORS as error:
        return "timeout" if asyncio.get_running_loop().time() >= until else status_of(error), None
    finally:
        connection.pgconn.finish()  # closing politely would wait for a database that hangs
    return ("2xx", Written(int(rows[0][0]), str(rows[0][1]), bool(rows[0][2]))) if rows else ("5xx", None)


async def _connect(info: str, until: float) -> Connection:
    async with asyncio.timeout_at(until):
        return await psycopg.AsyncConnection.connect(info, autocommit=True)


async def _rows(connection: Connection, query: str, parameters: Parameters, until: float) -> list[tuple[Any, ...]]:
    """Rows of a query. At the deadline its line is cut: a cancelled query would be cancelled at the server first."""
    timer = asyncio.get_running_loop().call_at(until, _sever, connection)
    try:
        cursor = await connection.execute(query, parameters)
        return await cursor.fetchall()
    finally:
        timer.cancel()


def _sever(connection: Connection) -> None:
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def status_of(error: Exception) -> str:
    """5xx for an error that a server sent, refused when there was no server to send one."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, psycopg.Error) and error.diag.sqlstate:
        return "5xx"
    return "5xx" if "FATAL:" in str(error) else "refused"


class Beside:
    """An event loop in a thread of its own.

    Logging in costs some milliseconds of arithmetic each time, without Python's lock; who probes others at fixed
    instants must not wait for it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="databases", daemon=True)
        self._thread.start()

    async def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for something that is done there; it ends by itself, also when nobody waits any more."""
        return await asyncio.shield(asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop)))

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Session:
    """A connection that is kept, and made anew when it is lost. Every question has a deadline.

    A region that hangs costs one timeout a question, and leaves nothing behind.
    """

    def __init__(self, address: str, port: int, timeout_s: float) -> None:
        self._conninfo = conninfo(address, port)
        self._timeout_s = timeout_s
        self._connection: Connection | None = None

    async def rows(self, query: str, parameters: Parameters = ()) -> list[tuple[Any, ...]] | None:
        """Rows of a query; None when the database did not answer in time."""
        until = asyncio.get_running_loop().time() + self._timeout_s
        try:
            if self._connection is None:
                self._connection = await _connect(self._conninfo, until)
            return await _rows(self._connection, query, parameters, until)
        except (*_ERRORS, TimeoutError):
            self.drop()
            return None

    async def state(self) -> State | None:
        """What the database says of itself; None: nothing."""
        rows = await self.rows(
            "SELECT in_recovery, timeline, position, replayed_at_us, streaming_standbys, lease_until_us"
            " FROM gameday_state()"
        )
        return State(*rows[0]) if rows else None

    async def orders(self, after_key: int, up_to_key: int) -> AsyncIterator[list[tuple[int, int, int | None]]]:
        """Orders (key, copies, position) with after < key < up_to in order of key, some thousand at a time.

        Raises TimeoutError when the database stops answering.
        """
        while True:
            rows = await self.rows("SELECT key, copies, position FROM gameday_orders(%s, %s)", (after_key, PAGE))
            if rows is None:
                raise TimeoutError("the database did not answer")
            inside = [(int(k), int(c), None if p is None else int(p)) for k, c, p in rows if k < up_to_key]
            if inside:
                yield inside
            if len(rows) < PAGE or len(inside) < len(rows):
                return
            after_key = int(rows[-1][0])

    def drop(self) -> None:
        """Give the connection up at once."""
        if self._connection is not None:
            self._connection.pgconn.finish()
            self._connection = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.drop()
