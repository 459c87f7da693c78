"""What users send, recorded as the open-loop sender records its own: the same tables, the same ledger, the same counts.

Whoever plays the users (Locust) asks here what to send, and says what came back. The ledger is written ahead, as the
sender's is: an order's row is with the parent before the order is sent.
"""

import itertools
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments.observe.clock import Clock
from experiments.observe.settings import Where
from experiments.observe.wire import Sender
from experiments.traffic.clients import Attempt, Breaker, Budget, Rules
from experiments.traffic.counts import CLASS, LATE_US, SECOND_US, Counts
from experiments.traffic.turns import HeldUp, Turns


@dataclass(frozen=True, slots=True)
class Order:
    """An order of a user. Times are microseconds of the run."""

    seq: int
    key: int
    intended_us: int
    sent_us: int

    def body(self, clock: Clock) -> dict[str, int]:
        """What is sent."""
        return {"key": self.key, "seq": self.seq, "sent_us": clock.epoch_us(self.sent_us)}


class User:
    """One user: its turns, and how it calls."""

    def __init__(self, turns: Turns, rules: Rules, clock: Clock, draws: random.Random, *, forever: bool) -> None:
        self.turns = turns
        self.budget = Budget(rules)
        self.breaker = Breaker(rules.breaker, clock.now_us) if rules.breaker else None
        self.draws = draws
        self.forever = forever  # keeps its first address, whatever the TTL says
        self.address: str | None = None


class Users:
    """All users, and the record of what they do.

    All of them have turns from the start, whether they are played or not: what is not sent counts as intended.
    """

    def __init__(self, document: Mapping[str, Any], clock: Clock, wire: Sender) -> None:
        self.clock, self._wire = clock, wire
        self.where, self.rules = Where.of(document), Rules.of(document)
        self._services = frozenset(document["services"])
        self._numbers = itertools.count(int(document["first_seq"]))
        self._first_key = int(document["first_key"])
        self._count = int(document["users"])
        begun_us = max(0, clock.now_us())
        spacing_us = round(self._count / document["rate_per_s"] * SECOND_US)
        draws = random.Random(document["seed"])
        forever = round(document["ignore_ttl"] * self._count)
        self.users = [
            User(
                Turns(begun_us + round(draws.random() * spacing_us), spacing_us),
                self.rules, clock, random.Random(draws.random()), forever=i < forever,
            )
            for i in range(self._count)
        ]  # fmt: skip
        calls_us = (self.rules.retries + 1) * (2 * self.rules.timeout_us + SECOND_US)  # to connect, to answer; the name
        self._held_up = HeldUp(begun_us, LATE_US + calls_us + self.rules.back_off_us * 2**self.rules.retries)
        self._counts = Counts(wire, begun_us)
        self._sampled = begun_us // SECOND_US
        self.stopped = False
        self.under_way = 0  # orders
        if not document["first_seq"]:  # one that is started again goes on with a load that has begun
            wire.mark(begun_us, "load_started", "client", sender="users", users=self._count, spacing_us=spacing_us)

    def take(self, user: User) -> Order:
        """The order of a user's turn; when this returns, the parent has its row."""
        self.under_way += 1
        now_us = self.clock.now_us()
        intended_us, held = user.turns.take(now_us)
        for t_us in held:
            self._held_up.held(t_us)
        seq = next(self._numbers)
        order = Order(seq, self._first_key + seq, intended_us, now_us)
        self._counts.sent(now_us, now_us - intended_us)
        self._wire.row("writes_sent", data_class=CLASS, seq=seq, key=order.key, sent_us=now_us)
        self._wire.now()
        user.budget.earn()
        return order

    def attempted(self, attempt: Attempt, took_us: int) -> None:
        """One attempt of an order has ended."""
        self._counts.took_part(self.clock.now_us(), took_us, attempt, self.rules.service, self._services)

    def ended(self, user: User, order: Order, outcome: str) -> None:
        """An order has ended: acked, failed or unknown."""
        done_us = self.clock.now_us()
        self._counts.ended(done_us, outcome, done_us - order.intended_us)
        self._wire.row("writes_done", data_class=CLASS, key=order.key, done_us=done_us, outcome=outcome)
        user.turns.ended(done_us)
        self.under_way -= 1

    def count(self) -> None:
        """Count the turns that have come, and send the counts of all seconds that are over. Call it often."""
        now_us = self.clock.now_us()
        self._come(now_us)
        self._counts.flush(now_us)
        for from_us, to_us in self._held_up.stretches(now_us):
            self._unoffered(from_us, to_us)
        if now_us // SECOND_US > self._sampled:
            self._sampled = now_us // SECOND_US
            held = [self.where.region(user.address) for user in self.users if user.address is not None]
            stale = self._counts.stale_share(now_us, held)
            self._wire.row("samples", t_us=now_us, subject="dns", name="stale_share", value=stale)

    def finish(self) -> None:
        """Nobody sends any more: send the counts of the last second too."""
        now_us = self.clock.now_us()
        for user in self.users:
            for t_us in user.turns.unsent():
                self._held_up.held(t_us)
        for from_us, to_us in self._held_up.stretches(now_us, last=True):
            self._unoffered(from_us, to_us)
        self._counts.flush((now_us // SECOND_US + 1) * SECOND_US)

    def stop(self) -> None:
        """The last turn has come; orders under way still end."""
        if self.stopped:
            return
        now_us = self.clock.now_us()
        self._come(now_us)
        self.stopped = True
        self._wire.mark(now_us, "load_stopped", "client")

    def _come(self, now_us: int) -> None:
        for user in self.users if not self.stopped else ():
            for t_us in user.turns.due(now_us):
                self._counts.intended(t_us)
                self._held_up.due(t_us)

    def _unoffered(self, from_us: int, to_us: int) -> None:
        why = "the load was not offered, because users still waited for answers when their turns came,"
        self._wire.mark(
            self.clock.now_us(), "observer_gap", "client", what="load", from_us=from_us, to_us=to_us, why=why
        )
