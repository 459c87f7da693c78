"""A client's DNS cache against a real name server: one question for each TTL, and none in between."""

import asyncio

import pytest

from experiments.observe.dns_cache import DnsCache

from .servers import ADDRESS, free_port, name_server

NAME = "trade.grandmodel.test"


class Now:
    """The run's time, set by hand."""

    us = 0

    def __call__(self) -> int:
        return self.us


@pytest.mark.proves("a client that obeys the TTL asks its name server once for each TTL, and at no other time")
def test_it_asks_when_the_ttl_is_over_and_at_no_other_time() -> None:
    async def play() -> tuple[list[str | None], list[int]]:
        now = Now()
        async with name_server("10.0.0.1", 5) as server:
            cache = DnsCache((ADDRESS, server.port), NAME, now)
            found, asked = [], []
            for now.us, address in ((0, "10.0.0.1"), (1, "10.0.0.2"), (4_999_999, "10.0.0.2"), (5_000_000, "10.0.0.2")):
                server.address = address
                found.append(await cache.address())
                asked.append(server.questions)
            return found, asked

    found, asked = asyncio.run(play())
    assert found == ["10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2"]
    assert asked == [1, 1, 1, 2]


def test_all_who_wait_wait_for_one_question() -> None:
    async def play() -> tuple[set[str | None], int]:
        async with name_server("10.0.0.1", 5) as server:
            cache = DnsCache((ADDRESS, server.port), NAME, Now())
            return set(await asyncio.gather(*(cache.address() for _ in range(20)))), server.questions

    assert asyncio.run(play()) == ({"10.0.0.1"}, 1)


def test_one_who_gives_up_waiting_takes_the_answer_from_nobody() -> None:
    async def play() -> str | None:
        async with name_server("10.0.0.1", 5) as server:
            cache = DnsCache((ADDRESS, server.port), NAME, Now())
            impatient = asyncio.create_task(cache.address())
            patient = asyncio.create_task(cache.address())
            await asyncio.sleep(0)
            impatient.cancel()
            return await patient

    assert asyncio.run(play()) == "10.0.0.1"


def test_phases_spread_the_first_questions_only() -> None:
    async def play() -> list[int]:
        now, asked = Now(), []
        async with name_server("10.0.0.1", 10) as server:
            cache = DnsCache((ADDRESS, server.port), NAME, now, phase=0.3)
            for now.us in (0, 2_999_999, 3_000_000, 12_999_999, 13_000_000):
                await cache.address()
                asked.append(server.questions)
        return asked

    assert asyncio.run(play()) == [1, 1, 2, 2, 3]


def test_a_stale_client_keeps_its_first_answer() -> None:
    async def play() -> tuple[str | None, int]:
        now = Now()
        async with name_server("10.0.0.1", 1) as server:
            cache = DnsCache((ADDRESS, server.port), NAME, now, forever=True)
            await cache.address()
            server.address, now.us = "10.0.0.2", 3_600_000_000
            return await cache.address(), server.questions

    assert asyncio.run(play()) == ("10.0.0.1", 1)


def test_without_a_name_server_there_is_no_address_and_the_next_one_asks_again() -> None:
    async def play() -> list[str | None]:
        now = Now()
        lost = DnsCache((ADDRESS, free_port()), NAME, now)
        found = [await lost.address()]
        async with name_server("10.0.0.1", 1) as server:
            cache = DnsCache((ADDRESS, server.port), NAME, now)
            found.append(await cache.address())
            lost._server = (ADDRESS, server.port)
            found.append(await lost.address())
        return found

    assert asyncio.run(play()) == [None, "10.0.0.1", "10.0.0.1"]
