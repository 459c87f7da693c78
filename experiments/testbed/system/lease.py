"""Sidecar of a database: renews the writer's lease in it while it is the primary and the witness grants it."""

import asyncio
import logging
import signal

from . import settings
from .asking import Asker, NoAnswer
from .database import SCHEMES, Database, DatabaseError

_PATIENCE_S = 1.0
_RENEW = "UPDATE writer_lease SET region = %s, until_us = greatest(until_us, %s) RETURNING until_us"
_log = logging.getLogger(__name__)


class Renewer:
    """Renews again and again; says when something changes."""

    def __init__(self, region: str, outside_url: str, database: Database, asker: Asker) -> None:
        """Put it together.

        Args:
            region: The database's.
            outside_url: Of the witness.
            database: The local one, as `operator`.
            asker: For the witness.
        """
        self._region = region
        self._url = f"{outside_url.rstrip('/')}/lease/renew"
        self._database = database
        self._asker = asker
        self._said = ""

    async def once(self) -> None:
        """Renew once, if it is a primary and may."""
        try:
            recovering = await self._database.ask("SELECT pg_is_in_recovery()", (), _PATIENCE_S)
            if recovering is None or recovering[0]:
                self._say("a standby: nothing to renew")
                return
            granted = await self._asker.need("POST", self._url, {"region": self._region})
            await self._database.ask(_RENEW, (self._region, int(granted["expires_us"])), _PATIENCE_S)
            self._say("renewed")
        except (DatabaseError, NoAnswer) as error:
            self._say(f"not renewed: {error}")

    def _say(self, words: str) -> None:
        if words != self._said:
            _log.info("lease of %s %s", self._region, words)
        self._said = words


async def _renew_for_ever() -> None:
    region, outside_url = settings.text("REGION"), settings.url("OUTSIDE_URL", "http")
    every_s = settings.number("RENEW_S", 1)
    database = Database(settings.url("DATABASE_URL", *SCHEMES), 1, int(_PATIENCE_S * 1000))
    asker = Asker(_PATIENCE_S)
    ended = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, ended.set)
    await database.open()
    renewer = Renewer(region, outside_url, database, asker)
    while not ended.is_set():
        await renewer.once()
        try:
            await asyncio.wait_for(ended.wait(), every_s)
        except TimeoutError:
            continue
    await asker.close()
    await database.close()


def run() -> int:
    """Renew until told to end.

    Returns:
        The exit code.

    Raises:
        SettingError: A variable is missing or wrong.
    """
    asyncio.run(_renew_for_ever())
    return 0
