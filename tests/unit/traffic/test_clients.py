"""How clients call: budgets of retries, breakers, addresses that move."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace

from experiments.observe.dns_cache import DnsCache
from experiments.observe.settings import Where
from experiments.traffic.clients import Breaker, Client, Rules
from tests.unit.observe.servers import ADDRESS, Answer, document, http, name_server

RULES = Rules("strategic", 500_000, 3, 0, 0.1, 2, None)


class Now:
    us = 0

    def __call__(self) -> int:
        return self.us


def _client(rules: Rules) -> Client:
    where = Where.of(document("sender", port=1, dns_port=1))
    return Client(where, rules, DnsCache((ADDRESS, 1), "name", Now()), Now(), random.Random(1))


def test_retries_end_with_the_budget_and_orders_earn_it_back() -> None:
    client = _client(RULES)
    assert [asyncio.run(client.may_retry(1)) for _ in range(3)] == [True, True, False]
    for _ in range(10):
        client.first()
    assert [asyncio.run(client.may_retry(1)) for _ in range(2)] == [True, False]


def test_without_a_budget_only_their_number_ends_them() -> None:
    client = _client(replace(RULES, budget=None))
    assert all(asyncio.run(client.may_retry(n)) for n in (1, 2, 3))
    assert not asyncio.run(client.may_retry(4))


def test_a_breaker_opens_lets_one_try_and_closes_again() -> None:
    now = Now()
    breaker = Breaker((0.5, 4, 1_000), now)
    for good in (True, True, False, False):
        assert breaker.lets_through()
        breaker.note(good)
    assert not breaker.lets_through()
    now.us = 1_000
    assert breaker.lets_through()
    assert not breaker.lets_through()  # one at a time
    breaker.note(False)
    assert not breaker.lets_through()
    now.us = 2_000
    assert breaker.lets_through()
    breaker.note(True)
    assert breaker.lets_through()


def test_a_client_follows_the_name_and_keeps_its_connection_until_then() -> None:
    asked: dict[str, int] = {}

    def answering(name: str) -> Callable[..., Answer]:
        def answer(*_: object) -> Answer:
            asked[name] = asked.get(name, 0) + 1
            return 200, {"X-Region": name}, {}

        return answer

    async def play() -> tuple[int, int]:
        now = Now()
        async with http(answering("east")) as east, name_server(ADDRESS, 5) as names:
            west = await asyncio.start_server(lambda *_: None, "127.0.0.2", east.port)
            settings = document("sender", port=east.port, dns_port=names.port)
            settings["places"] = {"east": ADDRESS, "west": "127.0.0.2"}
            where = Where.of(settings)
            cache = DnsCache(where.dns, where.name, now)
            client = Client(where, replace(RULES, timeout_us=100_000), cache, now, random.Random(1))
            first = [await client.attempt("/orders", b"{}") for _ in range(3)]
            connections = east.open_most
            names.address, now.us = "127.0.0.2", 5_000_000
            moved = await client.attempt("/orders", b"{}")
            west.close()
            assert [a.region for a in (*first, moved)] == ["east"] * 3 + ["west"]
            return connections, asked["east"]

    assert asyncio.run(play()) == (1, 3)
