"""Samples of the copies while their source is lost, replaced, and back."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from experiments.observe import samples
from experiments.observe.behind import OVERLAP, Behind
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


class Databases:
    """A primary with orders, and a standby that has them up to a position."""

    def __init__(self) -> None:
        self.orders = {key: key * 10 for key in range(1, 10_001)}  # key: position
        self.held: int | None = 0  # None: the standby does not answer
        self.answers = True  # the primary
        self.looked: list[int] = []  # orders that a query went through
        self.rows: list[tuple[str, float]] = []

    def primary(self) -> str | None:
        return HOME if self.answers else None

    def state(self, region: str) -> Any:
        return None if region == OTHER and self.held is None else SimpleNamespace(in_recovery=region == OTHER)

    def session(self, region: str) -> Any:
        async def rows(_: str, values: Any = None) -> list[tuple[Any, ...]]:
            if values is None:
                return [(self.held,)]
            mine = {k: p for k, p in self.orders.items() if values["after"] < k < values["before"]}
            self.looked.append(len(mine))
            behind = [k for k, p in mine.items() if p >= values["held"]]
            first = min(behind, default=None)  # an order is written a second after the one before
            written_us = None if first is None else first * 1_000_000
            return [(len(behind), written_us, first, max(mine, default=None), max(self.orders) * 1_000_000)]

        return SimpleNamespace(rows=rows)

    def write(self, orders: int) -> None:
        last = max(self.orders)
        self.orders |= {key: key * 10 for key in range(last + 1, last + orders + 1)}

    def sampling(self) -> Any:
        """What samples them once."""
        made: Any = Samples.__new__(Samples)
        made._where = SimpleNamespace(places={HOME: "", OTHER: ""})
        made._databases, made._sessions = self, {region: self.session(region) for region in (HOME, OTHER)}
        made._first_key, made._behind = 1, Behind(-1, 0)
        made._row = lambda _, name, value: self.rows.append((name, value))

        def sample() -> list[float]:
            self.rows.clear()
            asyncio.run(made._at_risk())
            return [value for _, value in self.rows]

        return sample


def test_what_is_held_is_not_looked_at_again() -> None:
    """Under load there is never a second without orders at risk: the query must not go through all of the run's."""
    databases = Databases()
    sample = databases.sampling()
    found = []
    for position in (50_000, 90_000):
        databases.held = position
        found.append(sample()[0])
    assert databases.looked == [10_000, 10_000 - (4_999 - OVERLAP)]
    assert found == [5_001, 1_001]


@pytest.mark.proves("while no standby answers, all since where it was last seen is at risk, and grows")
def test_all_is_at_risk_while_no_standby_answers() -> None:
    databases = Databases()
    sample = databases.sampling()
    databases.held = None
    assert sample() == [], "where a standby stands was never seen"
    databases.held = 99_000
    assert sample() == [101, 100]
    databases.held = None
    found = []
    for _ in range(3):
        databases.write(100)
        found.append(sample())
    assert found == [[201, 200], [301, 300], [401, 400]]
    databases.answers = False
    assert sample() == [], "nobody knows"
    databases.answers, databases.held = True, max(databases.orders) * 10
    assert sample() == [1, 0]


def test_counting_stays_bounded_while_a_standby_is_away_for_long() -> None:
    databases = Databases()
    sample = databases.sampling()
    databases.held = 100_010
    assert sample() == [0, 0]
    databases.held = None
    for second in range(1, 101):
        databases.write(1_000)
        databases.looked.clear()
        assert sample()[0] == second * 1_000
        assert max(databases.looked) <= 2 * samples.COUNTED_AT_ONCE
    databases.held = 50_010  # another standby, which has less
    assert sample()[0] == 105_000
