"""Probers against real servers: never early, never waiting for the one before, and every row says what a user saw."""

import asyncio
from typing import Any

import pytest

from experiments.observe import probers
from experiments.observe.names import PROBE_KEYS

from .servers import NONE, REGION, Answer, Http, document, free_port, http, name_server, parent

HEADERS = {"X-Region": REGION, "X-Pod": "pod-a"}


class Time:
    """A clock that only sleeping moves."""

    def __init__(self, us: int = 0) -> None:
        self.us = us

    def now_us(self) -> int:
        return self.us

    async def sleep(self, seconds: float) -> None:
        self.us += round(seconds * 1e6)


def _grid(
    series: list[tuple[int, int]], until_us: int, late: dict[int, int] | None = None
) -> list[tuple[int, int, int]]:
    """Starts (number, intended, at) of a grid; `late`: the process is stopped for so long at an instant."""
    stop, started = asyncio.Event(), []
    time: Any = Time()  # of a clock a grid takes no more than what this one has

    def start(number: int, intended_us: int) -> None:
        started.append((number, intended_us, time.us))
        time.us += (late or {}).pop(intended_us, 0)
        if intended_us >= until_us:
            stop.set()

    asyncio.run(probers.grid(series, time, stop, start, time.sleep))
    return started


def test_every_instant_of_every_grid_is_probed_once_and_never_early() -> None:
    started = _grid([(0, 50_000), (7_000, 50_000), (20_000, 200_000)], 2_000_000)
    assert all(at >= intended for _, intended, at in started)
    for number, phase, spacing in ((0, 0, 50_000), (1, 7_000, 50_000), (2, 20_000, 200_000)):
        mine = [intended for n, intended, _ in started if n == number]
        assert mine == list(range(phase, mine[-1] + 1, spacing))
        assert mine[-1] >= 1_800_000


def test_after_a_short_stop_the_missed_instants_are_probed_late() -> None:
    started = _grid([(0, 50_000)], 2_000_000, {500_000: 700_000})
    assert [intended for _, intended, _ in started] == list(range(0, 2_000_001, 50_000))
    assert max(at - intended for _, intended, at in started) >= 600_000


def test_after_a_long_stop_the_instants_long_past_are_left_out() -> None:
    started = _grid([(0, 50_000)], 20_000_000, {500_000: 10_000_000})
    assert all(at - intended <= probers.LATE_US for _, intended, at in started)
    assert len(started) < 20_000_000 // 50_000


def _probe(service: str, **more: Any) -> dict[str, Any]:
    return {"client": "user", "route": "dns", "service": service, "spacing_us": 20_000, "timeout_us": 300_000} | more


def _play(
    answer: Any, probes: list[dict[str, Any]], count: int, *, address: str | None = "127.0.0.1"
) -> tuple[list[dict[str, Any]], Http]:
    """Rows of probers that ask one server, until it was asked a number of times or so many rows came."""

    async def play(found: Any) -> Http:
        async with http(answer) as server, name_server(address, 60) as names:
            settings = document("probers", port=server.port, dns_port=names.port, outside=server.port, probes=probes)
            stop = asyncio.Event()
            work = asyncio.create_task(probers.work(settings, found.clock, found.wire, stop))
            while len(server.asked) < count and found.clock.now_us() < 20_000_000:
                await asyncio.sleep(0.01)
            stop.set()
            await work
            return server

    with parent() as found:
        server = asyncio.run(play(found))
    return found.rows("probes"), server


def test_the_end_of_a_run_is_no_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes that are under way at its end are waited for, and none is due meanwhile."""
    tables: list[str] = []
    sampled: list[int] = []
    wait = asyncio.wait

    async def waiting(*given: Any, **more: Any) -> Any:
        before = tables.count("samples")
        found = await wait(*given, **more)
        sampled.append(tables.count("samples") - before)
        return found

    async def play(found: Any) -> None:
        async with http(lambda *_: NONE) as server, name_server("127.0.0.1", 60) as names:
            probes = [_probe("strategic", timeout_us=2_500_000)]
            settings = document("probers", port=server.port, dns_port=names.port, outside=server.port, probes=probes)
            stop = asyncio.Event()
            work = asyncio.create_task(probers.work(settings, found.clock, found.wire, stop))
            while not server.asked:
                await asyncio.sleep(0.01)
            stop.set()
            await work

    monkeypatch.setattr(asyncio, "wait", waiting)
    with parent() as found:
        send = found.wire.row
        monkeypatch.setattr(found.wire, "row", lambda table, **values: (tables.append(table), send(table, **values)))
        asyncio.run(play(found))
    assert "samples" in tables
    assert sampled == [0]


@pytest.mark.proves("a system that hangs is probed at full rate: no probe waits for the one before")
def test_a_server_that_hangs_is_probed_at_full_rate() -> None:
    rows, server = _play(lambda *_: NONE, [_probe("strategic")], 30)
    assert server.open_most > 5
    intended = [r["intended_us"] for r in rows]
    assert sorted(intended) == list(range(min(intended), max(intended) + 1, 20_000))
    assert {(r["status"], r["right"], r["done_us"], r["region"], r["address"]) for r in rows} == {
        ("timeout", "none", None, None, REGION)
    }
    assert all(r["sent_us"] >= r["intended_us"] for r in rows)


def test_a_right_answer_says_who_gave_it() -> None:
    rows, server = _play(lambda *_: (200, HEADERS, {}), [_probe("strategic")], 5)
    assert {(r["status"], r["right"], r["region"], r["pod"]) for r in rows} == {
        ("2xx", "yes", REGION, f"{REGION}/strategic/pod-a")
    }
    assert {path for _, path, _ in server.asked} == {"/probe"}
    assert all(r["done_us"] >= r["sent_us"] >= r["intended_us"] for r in rows)


def test_an_answer_from_old_data_or_without_its_age_is_wrong() -> None:
    ages_us = iter([5_000_000, 120_000_000, None] * 100)
    seen: list[int | None] = []

    def answer(*_: Any) -> Answer:
        import time

        age_us = next(ages_us)
        seen.append(age_us)
        stamp = {} if age_us is None else {"X-As-Of-Us": str(time.time_ns() // 1_000 - age_us)}
        return 200, HEADERS | stamp, {}

    rows, _ = _play(answer, [_probe("risk", greatest_age_us=60_000_000, spacing_us=100_000)], 6)
    rows.sort(key=lambda r: r["intended_us"])
    wanted = {5_000_000: "yes", 120_000_000: "no", None: "no"}
    assert [r["right"] for r in rows[:6]] == [wanted[a] for a in seen[:6]]


def test_an_order_is_right_only_when_it_was_read_back() -> None:
    stored: set[int] = set()

    def answer(method: str, path: str, body: Any) -> Answer:
        if method == "POST":
            if body["key"] % 40_000 < 20_000:
                stored.add(body["key"])
            return 200, HEADERS, {"key": body["key"], "timeline": "us-east-1:1", "position": 1}
        key = int(path.rpartition("/")[2])
        found = key in stored
        return (200 if found else 404), HEADERS | {"X-Timeline": "us-east-1:1"}, {"key": key} if found else {}

    rows, server = _play(answer, [_probe("order", timeout_us=1_000_000)], 20)
    assert {r["right"] for r in rows} == {"yes", "no"}
    assert {r["timeline"] for r in rows if r["right"] == "yes"} == {"us-east-1/1"}
    assert {r["status"] for r in rows if r["right"] == "no"} <= {"4xx", "refused", "timeout"}
    assert all(body["key"] > PROBE_KEYS for method, _, body in server.asked if method == "POST")


def test_without_a_name_server_there_is_no_address() -> None:
    async def play(found: Any) -> None:
        settings = document("probers", port=free_port(), dns_port=free_port(), probes=[_probe("strategic")])
        stop = asyncio.Event()
        work = asyncio.create_task(probers.work(settings, found.clock, found.wire, stop))
        while not found.recorder.batches["probes"]:
            await asyncio.sleep(0.01)
        stop.set()
        await work

    with parent() as found:
        asyncio.run(play(found))
    assert {(r["status"], r["right"], r["address"]) for r in found.rows("probes")} == {("no_address", "none", None)}


def test_a_page_is_right_when_it_has_arrived() -> None:
    pages: list[dict[str, Any]] = []

    def answer(method: str, path: str, body: Any) -> Answer:
        if method == "POST":
            pages.append({"n": len(pages) + 1, "alert": "TestPage", "key": str(body["key"]), "status": "firing"})
            return 200, {}, {}
        return 200, {}, pages[int(path.rpartition("=")[2]) :]

    rows, _ = _play(answer, [_probe("page", spacing_us=100_000, timeout_us=5_000_000)], 6)
    assert {(r["service"], r["right"]) for r in rows} == {("page", "yes")}


def test_a_database_that_refuses_is_no_answer() -> None:
    async def play(found: Any) -> None:
        async with name_server("127.0.0.1", 60) as names:
            probe = _probe("database", timeout_us=1_000_000)
            settings = document("probers", port=free_port(), dns_port=names.port, probes=[probe])
            stop = asyncio.Event()
            work = asyncio.create_task(probers.work(settings, found.clock, found.wire, stop))
            while not found.recorder.batches["probes"]:
                await asyncio.sleep(0.01)
            stop.set()
            await work

    with parent() as found:
        asyncio.run(play(found))
    assert {(r["status"], r["right"], r["region"]) for r in found.rows("probes")} == {("refused", "none", None)}
