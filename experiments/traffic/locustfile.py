"""Users that send orders, played by Locust: `locust -f experiments/traffic/locustfile.py --headless --test load`.

By itself it plays one of the runbook's load tests, at a share of its rate, and Locust prints its own figures. In a game
day (`--recorded`) the first line of standard input says what to play; what the users do goes up standard output, as the
open-loop sender's does, and the end of standard input is the end of the load. A user sends an order at each of its
turns and waits for the answer. It finds the system by the name, through a cache of its own that obeys the TTL.

Locust changes how sockets and threads wait, and rounds its own figures to milliseconds: so it is a process of its own,
and what counts is measured here. Source of the tests: the runbook, Performance Testing / Load Testing.
"""

import locust  # before anything that opens a socket: it changes how sockets wait

# isort: split
import itertools
import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rdatatype
import gevent
import gevent.os
from locust import FastHttpUser, LoadTestShape, events, task

from experiments.observe import settings
from experiments.observe.child import go_first, read_document
from experiments.observe.clock import Clock, Origin
from experiments.observe.http import Response
from experiments.observe.names import PROBE_KEYS
from experiments.observe.wire import Sender
from experiments.testbed import layout
from experiments.traffic.clients import Attempt, outcome_of
from experiments.traffic.users import Order, User, Users

TESTS = {"load": (1_000, 600), "stress": (5_000, 300), "endurance": (500, 14_400)}  # orders a second, seconds
LOOK_S = 0.25
TIMEOUT_S = 1.0  # of a question to the name server, and by itself of an order
KEYS = PROBE_KEYS + (1 << 61)  # from here on by itself: nobody's in the ledger, and no prober's
PATH = "/orders"


def options(parser: Any) -> None:
    """Add our options to Locust's."""
    parser.add_argument("--test", choices=sorted(TESTS), default="load", help="which of the runbook's load tests")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the runbook's rate, for a small system")
    parser.add_argument("--lasts", type=float, default=0.0, help="seconds, instead of the runbook's")
    parser.add_argument("--name", default=layout.TRADE_NAME, help="name that users go to")
    parser.add_argument("--dns", default=f"{layout.HOST}:{layout.DNS_PORT}", help="name server to ask")
    parser.add_argument("--port", type=int, default=layout.PORTS["strategic"], help="port of the edge")
    parser.add_argument("--recorded", action="store_true", help="as part of a game day: standard input says what")


def by_itself(chosen: Any) -> dict[str, Any]:
    """Settings of a load test that is no part of a game day."""
    rate, _ = TESTS[chosen.test]
    host, _, port = chosen.dns.rpartition(":")
    where = settings.where()
    users = max(1, round(rate * chosen.scale))
    return {
        **where, "name": chosen.name, "dns": [host, int(port)],
        "ports": {**where["ports"], "strategic": chosen.port}, "entry": "strategic", "services": [],
        "users": users, "rate_per_s": float(users), "seed": 0,
        "first_seq": 0, "first_key": KEYS + time.time_ns() // 1_000, "ignore_ttl": 0.0,
        "timeout_us": round(TIMEOUT_S * 1e6), "retries": 0, "back_off_us": 0, "budget": None, "budget_burst": 0,
        "breaker": None,
    }  # fmt: skip


class Load:
    """The users of one process, from the first turn to the last answer."""

    def __init__(self, document: Mapping[str, Any], clock: Clock, wire: Sender, lasts_s: float | None) -> None:
        self.wire = wire
        self.users = Users(document, clock, wire)
        self.players = itertools.cycle(self.users.users)
        self._until_us = None if lasts_s is None else clock.now_us() + round(lasts_s * 1e6)
        self._counting = gevent.spawn(self._count)

    def _count(self) -> None:
        while True:
            gevent.sleep(LOOK_S)
            late = self._until_us is not None and self.users.clock.now_us() >= self._until_us
            if late or self.wire.gone.is_set():
                self.users.stop()
            self.users.count()

    def listen(self) -> None:
        """The load is over when standard input ends."""
        while gevent.os.tp_read(sys.stdin.fileno(), 4096):
            continue
        self.users.stop()

    def finish(self) -> None:
        """All users have ended."""
        self._counting.kill()
        self.users.stop()
        self.users.finish()
        self.wire.close()


class Shape(LoadTestShape):
    """All users from the first instant to the last: their turns are spread, so that nothing has to ramp up."""

    def tick(self) -> tuple[int, float] | None:
        """Users now and how many are started a second; None: the last order has ended, Locust may end its users."""
        runner: Any = self.runner
        users: Users = runner.environment.load.users
        if users.stopped and not users.under_way:
            return None
        count = len(users.users)
        return count, float(count)


class Trader(FastHttpUser):
    """Sends an order at each of its turns, and waits for the answer."""

    host = "http://trade"  # orders go to the address that the name leads to
    max_retries = 0

    def on_start(self) -> None:
        """Take the turns of one user; the first answers of the name server end at different times."""
        load: Load = self.environment.load
        self._users, self._me = load.users, next(load.players)
        self._until_s, self._share = 0.0, 1.0 - self._me.draws.random()
        gevent.sleep(self.wait_time())

    def wait_time(self) -> float:
        """Seconds until the next turn; 0 when it has come already."""
        return self._me.turns.wait_us(self._users.clock.now_us()) / 1e6

    @task
    def order(self) -> None:
        """Send the order of this turn, again under its own key as often as the budget allows."""
        users, me = self._users, self._me
        if users.stopped:
            gevent.sleep(LOOK_S)  # Locust will end this user
            return
        order = users.take(me)
        outcome, retry = "failed", 0
        while True:
            attempt = self._attempt(order)
            if attempt.outcome != "failed":
                outcome = attempt.outcome
            retry += 1
            if attempt.outcome == "acked" or attempt.status == "4xx" or not me.budget.spend(retry):
                break
            gevent.sleep(users.rules.back_off_s(retry, me.draws))
        users.ended(me, order, outcome)

    def _attempt(self, order: Order) -> Attempt:
        users, breaker, begun_us = self._users, self._me.breaker, self._users.clock.now_us()
        if breaker is not None and not breaker.lets_through():
            return Attempt("failed", "open", users.where.region(self._me.address), Response("open"))
        found = self._send(order, self._edge(self._me))
        if breaker is not None:
            breaker.note(found.outcome == "acked")
        users.attempted(found, users.clock.now_us() - begun_us)
        return found

    def _send(self, order: Order, address: str | None) -> Attempt:
        users = self._users
        where, region = users.where, users.where.region(address)
        if address is None:
            self.environment.events.request.fire(
                request_type="POST", name=PATH, response_time=TIMEOUT_S * 1e3, response_length=0, context={},
                response=None, exception=LookupError("no address"), start_time=time.time(), url="",
            )  # fmt: skip
            return Attempt("failed", "no_address", None, Response("no_address"))
        port = where.ports[users.rules.service]
        answer: Any = self.client.post(
            f"http://{address}:{port}{PATH}", name=PATH, json=order.body(users.clock), headers={"Host": where.name}
        )
        response = _response(answer)
        if response.code:
            return Attempt(outcome_of(response), response.status, region, response)
        refused = isinstance(getattr(answer, "error", None), ConnectionRefusedError)
        return Attempt("failed" if refused else "unknown", response.status, region, response)

    def _edge(self, me: User) -> str | None:
        """Address of the edge, by an answer that is not older than its TTL; None when there is none."""
        now_s = time.monotonic()
        if me.address is not None and (me.forever or now_s < self._until_s):
            return me.address
        host, port = self._users.where.dns
        question = dns.message.make_query(self._users.where.name, dns.rdatatype.A)
        try:
            answer = dns.query.udp(question, host, timeout=TIMEOUT_S, port=port)
            record = next(found for found in answer.answer if found.rdtype == dns.rdatatype.A)
        except (dns.exception.DNSException, OSError, StopIteration):
            self._until_s = 0.0
            return None
        self._until_s, self._share = now_s + record.ttl * self._share, 1.0
        me.address = record[0].to_text()
        return me.address


def _response(answer: Any) -> Response:
    """What Locust's client says, in the words of ours. Without a status there was no answer."""
    code = answer.status_code or 0
    if not code:
        refused = isinstance(getattr(answer, "error", None), ConnectionError)
        return Response("refused" if refused else "timeout")
    return Response(f"{code // 100}xx", code, {name.lower(): value for name, value in answer.headers.items()})


def begin(environment: Any, **_: Any) -> None:
    """Read what to play, and start to count. What is recorded begins with the run, however early this process does."""
    chosen = environment.parsed_options
    if not chosen.recorded:
        document, clock, lasts_s = by_itself(chosen), Clock(Origin.soon()), chosen.lasts or TESTS[chosen.test][1]
        wire = Sender(os.open(os.devnull, os.O_WRONLY))
    else:
        document = read_document(sys.stdin.buffer.readline(), ("users",))
        clock, lasts_s = Clock(Origin(document["origin_ns"], document["origin_epoch_us"])), None
        wire = Sender(os.dup(1))
        os.dup2(2, 1)  # what Locust prints is no message
        go_first(at_once=True)  # as the sender does
    Trader.connection_timeout = Trader.network_timeout = document["timeout_us"] / 1e6
    environment.load = load = Load(document, clock, wire, lasts_s)
    if chosen.recorded:
        gevent.spawn(load.listen)
        gevent.signal_handler(signal.SIGTERM, load.users.stop)


def end(environment: Any, **_: Any) -> None:
    """Record the last seconds."""
    environment.load.finish()


_hooks: Any = events
_hooks.init_command_line_parser.add_listener(options)
_hooks.init.add_listener(begin)
_hooks.quitting.add_listener(end)

__all__ = ["Shape", "Trader", "locust"]
