"""The sender against real servers: the ledger is written first, a retry has the same key, unknown stays unknown."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from experiments.traffic import sender
from tests.unit.observe.servers import (
    NONE,
    REGION,
    Answer,
    Http,
    Parent,
    document,
    free_port,
    http,
    name_server,
    parent,
)
from tests.unit.traffic.counted import edge_counts

OWN = {"X-Region": REGION, "X-Pod": "a", "X-Own": "strategic=400,risk=1500,redis=300"}
FACTORS = {"opening_first_minute": 8.0, "opening_first_five_minutes": 3.0, "diurnal_edges": 2.2, "diurnal_trough": 0.5}


def _settings(services: int, dns: int, **more: Any) -> dict[str, Any]:
    return document(
        "sender", port=services, dns_port=dns, seed=1, profile="steady", rate_per_s=100.0, factors=FACTORS,
        first_seq=0, first_key=1_000, entry="strategic", services=["strategic", "risk"], clients=4, ignore_ttl=0.0,
        timeout_us=3_000_000, retries=0,
        back_off_us=1_000, budget=None, budget_burst=10, breaker=None, **more,
    )  # fmt: skip


def _play(answer: Any, orders: int, **more: Any) -> tuple[Parent, Http]:
    """What was recorded of a sender until the server was asked so often."""

    async def play(found: Parent) -> Http:
        async with http(answer) as server, name_server("127.0.0.1", 60) as names:
            settings = _settings(server.port, names.port) | more
            stop = asyncio.Event()
            work = asyncio.create_task(sender.work(settings, found.clock, found.wire, stop))
            while len(server.asked) < orders and found.clock.now_us() < 20_000_000:
                await asyncio.sleep(0.01)
            stop.set()
            await work
            return server

    with parent() as found:
        server = asyncio.run(play(found))
    return found, server


@pytest.mark.proves(
    "an order is in the ledger before it is sent: nothing can be found that nobody is known to have sent"
)
def test_the_ledger_knows_an_order_before_the_system_does() -> None:
    early: list[int] = []

    def answer(_: str, __: str, body: Any) -> Answer:
        import time

        until = time.monotonic() + 2  # the reader of the pipe is another thread: it needs its turn
        while time.monotonic() < until and body["key"] not in _keys(found):
            time.sleep(0.001)
        early.extend([body["key"]] * (body["key"] not in _keys(found)))
        return 200, OWN, {"key": body["key"]}

    def _keys(of: Parent) -> set[int]:
        return {k for b in of.recorder.batches["writes_sent"] for k in b.column("key").to_pylist()}

    async def play() -> None:
        async with http(answer) as server, name_server("127.0.0.1", 60) as names:
            stop = asyncio.Event()
            settings = _settings(server.port, names.port) | {"timeout_us": 5_000_000}
            found.wire._closed.set()  # nothing is sent but what the sender itself sends
            work = asyncio.create_task(sender.work(settings, found.clock, found.wire, stop))
            while len(server.asked) < 5:
                await asyncio.sleep(0.01)
            stop.set()
            await work

    with parent() as found:
        asyncio.run(play())
    assert early == []
    assert len(found.rows("writes_sent")) >= 5


def test_every_order_has_one_row_when_it_is_sent_and_one_when_it_has_ended() -> None:
    found, server = _play(lambda _m, _p, body: (200, OWN, {"key": body["key"]}), 60)
    sent, done = found.rows("writes_sent"), found.rows("writes_done")
    assert [r["seq"] for r in sent] == list(range(len(sent)))
    assert [r["key"] - 1_000 for r in sent] == [r["seq"] for r in sent]
    assert sorted(r["key"] for r in done) == [r["key"] for r in sent]
    assert {r["outcome"] for r in done} == {"acked"}
    assert {(b["key"], b["seq"]) for _, _, b in server.asked} == {(r["key"], r["seq"]) for r in sent}
    edge = edge_counts(found)
    assert edge["intended"] == edge["sent"] == edge["ok"] == len(sent)
    assert [m.kind for m in found.recorder.marks] == ["load_started", "load_stopped"]


def test_the_services_of_the_topology_that_worked_are_counted_with_their_own_time() -> None:
    found, _ = _play(lambda _m, _p, body: (200, OWN, {"key": body["key"]}), 40)
    rows = [r for r in found.rows("load") if r["region"] == REGION]
    assert {r["service"] for r in rows} == {"strategic", "risk"}
    ends = len(found.rows("writes_done"))
    for service in ("strategic", "risk"):
        mine = [r for r in rows if r["service"] == service]
        assert sum(r["ok"] for r in mine) == sum(b["count"] for r in mine for b in r["own"]) == ends
    assert {r["second"] for r in found.rows("load") if r["service"] == "edge"} == set(
        range(max(r["second"] for r in found.rows("load")) + 1)
    )


@pytest.mark.proves("an order that timed out is unknown, and is tried again only under its own key")
def test_an_order_that_timed_out_is_unknown_and_retried_under_its_own_key() -> None:
    tries: Counter[int] = Counter()

    def answer(_: str, __: str, body: Any) -> Answer:
        tries[body["key"]] += 1
        if body["seq"] % 2 or tries[body["key"]] == 1:
            return NONE
        return 200, OWN, {"key": body["key"]}

    found, _ = _play(answer, 40, rate_per_s=40.0, retries=1)
    outcomes = {r["key"]: r["outcome"] for r in found.rows("writes_done")}
    assert all(outcome == ("unknown" if (key - 1_000) % 2 else "acked") for key, outcome in outcomes.items())
    assert set(tries) == set(outcomes)
    assert max(tries.values()) == 2
    edge = edge_counts(found)
    assert edge["attempts"] == 2 * edge["sent"] > edge["intended"]


def test_unknown_is_not_forgotten_when_the_retry_is_refused() -> None:
    tries: Counter[int] = Counter()

    def answer(_: str, __: str, body: Any) -> Answer:
        tries[body["key"]] += 1
        return NONE if tries[body["key"]] == 1 else (503, OWN, {"reason": "database away"})

    found, _ = _play(answer, 20, rate_per_s=40.0, retries=1)
    assert {r["outcome"] for r in found.rows("writes_done")} == {"unknown"}


def test_what_was_refused_or_never_sent_has_failed() -> None:
    found, _ = _play(lambda *_: (503, OWN, {"reason": "trading disabled"}), 20)
    assert {r["outcome"] for r in found.rows("writes_done")} == {"failed"}

    async def refused(parent_: Parent) -> None:
        async with name_server("127.0.0.1", 60) as names:
            stop = asyncio.Event()
            work = asyncio.create_task(
                sender.work(_settings(free_port(), names.port), parent_.clock, parent_.wire, stop)
            )
            while not parent_.recorder.batches["writes_done"]:
                await asyncio.sleep(0.01)
            stop.set()
            await work

    with parent() as other:
        asyncio.run(refused(other))
    assert {r["outcome"] for r in other.rows("writes_done")} == {"failed"}
    assert edge_counts(other)["failed"] == len(other.rows("writes_sent")) > 0
    asked = [row for row in other.rows("load") if row["service"] == "strategic"]
    assert sum(row["attempts"] for row in asked) > 0
    assert sum(row["failed"] + row["unknown"] for row in asked) == 0, "no server has counted what none has got"


def test_a_deadline_inside_the_system_leaves_the_order_unknown() -> None:
    found, _ = _play(lambda *_: (504, OWN, {"reason": "deadline of risk"}), 10)
    assert {r["outcome"] for r in found.rows("writes_done")} == {"unknown"}


def test_a_system_that_hangs_is_still_offered_the_load() -> None:
    found, server = _play(lambda *_: NONE, 40, rate_per_s=200.0, timeout_us=200_000)
    assert server.open_most > 10
    edge = edge_counts(found)
    assert edge["sent"] == edge["intended"] == edge["unknown"] + edge["failed"]  # failed: not even connected in time
    assert edge["unknown"] >= 40


def test_a_sender_that_is_started_again_goes_on_with_the_numbers() -> None:
    found, _ = _play(lambda _m, _p, body: (200, OWN, {"key": body["key"]}), 5, first_seq=70)
    assert [r["seq"] for r in found.rows("writes_sent")][:3] == [70, 71, 72]
    assert found.rows("writes_sent")[0]["key"] == 1_070
    assert [m.kind for m in found.recorder.marks] == ["load_stopped"], "the load had started before"
