"""A small HTTP client for the roles that ask others now and then."""

from typing import Any

import aiohttp


class NoAnswer(Exception):
    """Nobody answered in time, or not with what was asked; the text says who and what."""


class Asker:
    """Asks for JSON; each question has its own patience."""

    def __init__(self, patience_s: float) -> None:
        """Make the client; must be called inside a running loop.

        Args:
            patience_s: Greatest time for an answer, in seconds.
        """
        self._patience_s = patience_s
        connector = aiohttp.TCPConnector(force_close=True)  # a connection that is kept could be to what has gone
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=patience_s))

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def ask(self, method: str, url: str, body: Any = None, patience_s: float | None = None) -> tuple[int, Any]:
        """Ask.

        Args:
            method: HTTP's.
            url: Whom.
            body: Sent as JSON.
            patience_s: For this question, in seconds, when it is another.

        Returns:
            Status, and the JSON of the answer (None when it is none).

        Raises:
            NoAnswer: Nobody answered in time.
        """
        timeout = aiohttp.ClientTimeout(total=patience_s or self._patience_s)
        try:
            async with self._session.request(method, url, json=body, timeout=timeout) as found:
                content = await found.read()
                return found.status, await found.json() if content and "json" in found.content_type else None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise NoAnswer(f"{method} {url}: {type(error).__name__} {error}".rstrip()) from error

    async def need(self, method: str, url: str, body: Any = None, patience_s: float | None = None) -> Any:
        """Ask, and take only 200.

        Returns:
            The JSON of the answer.

        Raises:
            NoAnswer: Nobody answered in time, or another status.
        """
        status, found = await self.ask(method, url, body, patience_s)
        if status != 200:
            raise NoAnswer(f"{method} {url}: status {status} {found}")
        return found

    async def content(self, url: str) -> tuple[bytes, str]:
        """Content and its `X-Sha256`.

        Raises:
            NoAnswer: Nobody answered in time, or another status than 200.
        """
        try:
            async with self._session.get(url) as found:
                if found.status != 200:
                    raise NoAnswer(f"GET {url}: status {found.status}")
                return await found.read(), found.headers.get("X-Sha256", "")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise NoAnswer(f"GET {url}: {type(error).__name__} {error}".rstrip()) from error
