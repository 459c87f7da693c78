import asyncio
import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from prometheus_client import REGISTRY
from starlette.requests import Request

from experiments.testbed.system.database import Database, DatabaseError
from experiments.testbed.system.hop import Answer, Place, handler, integers
from experiments.testbed.system.risk import Desk, Positions
from experiments.testbed.system.throttle import Throttle
from experiments.testbed.system.timing import Watch
from experiments.testbed.system.trading import TradingSwitch

from .http import request

HERE = Place("risk", "us-east-1", "risk-0", 1000)
ORDER = {"key": 1, "seq": 1, "sent_us": 1, "instrument": 2, "quantity": 5}


class FakeDatabase:
    """Answers with a row, or fails."""

    def __init__(self, found: tuple[Any, ...] | DatabaseError) -> None:
        self.found = found
        self.asked = 0

    async def ask(self, question: str, values: Any, within_s: float) -> tuple[Any, ...]:
        self.asked += 1
        if isinstance(self.found, DatabaseError):
            raise self.found
        return self.found


def closed_redis() -> Throttle:
    return Throttle("redis://127.0.0.1:1/0", 1000)  # nobody listens there


def check(
    database: FakeDatabase, order: dict[str, int] = ORDER, limit: float = 1e6, known: bool = True
) -> tuple[Answer, str]:
    async def run() -> tuple[Answer, str]:
        desk = Desk(cast(Database, database), closed_redis(), limit)
        desk.positions = Positions("us-east-1:1", 77, np.zeros(8, dtype=np.int64)) if known else None
        watch = Watch("risk", 1000)
        return await desk.check(order, watch), watch.own()

    return asyncio.run(run())


def test_an_order_is_written_and_the_answer_says_where_without_redis_too() -> None:
    answer, own = check(FakeDatabase(("us-east-1", 2, 1, 4711)))
    assert answer.status == 200
    assert answer.body == {"key": 1, "timeline": 1, "position": 4711}
    assert answer.headers == {"X-Timeline": "us-east-1:2", "X-As-Of-Us": "77"}
    assert [part.split("=")[0] for part in own.split(",")] == ["risk", "redis", "database"]


@pytest.mark.parametrize(("surely_not_done", "status"), [(True, 503), (False, 504)])
def test_surely_not_taken_and_nobody_knows_are_two_answers(surely_not_done: bool, status: int) -> None:
    answer, _ = check(FakeDatabase(DatabaseError("lease expired", surely_not_done)))
    assert (answer.status, answer.body) == (status, {"reason": "lease expired"})


def test_an_order_over_the_limit_or_without_positions_never_reaches_the_database() -> None:
    database = FakeDatabase(("us-east-1", 1, 1, 1))
    assert check(database, ORDER | {"quantity": 10_000}, limit=10)[0].status == 422
    assert check(database, known=False)[0].status == 503
    assert check(database, ORDER | {"instrument": 8})[0].status == 400
    assert database.asked == 0


def test_var_is_answered_from_the_last_known_positions() -> None:
    desk = Desk(cast(Database, FakeDatabase(DatabaseError("away", True))), closed_redis(), 1e6)
    assert desk.assess().status == 503
    desk.positions = Positions("us-east-1:1", 77, np.full(8, 10))
    answer = desk.assess()
    assert answer.status == 200
    assert isinstance(answer.body, dict)
    assert answer.body["var"] > 0
    assert answer.headers["X-As-Of-Us"] == "77"


def answered(work: Any, headers: dict[str, str] | None = None, here: Place = HERE) -> tuple[int, dict[str, str], Any]:
    async def run() -> tuple[int, dict[str, str], Any]:
        found = await handler(here, work)(request(headers=headers))
        return found.status_code, dict(found.headers), json.loads(bytes(found.body))

    return asyncio.run(run())


def test_every_answer_says_who_where_and_how_long() -> None:
    async def work(_: Request, __: Watch) -> Answer:
        return Answer(200, {"x": 1}, {"X-Timeline": "us-east-1:1"})

    status, headers, body = answered(work)
    assert (status, body) == (200, {"x": 1})
    assert (headers["x-region"], headers["x-pod"], headers["x-timeline"]) == ("us-east-1", "risk-0", "us-east-1:1")
    assert headers["x-own"].startswith("risk=")


def test_two_pods_behind_one_address_are_two_counters_not_one_that_jumps_back() -> None:
    async def work(_: Request, __: Watch) -> Answer:
        return Answer(200, {})

    for pod in ("risk-8", "risk-8", "risk-9"):
        answered(work, here=Place("risk", "us-east-1", pod, 1000))
    counted = [
        REGISTRY.get_sample_value("http_requests_total", {"pod": p, "status": "200"}) for p in ("risk-8", "risk-9")
    ]
    assert counted == [2, 1]


def test_a_hop_answers_at_its_deadline_whatever_its_work_does() -> None:
    async def hang(_: Request, __: Watch) -> Answer:
        await asyncio.sleep(60)
        return Answer(200, {})

    async def come_late(_: Request, watch: Watch) -> Answer:
        while watch.left_s() > 0:  # as after a pause: the answer and the deadline at once
            pass
        return Answer(200, {})

    for work in (hang, come_late):
        status, _, body = answered(work, {"X-Deadline-Ms": "10"})
        assert (status, body) == (504, {"reason": "deadline of risk"})


@pytest.mark.parametrize(
    "body", [b"", b"[1]", {"key": 1}, {"key": 1, "seq": True}, {"key": 1, "seq": 2**63}, {"key": 1, "seq": "2"}]
)
def test_a_body_that_is_no_order_is_told_apart(body: Any) -> None:
    assert asyncio.run(integers(request(body), "key", "seq")) is None


def test_of_a_body_only_what_is_asked_for_is_taken() -> None:
    assert asyncio.run(integers(request({"key": 1, "seq": 2, "more": "x"}), "key", "seq")) == {"key": 1, "seq": 2}


@pytest.mark.parametrize(
    ("content", "enabled"), [(b"true", True), (b" True\n", True), (b"false", False), (b"", False), (b"\xff", False)]
)
def test_orders_are_taken_only_while_the_file_says_true(content: bytes, enabled: bool, tmp_path: Path) -> None:
    file = tmp_path / "trading_enabled"
    switch = TradingSwitch(file)
    assert not switch.enabled
    file.write_bytes(content)
    switch.look()
    assert switch.enabled is enabled
    file.unlink()
    switch.look()
    assert not switch.enabled
