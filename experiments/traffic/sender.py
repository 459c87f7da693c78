"""The sender: numbered orders at the workload's rate, sent when they are due, whatever became of those before them.

The ledger is written ahead: an order's row is with the parent before the order is sent, so that nothing can be found in
a database that nobody is known to have sent. An order that timed out is unknown; it is retried only under its own key.
"""

import asyncio
import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

from experiments.observe.clock import Clock
from experiments.observe.dns_cache import DnsCache
from experiments.observe.settings import Where
from experiments.observe.wire import Sender
from experiments.traffic.clients import Client, Rules
from experiments.traffic.counts import CLASS, LATE_US, SECOND_US, Counts
from experiments.traffic.profile import arrivals, points

DRAIN_S = 30.0  # orders under way are waited for so long at the end


async def work(document: Mapping[str, Any], clock: Clock, wire: Sender, stop: asyncio.Event) -> None:
    """Send orders until asked to stop, wait for their ends, and say how it went."""
    load = _Load(document, clock, wire)
    counting = asyncio.create_task(load.count())
    if not document["first_seq"]:  # one that is started again goes on with a load that has begun
        wire.mark(clock.now_us(), "load_started", "client", sender="open loop")
    await load.send(stop)
    wire.mark(clock.now_us(), "load_stopped", "client")
    await load.drain()
    counting.cancel()
    load.finish()


class _Load:
    """All orders of one sender."""

    def __init__(self, document: Mapping[str, Any], clock: Clock, wire: Sender) -> None:
        self._clock, self._wire = clock, wire
        self._where, self._rules = Where.of(document), Rules.of(document)
        self._path, self._services = "/orders", frozenset(document["services"])
        self._seq, self._first_key = int(document["first_seq"]), int(document["first_key"])
        draws = random.Random(document["seed"])
        self._clients = [self._client(document, i, draws) for i in range(document["clients"])]
        began_us = clock.now_us()
        self._counts = Counts(wire, began_us)
        rate = points(document["profile"], document["rate_per_s"], document["factors"])
        self._due: Iterator[int] = arrivals(rate, document["seed"], began_us)
        self._next_us = next(self._due)
        self._running: set[asyncio.Task[None]] = set()

    def _client(self, document: Mapping[str, Any], i: int, draws: random.Random) -> Client:
        count = document["clients"]
        forever = i < round(document["ignore_ttl"] * count)
        cache = DnsCache(
            self._where.dns,
            self._where.name,
            self._clock.now_us,
            phase=(i + 1) / count,
            forever=forever,
            edges=self._where.edges,
        )
        return Client(self._where, self._rules, cache, self._clock.now_us, random.Random(draws.random()))

    async def send(self, stop: asyncio.Event) -> None:
        """Send every order that is due, until asked to stop."""
        while not stop.is_set():
            wait_us = self._next_us - self._clock.now_us()
            if wait_us > 0:
                await asyncio.sleep(min(wait_us, 100_000) / 1e6)
                continue
            due = self._take()
            self._wire.now()  # the ledger first
            for seq, key, intended_us, sent_us in due:
                task = asyncio.create_task(self._order(seq, key, intended_us, sent_us))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            await asyncio.sleep(0)

    def _take(self) -> list[tuple[int, int, int, int]]:
        """Enter all orders that are due in the ledger: (seq, key, intended, sent)."""
        taken = []
        sent_us = self._clock.now_us()
        while self._next_us <= sent_us:
            intended_us, self._next_us = self._next_us, next(self._due)
            self._counts.intended(intended_us)
            if sent_us - intended_us > LATE_US:
                continue
            seq, key = self._seq, self._first_key + self._seq
            self._seq += 1
            self._counts.sent(sent_us, sent_us - intended_us)
            self._wire.row("writes_sent", data_class=CLASS, seq=seq, key=key, sent_us=sent_us)
            taken.append((seq, key, intended_us, sent_us))
        return taken

    async def _order(self, seq: int, key: int, intended_us: int, sent_us: int) -> None:
        client = self._clients[seq % len(self._clients)]
        body = json.dumps({"key": key, "seq": seq, "sent_us": self._clock.epoch_us(sent_us)}).encode()
        client.first()
        outcome, retry = "failed", 0
        while True:
            begun_us = self._clock.now_us()
            attempt = await client.attempt(self._path, body)
            now_us = self._clock.now_us()
            self._counts.took_part(now_us, now_us - begun_us, attempt, self._rules.service, self._services)
            if attempt.outcome != "failed":
                outcome = attempt.outcome
            retry += 1
            if attempt.outcome == "acked" or attempt.status == "4xx" or not await client.may_retry(retry):
                break
        done_us = self._clock.now_us()
        self._counts.ended(done_us, outcome, done_us - intended_us)
        self._wire.row("writes_done", data_class=CLASS, key=key, done_us=done_us, outcome=outcome)

    async def count(self) -> None:
        """Send the counts of each second once it is over, for ever."""
        while True:
            await asyncio.sleep(0.25)
            now_us = self._clock.now_us()
            self._counts.flush(min(now_us, self._next_us))
            if now_us // SECOND_US != (now_us - 250_000) // SECOND_US:
                held = [self._where.region(c.cache.last) for c in self._clients if c.cache.last is not None]
                stale = self._counts.stale_share(now_us, held)
                self._wire.row("samples", t_us=now_us, subject="dns", name="stale_share", value=stale)

    async def drain(self) -> None:
        """Wait for the ends of the orders under way; those without one are unknown."""
        self._next_us = self._clock.now_us() + (1 << 60)
        if self._running:
            await asyncio.wait(set(self._running), timeout=DRAIN_S)
        for task in set(self._running):
            task.cancel()

    def finish(self) -> None:
        """Send the counts of the last second too."""
        self._counts.flush((self._clock.now_us() // SECOND_US + 1) * SECOND_US)
        for client in self._clients:
            client.close()
