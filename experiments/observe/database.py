"""Asking PostgreSQL: the probe that writes and reads back, the state of a database, and its orders.

Every function ends: with what was found, or with a status in words. The caller's timeout may cancel it at any point.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import psycopg

PAGE = 20_000  # orders read at once
_ERRORS = (psycopg.Error, OSError)


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


async def probe(address: str, port: int, key: int, sent_us: int) -> tuple[str, Written | None]:
    """Write a row over a new connection and read it back. Status 5xx: the database answered with an error."""
    try:
        connection = await psycopg.AsyncConnection.connect(conninfo(address, port), autocommit=True)
    except _ERRORS as error:
        return status_of(error), None
    try:
        cursor = await connection.execute(
            "SELECT timeline, region, writable FROM gameday_probe(%s, %s)", (key, sent_us)
        )
        row = await cursor.fetchone()
    except _ERRORS as error:
        return status_of(error), None
    finally:
        connection.pgconn.finish()  # closing politely would wait for a database that hangs
    return ("5xx", None) if row is None else ("2xx", Written(int(row[0]), str(row[1]), bool(row[2])))


def status_of(error: Exception) -> str:
    """5xx for an error that a server sent, refused when there was no server to send one."""
    if isinstance(error, psycopg.Error) and error.diag.sqlstate:
        return "5xx"
    return "5xx" if "FATAL:" in str(error) else "refused"


class Session:
    """A connection that is kept, and made anew when it is lost. Every question has a deadline.

    A region that hangs costs one timeout a question, and leaves nothing behind.
    """

    def __init__(self, address: str, port: int, timeout_s: float) -> None:
        self._conninfo = conninfo(address, port)
        self._timeout_s = timeout_s
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def rows(
        self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[tuple[Any, ...]] | None:
        """Rows of a query; None when the database did not answer in time."""
        try:
            async with asyncio.timeout(self._timeout_s):
                if self._connection is None:
                    self._connection = await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True)
                cursor = await self._connection.execute(query, parameters)
                return await cursor.fetchall()
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
