"""Users played by Locust: a process of its own whose record is that of the open-loop sender."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from experiments.observe import wire
from experiments.observe.names import PROBE_KEYS
from experiments.traffic import LOCUST
from tests.unit.observe.servers import NONE, REGION, Answer, Http, Parent, document, http, name_server, parent
from tests.unit.traffic.counted import edge_counts

OWN = {"X-Region": REGION, "X-Pod": "a", "X-Own": "strategic=400,risk=1500,redis=300"}
USERS = 20


def _settings(found: Parent, port: int, dns: int, **more: Any) -> dict[str, Any]:
    return document(
        "users", port=port, dns_port=dns, seed=1, users=USERS, rate_per_s=float(USERS), first_seq=0, first_key=1_000,
        entry="strategic", services=["strategic", "risk"], ignore_ttl=0.0, timeout_us=1_000_000, retries=0,
        back_off_us=1_000, budget=None, budget_burst=10, breaker=None,
        origin_ns=found.clock.origin.monotonic_ns, origin_epoch_us=found.clock.origin.epoch_us,
    ) | more  # fmt: skip


async def _child(found: Parent, settings: dict[str, Any], until: Callable[[], Awaitable[None]]) -> int:
    """Play users as the parent of a run does, until something has happened; return the exit code."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *LOCUST,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(settings).encode() + b"\n")
    reading = asyncio.create_task(_read(process.stdout, found))
    await until()
    process.stdin.close()
    torn = await reading
    assert torn == 0  # what Locust prints is not among the messages
    return await process.wait()


async def _read(stream: asyncio.StreamReader, found: Parent) -> int:
    reader = wire.Reader()
    while data := await stream.read(65_536):
        for message in reader.feed(data):
            wire.record(message, found.recorder)
    return reader.torn


def _play(
    answer: Callable[[Parent, Http, Any], Answer], until: Callable[[Http], bool], **more: Any
) -> tuple[Parent, Http]:
    async def play(found: Parent) -> Http:
        async with (
            http(lambda _m, _p, body: answer(found, server, body)) as server,
            name_server("127.0.0.1", 1) as names,
        ):
            settings = _settings(found, server.port, names.port, **more)

            async def reached() -> None:
                while not until(server):
                    await asyncio.sleep(0.05)

            code = await _child(found, settings, reached)
            assert code in (0, 1)  # 1: Locust saw orders that failed
            assert names.questions >= USERS  # each user has a cache of its own
            return server

    with parent() as found:
        server = asyncio.run(play(found))
    return found, server


@pytest.mark.proves("Locust plays the users of a load test: ledger, counts and lag are those of the open-loop sender")
def test_users_leave_the_record_of_the_sender() -> None:
    def answer(_f: Parent, _s: Http, body: Any) -> Answer:
        return 200, OWN, {"key": body["key"]}

    found, server = _play(answer, lambda server: len(server.asked) >= 3 * USERS)
    sent, done = found.rows("writes_sent"), found.rows("writes_done")
    assert [r["seq"] for r in sent] == list(range(len(sent)))
    assert [r["key"] - 1_000 for r in sent] == [r["seq"] for r in sent]
    assert sorted(r["key"] for r in done) == [r["key"] for r in sent]
    assert {r["outcome"] for r in done} == {"acked"}
    assert {(b["key"], b["seq"]) for _, _, b in server.asked} == {(r["key"], r["seq"]) for r in sent}
    edge = edge_counts(found)
    assert edge["sent"] == edge["ok"] == edge["attempts"] == len(sent) <= edge["intended"]
    services = {(r["region"], r["service"]) for r in found.rows("load")}
    assert services == {("client", "edge"), (REGION, "strategic"), (REGION, "risk")}
    for row in found.rows("load"):
        if row["service"] == "risk":
            assert sum(b["count"] for b in row["own"]) == row["ok"]
    assert {(r["subject"], r["name"]) for r in found.rows("samples")} == {
        ("client", "sender_lag_us_p99"), ("dns", "stale_share"),
    }  # fmt: skip
    started, stopped = found.recorder.marks
    assert (started.kind, stopped.kind) == ("load_started", "load_stopped")
    assert started.detail == {"sender": "users", "users": USERS, "spacing_us": 1_000_000}


@pytest.mark.proves("users who wait for a slow system do not hide it: what they did not send in their turns is said")
def test_a_system_that_stalls_is_not_measured_as_fast() -> None:
    def answer(found: Parent, server: Http, body: Any) -> Answer:
        return NONE if 2 * USERS <= len(server.asked) < 3 * USERS else (200, OWN, {"key": body["key"]})

    found, server = _play(answer, lambda server: len(server.asked) >= 6 * USERS, timeout_us=3_500_000)
    gaps = [m for m in found.recorder.marks if m.kind == "observer_gap"]
    assert [m.detail["what"] for m in gaps] == ["load"]
    assert "users still waited" in gaps[0].detail["why"]
    edge = edge_counts(found)
    assert edge["unknown"] == 20
    assert edge["sent"] < edge["intended"]  # a turn more than two seconds late is left out
    assert Counter(r["outcome"] for r in found.rows("writes_done"))["unknown"] == 20
    lags_us = [r["value"] for r in found.rows("samples") if r["name"] == "sender_lag_us_p99"]
    assert max(lags_us) > 1_000_000
    assert found.rows("writes_sent")[-1]["seq"] + 1 == edge["sent"] == len({b["key"] for _, _, b in server.asked})


def test_an_order_is_tried_again_only_under_its_own_key() -> None:
    tries: Counter[int] = Counter()

    def answer(_f: Parent, _s: Http, body: Any) -> Answer:
        tries[body["key"]] += 1
        return (503, OWN, {"reason": "database away"}) if tries[body["key"]] == 1 else (200, OWN, {"key": body["key"]})

    found, _ = _play(answer, lambda server: len(server.asked) >= 2 * USERS, retries=1, first_seq=7)
    assert {r["outcome"] for r in found.rows("writes_done")} == {"acked"}
    assert set(tries.values()) == {2}
    assert min(tries) == 1_007  # users that are started again go on where the others were
    assert [m.kind for m in found.recorder.marks] == ["load_stopped"]
    edge = edge_counts(found)
    assert edge["attempts"] == 2 * edge["sent"]


def test_the_runbooks_tests_play_by_themselves() -> None:
    """Without a game day nothing is recorded, and no order is in a ledger."""

    async def play() -> tuple[Http, int]:
        async with (
            http(lambda _m, _p, body: (200, {}, {"key": body["key"]})) as server,
            name_server("127.0.0.1", 1) as names,
        ):
            arguments = [a for a in LOCUST if a != "--recorded"]
            own = {"test": "stress", "scale": 0.004, "lasts": 2, "dns": f"127.0.0.1:{names.port}", "port": server.port}
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *arguments, *(f"--{name}={value}" for name, value in own.items()),
                stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            return server, await process.wait()

    server, code = asyncio.run(play())
    assert code == 0
    assert 20 <= len(server.asked) <= 80  # 20 a second, until Locust looks again
    assert all(body["key"] > PROBE_KEYS for _, _, body in server.asked)


def test_users_end_with_their_parent() -> None:
    """Nobody reads any more: an orphan would go on sending orders that no ledger knows."""

    async def play(found: Parent) -> int:
        async with (
            http(lambda _m, _p, body: (200, OWN, {"key": body["key"]})) as server,
            name_server("127.0.0.1", 1) as names,
        ):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *LOCUST,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            assert process.stdin is not None
            process.stdin.write(json.dumps(_settings(found, server.port, names.port)).encode() + b"\n")
            while not server.asked:
                await asyncio.sleep(0.05)
            transport: Any = process._transport  # type: ignore[attr-defined]
            transport.get_pipe_transport(1).close()
            return await process.wait()

    with parent() as found:
        assert asyncio.run(play(found)) in (0, 1)
