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
