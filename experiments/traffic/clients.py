"""Clients that send orders: each with a DNS cache, connections that it keeps, a retry budget and a circuit breaker."""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.observe.dns_cache import DnsCache
from experiments.observe.http import Connection, Response, connect, request
from experiments.observe.settings import Where


@dataclass(frozen=True)
class Rules:
    """How clients call, as the topology declares it. Times are microseconds; `budget` None: as many as they like."""

    service: str
    timeout_us: int
    retries: int
    back_off_us: int
    budget: float | None
    budget_burst: int
    breaker: tuple[float, int, int] | None  # threshold, window, open for so long

    @staticmethod
    def of(document: Mapping[str, Any]) -> "Rules":
        """Read them from the sender's settings."""
        breaker = document.get("breaker")
        limits = (breaker["threshold"], breaker["window"], breaker["open_us"]) if breaker else None
        return Rules(
            document["entry"], document["timeout_us"], document["retries"], document["back_off_us"],
            document["budget"], document["budget_burst"], limits,
        )  # fmt: skip

    def back_off_s(self, retry: int, draws: random.Random) -> float:
        """Seconds to wait before the retry of this number (from 1), with full jitter."""
        return draws.random() * self.back_off_us * 2.0 ** (retry - 1) / 1e6


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one attempt ended. `outcome`: acked, failed, or unknown: the order may have been taken. `status` in words."""

    outcome: str
    status: str
    region: str | None  # of the address
    response: Response


class Client:
    """One client. Calls of it may be under way at once: it opens as many connections as it needs."""

    def __init__(
        self, where: Where, rules: Rules, cache: DnsCache, now_us: Callable[[], int], draws: random.Random
    ) -> None:
        self._where = where
        self._rules = rules
        self.cache = cache
        self._now_us = now_us
        self._draws = draws
        self._idle: list[tuple[str, Connection]] = []
        self._budget = Budget(rules)
        self._breaker = Breaker(rules.breaker, now_us) if rules.breaker else None

    async def attempt(self, path: str, body: bytes) -> Attempt:
        """Send an order once."""
        if self._breaker is not None and not self._breaker.lets_through():
            return Attempt("failed", "open", self._where.region(self.cache.last), Response("open"))
        found = await self._attempt(path, body)
        if self._breaker is not None:
            self._breaker.note(found.outcome == "acked")
        return found

    def first(self) -> None:
        """An order is sent for the first time: that earns part of a retry."""
        self._budget.earn()

    async def may_retry(self, retry: int) -> bool:
        """Whether the budget allows the retry of this number (from 1); waits for the back-off, with full jitter."""
        if not self._budget.spend(retry):
            return False
        await asyncio.sleep(self._rules.back_off_s(retry, self._draws))
        return True

    async def _attempt(self, path: str, body: bytes) -> Attempt:
        address, connection, sent = None, None, False
        try:
            async with asyncio.timeout(self._rules.timeout_us / 1e6):
                address = await self.cache.address()
                if address is None:
                    return Attempt("failed", "no_address", None, Response("no_address"))
                connection = await self._connection(address)
                if connection is None:
                    return Attempt("failed", "refused", self._where.region(address), Response("refused"))
                sent = True
                response = await connection.exchange(request("POST", path, self._where.name, body, keep=True))
        except TimeoutError:
            if connection is not None:
                connection.close()
            return Attempt("unknown" if sent else "failed", "timeout", self._where.region(address), Response("timeout"))
        if connection.open:
            self._idle.append((address, connection))
        return Attempt(outcome_of(response), response.status, self._where.region(address), response)

    async def _connection(self, address: str) -> Connection | None:
        """A connection to an address that is idle, or a new one; those to other addresses are closed."""
        while self._idle:
            held_address, held = self._idle.pop()
            if held.open and held_address == address:
                return held
            held.close()
        return await connect(address, self._where.ports[self._rules.service])

    def close(self) -> None:
        """Close all connections."""
        for _, connection in self._idle:
            connection.close()


class Budget:
    """Retries that a client has earned: a part of one with each new order, so that retries cannot drown the system."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._saved = float(rules.budget_burst)

    def earn(self) -> None:
        """An order is sent for the first time."""
        if self._rules.budget is not None:
            self._saved = min(self._rules.budget_burst, self._saved + self._rules.budget)

    def spend(self, retry: int) -> bool:
        """Whether the retry of this number (from 1) is allowed; it is taken from what was earned."""
        if retry > self._rules.retries:
            return False
        if self._rules.budget is not None:
            if self._saved < 1 - 1e-9:  # ten tenths are one
                return False
            self._saved -= 1
        return True


class Breaker:
    """Opens at a share of failures among the last calls, and lets one call try after a while."""

    def __init__(self, limits: tuple[float, int, int], now_us: Callable[[], int]) -> None:
        self._threshold, window, self._open_us = limits
        self._last: deque[bool] = deque(maxlen=window)
        self._now_us = now_us
        self._until_us: int | None = None
        self._trying = False

    def lets_through(self) -> bool:
        """Whether a call may be made now."""
        if self._until_us is None:
            return True
        if self._trying or self._now_us() < self._until_us:
            return False
        self._trying = True
        return True

    def note(self, good: bool) -> None:
        """A call that was let through has ended."""
        if self._trying:
            self._trying = False
            self._until_us = None if good else self._now_us() + self._open_us
            self._last.clear()
            return
        self._last.append(good)
        failures = self._last.count(False)
        if len(self._last) == self._last.maxlen and failures >= self._threshold * len(self._last):
            self._until_us = self._now_us() + self._open_us


def outcome_of(response: Response) -> str:
    """What an answer says of the order. A connection that was lost, or a deadline inside: it may have been taken."""
    if response.code == 200:
        return "acked"
    return "unknown" if response.status in ("refused", "timeout") or response.code == 504 else "failed"
