"""Samples of the copies while their source is lost, replaced, and back."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from experiments.observe import samples
from experiments.observe.http import Response
from experiments.observe.samples import Samples

HOME, OTHER = "us-east-1", "us-west-2"


def sampled(monkeypatch: pytest.MonkeyPatch, *seconds: tuple[bool, str | None]) -> list[bool]:
    """For each second, whether the source answers and who is the primary: whether its last write was sampled."""
    now: dict[str, Any] = {}
    rows: list[str] = []

    async def get(*_: Any) -> Response:
        if not now["answers"]:
            return Response("timeout")
        return Response("2xx", 200, body=json.dumps({"logs": {"source_last_us": 5, "recovery_point_us": 5}}).encode())

    monkeypatch.setattr(samples, "get", get)
    self: Any = SimpleNamespace(
        _where=SimpleNamespace(places={HOME: "", OTHER: ""}, ports={"copies": 1}),
        _home=HOME,
        _classes=("logs",),
        _source_lost=False,
        _databases=SimpleNamespace(primary=lambda: now["primary"]),
        _clock=SimpleNamespace(of_epoch=int),
        _row=lambda subject, name, value: rows.append(f"{subject} {name}"),
    )
    found = []
    for answers, primary in seconds:
        now.update(answers=answers, primary=primary)
        rows.clear()
        asyncio.run(Samples._copies(self, HOME))
        found.append("source/logs last_write_us" in rows)
        if answers:
            asyncio.run(Samples._copies(self, OTHER))
            assert f"{OTHER}/logs recovery_point_us" in rows, "the copy is sampled all the time"
    return found


def test_a_source_that_was_replaced_while_it_was_lost_counts_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    back = [(True, HOME), (False, HOME), (False, OTHER), (True, OTHER), (True, OTHER), (True, HOME)]
    assert sampled(monkeypatch, *back) == [True, False, False, False, False, True]


def test_one_that_was_not_replaced_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sampled(monkeypatch, (True, HOME), (False, None), (True, None)) == [True, False, True]
    assert sampled(monkeypatch, (True, HOME), (True, OTHER)) == [True, True], (
        "it was never lost: it goes on, as in the twin"
    )


def test_what_is_held_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under load there is never a second without orders at risk: the query must not go through all of the run's."""
    orders = {key: key * 10 for key in range(1, 10_001)}  # key: position
    looked: list[int] = []
    held = [0]

    class Session:
        async def rows(self, query: str, values: Any = None) -> list[tuple[Any, ...]]:
            if values is None:
                return [(held[0],)]
            mine = {k: p for k, p in orders.items() if k > values["after"]}
            looked.append(len(mine))
            behind = [k for k, p in mine.items() if p >= values["held"]]
            return [(len(behind), min(behind, default=None), min(behind, default=None), max(mine), 0)]

    rows: list[tuple[str, float]] = []
    self: Any = SimpleNamespace(
        _where=SimpleNamespace(places={HOME: "", OTHER: ""}),
        _databases=SimpleNamespace(primary=lambda: HOME, state=lambda r: SimpleNamespace(in_recovery=r == OTHER)),
        _sessions={HOME: Session(), OTHER: Session()},
        _replicated_to=0,
        _row=lambda _, name, value: rows.append((name, value)),
    )
    for position in (50_000, 90_000):
        held[0] = position
        asyncio.run(Samples._at_risk(self))
    assert looked == [10_000, 10_000 - (4_999 - samples.OVERLAP)]
    assert [value for name, value in rows if name == "at_risk_orders"] == [5_001, 1_001]
