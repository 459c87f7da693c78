"""The database of a service: a pool that notices a dead server, keeps deadlines, and comes back by itself."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout

SCHEMES = ("postgresql", "postgres")
_CONNECT_S = 1.0
_GIVE_UP_S = 0.1  # a failed attempt is not repeated by the pool, whose back-off doubles; the next question tries again
_WAIT_AWAY_S = 0.1  # for a connection, when the one who asked before got none: the caller is better told at once
_ANSWER_S = 0.02  # of the deadline: kept for the answer, so that the caller hears why
_ATTEMPTS = 4
_LEASE_EXPIRED = "LE001"
_log = logging.getLogger(__name__)

Row = tuple[Any, ...]


class DatabaseError(Exception):
    """A question was not answered.

    Attributes:
        reason: For the caller.
        surely_not_done: Whether nothing can have been committed.
    """

    def __init__(self, reason: str, surely_not_done: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.surely_not_done = surely_not_done


class _Connection(AsyncConnection[Row]):
    """A connection whose making is bounded; libpq itself rounds a connect timeout of one second up to two."""

    @classmethod
    async def connect(cls, *arguments: Any, **options: Any) -> "_Connection":
        async with asyncio.timeout(_CONNECT_S):
            return await super().connect(*arguments, **options)


class Database:
    """Asks questions, each a transaction of its own."""

    def __init__(self, url: str, size: int, statement_ms: int) -> None:
        """Make the pool; nothing is connected yet.

        Args:
            url: The server, the user, the database.
            size: Connections.
            statement_ms: Greatest time of a statement on the server, in milliseconds.
        """
        options = {
            "autocommit": True,
            "options": f"-c statement_timeout={statement_ms}",
            "application_name": "grandmodel",
            "keepalives_idle": 1,
            "keepalives_interval": 1,
            "keepalives_count": 2,
            "tcp_user_timeout": 1500,
        }
        self._away = False
        self._pool = AsyncConnectionPool(
            url,
            connection_class=_Connection,
            kwargs=options,
            min_size=size,
            max_size=size,
            open=False,
            reconnect_timeout=_GIVE_UP_S,
        )

    async def open(self) -> None:
        """Begin to connect, and do not wait for it."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close(timeout=1.0)

    async def ask(self, question: str, values: Sequence[Any], within_s: float) -> Row | None:
        """Ask, again on another connection when one is lost; so a question must bear being asked twice.

        Args:
            question: SQL that answers with at most one row.
            values: Its parameters.
            within_s: Time for all of it, in seconds.

        Returns:
            The row, or None.

        Raises:
            DatabaseError: No answer; it says whether it surely did nothing.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s - _ANSWER_S
        sent = False
        for _ in range(_ATTEMPTS):
            wait_s = until - loop.time()
            try:
                connection = await self._pool.getconn(max(0.001, min(wait_s, _WAIT_AWAY_S) if self._away else wait_s))
            except PoolTimeout:
                self._away = True
                break
            self._away = False
            try:
                # A caller who gives up must not interrupt psycopg, which would ask the server to cancel and wait.
                return await asyncio.shield(asyncio.create_task(self._ask_on(connection, question, values, until)))
            except psycopg.OperationalError:
                sent = True
        raise DatabaseError("database away", surely_not_done=not sent)

    async def _ask_on(self, connection: _Connection, question: str, values: Sequence[Any], until: float) -> Row | None:
        """Ask on a connection and give it back; OperationalError when the connection was lost."""
        severed = asyncio.Event()
        timer = asyncio.get_running_loop().call_at(until, _sever, connection, severed)
        try:
            return await (await connection.execute(question, values)).fetchone()
        except psycopg.OperationalError as error:
            if severed.is_set():
                raise DatabaseError("no answer from the database", surely_not_done=False) from error
            if error.sqlstate is not None and not connection.broken:
                raise DatabaseError(_reason(error), surely_not_done=True) from error
            raise
        except psycopg.Error as error:
            raise DatabaseError(_reason(error), surely_not_done=True) from error
        finally:
            timer.cancel()
            await self._pool.putconn(connection)


def _reason(error: psycopg.Error) -> str:
    if error.sqlstate == _LEASE_EXPIRED:
        return "lease expired"
    if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        return "database is a standby"
    return f"database: {error.diag.message_primary or error}"


def _sever(connection: AsyncConnection[Row], severed: asyncio.Event) -> None:
    """End a question at its deadline by ending its connection: asking a paused server to cancel would wait as well."""
    severed.set()
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
