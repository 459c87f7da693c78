"""Redis in the path of an order: how many there were this second. Without it orders go on, unthrottled."""

import asyncio
import logging
import time

import redis.asyncio
from prometheus_client import Gauge
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

_GAUGE = Gauge("risk_redis_available", "1 while Redis answers in time")
_PATIENCE_S = 0.1
_LEAVE_ALONE_S = 1.0  # after a failure, so that not each order pays for it
_KEEP_S = 10
_log = logging.getLogger(__name__)


class Throttle:
    """Counts orders by the second, over all pods."""

    def __init__(self, url: str, most_per_s: int) -> None:
        """Make the client; nothing is connected yet.

        Args:
            url: Of Redis.
            most_per_s: Orders a second, more are refused.
        """
        self._client = redis.asyncio.Redis.from_url(
            url, socket_timeout=_PATIENCE_S, socket_connect_timeout=_PATIENCE_S, retry=Retry(NoBackoff(), 0)
        )
        self._most_per_s = most_per_s
        self._alone_until = 0.0
        self._available = True

    async def allows(self) -> bool:
        """Count one order; whether it is within the limit, which it is when Redis does not answer."""
        if time.monotonic() < self._alone_until:
            return True
        key = f"orders:{int(time.time())}"
        try:
            async with asyncio.timeout(_PATIENCE_S):
                count = await self._client.incr(key)
                if count == 1:
                    await self._client.expire(key, _KEEP_S)
        except (RedisError, OSError, TimeoutError) as error:
            self._alone_until = time.monotonic() + _LEAVE_ALONE_S
            self._note(False, f"{type(error).__name__}: {error}")
            return True
        self._note(True, "answers")
        return int(count) <= self._most_per_s

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    def _note(self, available: bool, words: str) -> None:
        if available != self._available:
            _log.info("redis is %s: %s", "back" if available else "away", words)
        self._available = available
        _GAUGE.set(available)
