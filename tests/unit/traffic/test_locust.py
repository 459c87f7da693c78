"""Locust as it is: the file plays by itself as a subprocess, and what it did is in the record."""

import asyncio

import pytest

from experiments.observe.names import PROBE_KEYS
from experiments.traffic import locust_run
from tests.unit.observe.servers import Http, Parent, document, http, name_server, parent


@pytest.mark.proves("the runbook's load tests play as Locust users that reach the system by its name")
def test_a_load_test_is_played_and_recorded() -> None:
    async def play(found: Parent) -> Http:
        async with (
            http(lambda _m, _p, body: (200, {}, {"key": body["key"]})) as server,
            name_server("127.0.0.1", 1) as names,
        ):
            settings = document(
                "locust", port=server.port, dns_port=names.port, test="load", scale=0.01, lasts_s=3, entry="strategic"
            )
            await locust_run.work(settings, found.clock, found.wire, asyncio.Event())
            assert names.questions >= 10  # each user has a cache of its own
            return server

    with parent() as found:
        server = asyncio.run(play(found))
    rows = found.rows("load")
    assert [m.kind for m in found.recorder.marks] == ["load_started", "load_stopped"]
    sent = sum(r["sent"] for r in rows)
    assert sent == sum(r["ok"] for r in rows) == sum(b["count"] for r in rows for b in r["path"])
    assert len(server.asked) - 10 <= sent <= len(server.asked)  # at its end each user leaves at most one order
    assert sent >= 10
    assert {(method, path) for method, path, _ in server.asked} == {("POST", "/orders")}
    assert all(body["key"] > PROBE_KEYS for _, _, body in server.asked)


def test_one_that_is_asked_to_stop_stops() -> None:
    async def play(found: Parent) -> None:
        async with (
            http(lambda _m, _p, body: (200, {}, {"key": body["key"]})) as server,
            name_server("127.0.0.1", 60) as names,
        ):
            settings = document(
                "locust", port=server.port, dns_port=names.port, test="endurance", scale=0.01, entry="strategic"
            )
            stop = asyncio.Event()
            work = asyncio.create_task(locust_run.work(settings, found.clock, found.wire, stop))
            while not server.asked:
                await asyncio.sleep(0.05)
            stop.set()
            await work

    with parent() as found:
        asyncio.run(play(found))
    assert [m.kind for m in found.recorder.marks] == ["load_started", "load_stopped"]
