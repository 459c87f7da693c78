"""The next hop: an HTTP client with connections kept open, within the caller's deadline."""

import time
from collections.abc import Mapping

import aiohttp

from . import settings
from .hop import Answer, refusal
from .timing import DEADLINE, OWN, Watch, join_own

_HANDED_ON = ("X-Timeline", "X-As-Of-Us")
_CONNECT_S = 0.4  # twice within a deadline of a second, so that it is known that the order was not taken
_IDLE_S = 15.0
_CALLS_A_CONNECTION = 200  # then it is closed: a service's address picks a pod for a connection, not for a call
_ATTEMPTS = 2


class Callee:
    """The next hop."""

    def __init__(self) -> None:
        """Read where it is.

        Raises:
            SettingError: NEXT_URL is missing.
        """
        self._url = settings.url("NEXT_URL", "http").rstrip("/")
        self._session: aiohttp.ClientSession | None = None
        self._calls = 0

    async def open(self) -> None:
        """Make the client; connections are made when they are needed."""
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_S, ttl_dns_cache=5)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(sock_connect=_CONNECT_S)
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def call(self, method: str, path: str, watch: Watch, body: Mapping[str, int] | None = None) -> Answer:
        """Call, once more when the connection is not there or breaks; orders carry a key, so twice is as good as once.

        Args:
            method: HTTP's.
            path: Begins with a slash.
            watch: Of the request that this is for.
            body: Sent as JSON.

        Returns:
            The callee's answer as it is, or 503 (it surely does not know of it) or 504 (nobody knows).
        """
        began_ns = time.perf_counter_ns()
        reached = False
        try:
            for _ in range(_ATTEMPTS):
                try:
                    return await self._attempt(method, path, watch, body)
                except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
                    continue
                except aiohttp.ClientError:
                    reached = True
        finally:
            watch.waited(None, began_ns)
        return refusal(504, "connection to the next hop lost") if reached else refusal(503, "next hop away")

    async def _attempt(self, method: str, path: str, watch: Watch, body: Mapping[str, int] | None) -> Answer:
        if self._session is None:
            raise RuntimeError("called before it was opened")
        headers = {DEADLINE: watch.left_header()}
        self._calls += 1
        if self._calls % _CALLS_A_CONNECTION == 0:
            headers["Connection"] = "close"
        async with self._session.request(method, self._url + path, json=body, headers=headers) as found:
            content = await found.read()
            watch.below = join_own(watch.below, found.headers.get(OWN, ""))
            handed = {name: found.headers[name] for name in _HANDED_ON if name in found.headers}
            return Answer(found.status, content, handed)
