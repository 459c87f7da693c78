"""Polls of a region from outside, as health checkers do it: what answers any of several tries is not gone.

One try could meet the one pod of two that hangs. So a poll of a service tries again and again within its patience, by
a new connection each, which the service's address leads to any of its pods; and a region has failed a poll only when
neither the service that writes nor the database answered.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from .asking import Asker, NoAnswer
from .database import Database, DatabaseError
from .timing import epoch_us

Look = Callable[[], Awaitable[bool]]

TRIES = 5  # with one of two pods hanging, one poll in 32 fails, and three in a row almost never
PROBE = "SELECT writable FROM gameday_probe(%s, %s)"
PROBE_KEY = -1


async def answers(looks: Sequence[Look], patience_s: float, tries: int = TRIES) -> bool:
    """Whether one of several tries finds an answer. The next ones begin while those before them still wait.

    Args:
        looks: a try of each edge; it is given up when it is not needed any more.
        patience_s: of the whole poll, in seconds; tries are spread over it.
        tries: of each edge, at most.
    """

    async def attempt(look: Look, number: int) -> bool:
        await asyncio.sleep(number * patience_s / tries)
        return await look()

    attempts = [asyncio.create_task(attempt(look, number)) for number in range(tries) for look in looks]
    try:
        async with asyncio.timeout(patience_s):
            for ended in asyncio.as_completed(attempts):
                if await ended:
                    return True
    except TimeoutError:
        return False
    finally:
        for task in attempts:
            task.cancel()
    return False


class Service:
    """A service's edge: answers when it says 200."""

    def __init__(self, url: str, asker: Asker, patience_s: float) -> None:
        """Put it together.

        Args:
            url: What is asked.
            asker: For HTTP; makes a new connection for each question.
            patience_s: Of a try, in seconds.
        """
        self._url = url
        self._asker = asker
        self._patience_s = patience_s

    async def look(self) -> bool:
        """Ask once."""
        try:
            await self._asker.need("GET", self._url, patience_s=self._patience_s)
        except NoAnswer:
            return False
        return True


class Writer:
    """A database's edge: answers when a row can be written."""

    def __init__(self, database: Database, patience_s: float) -> None:
        """Put it together.

        Args:
            database: From outside its region; connects anew when its connection is lost.
            patience_s: Of a try, in seconds.
        """
        self._database = database
        self._patience_s = patience_s

    async def look(self) -> bool:
        """Write once."""
        try:
            row = await self._database.ask(PROBE, (PROBE_KEY, epoch_us()), self._patience_s)
        except DatabaseError:
            return False
        return row is not None and bool(row[0])


class Region:
    """Several edges of a region that are polled together."""

    def __init__(self, looks: tuple[Look, ...], patience_s: float) -> None:
        """Put it together.

        Args:
            looks: One for each edge.
            patience_s: Of a poll, in seconds.
        """
        self._looks = looks
        self._patience_s = patience_s

    async def answers(self) -> bool:
        """Poll once: whether any of the edges answers."""
        return await answers(self._looks, self._patience_s)
