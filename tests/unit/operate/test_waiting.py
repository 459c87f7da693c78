"""Waiting: for an instant, a fact, a fault that lands and goes; and being told to come to an end."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from experiments.faults import base
from experiments.operate import entries, watching
from experiments.operate import moments as module
from experiments.operate.moments import moments
from scenarios.errors import UsageError
from tests.unit.faults import fake

NAME = "pod-hang:0"
Facts = list[tuple[str, str]]


@pytest.fixture(autouse=True)
def files_are_faults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(base, "module_of", lambda _: fake)
    base.protect(fake.Arms(tmp_path))


def test_every_wait_ends_when_the_run_is_ended() -> None:
    threading.Timer(0.05, moments.told.set).start()
    assert not module.wait_until(600.0)
    assert not moments.poll(lambda: False, 600.0)
    assert not moments.rest(600.0)


def test_an_instant_that_is_past_is_not_waited_for() -> None:
    assert module.wait_until(-1.0)


def test_a_parent_says_when_it_began() -> None:
    moments.parent = True
    moments.origin_ns = time.monotonic_ns() - 5_000_000_000
    assert module.start() >= 5.0


def test_alone_it_begins_now() -> None:
    moments.origin_ns = 0
    assert module.start() < 1.0


def test_what_a_signal_raises_ends_the_waits_of_all_threads() -> None:
    def look() -> bool:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        moments.poll(look, 1.0)
    assert moments.told.is_set()


def test_a_fault_lands_and_goes(tmp_path: Path, facts: Facts) -> None:
    assert not watching.until_landed(NAME, "pod-hang", within_s=0.0)
    fake.inject(NAME, str(tmp_path))
    assert watching.until_landed(NAME, "pod-hang")
    assert watching.lift_at(NAME, "pod-hang", at_s=0.0)
    kinds = [kind for kind, _ in facts]
    assert kinds == ["injection_begun", "effect_seen", "lift_begun", "lifted", "fault_gone"]
    assert base.kept(NAME) is None


def test_it_is_seen_to_go_though_the_run_was_ended(tmp_path: Path) -> None:
    fake.inject(NAME, str(tmp_path))
    moments.told.set()
    fake.lift(NAME)
    assert watching.until_gone(NAME, "pod-hang")


def test_what_could_not_be_lifted_is_not_waited_for(tmp_path: Path) -> None:
    fake.inject(NAME, str(tmp_path))
    assert not watching.until_gone(NAME, "pod-hang", within_s=600.0)


def test_an_entry_waits_for_a_fact_that_the_parent_tells(tmp_path: Path, facts: Facts) -> None:
    moments.parent = True
    threading.Timer(0.05, lambda: moments.facts.add(("promoted", "us-west-2"))).start()
    when = {"mark": "promoted", "subject": "us-west-2"}
    folder: dict[str, Any] = {"folder": str(tmp_path)}
    assert entries.play(NAME, "pod-hang", folder, when=when, lasts_s=0.0, at_most_s=30.0)
    assert facts[-1] == ("fault_gone", NAME)


def test_an_entry_that_is_not_seen_to_land_is_lifted_in_time(
    tmp_path: Path, facts: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    def poll(look: object, within_s: float, **_: object) -> bool:
        waited.append(within_s)
        return False

    monkeypatch.setattr(moments, "poll", poll)
    assert not entries.play(NAME, "pod-hang", {"folder": str(tmp_path)}, at_s=0.0, lasts_s=0.5)
    assert waited == [0.5]
    assert ("lifted", NAME) in facts


def test_an_entry_whose_fact_does_not_come_is_not_played(tmp_path: Path, facts: Facts) -> None:
    moments.parent = True
    moments.facts.add(("promoted", "us-east-1"))
    when = {"mark": "promoted", "subject": "us-west-2"}
    assert not entries.play(NAME, "pod-hang", {"folder": str(tmp_path)}, when=when, at_most_s=0.0)
    assert facts == []


def test_it_holds_until_everything_was_good_for_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [True, False, True, True, True]
    looks: list[bool] = []

    def serves(_: str) -> bool:
        looks.append(answers[min(len(looks), len(answers) - 1)])
        return looks[-1]

    times = iter(range(100))
    monkeypatch.setattr(watching, "serves", serves)
    monkeypatch.setattr(moments, "now_s", lambda: float(next(times)))
    monkeypatch.setattr(moments, "poll", lambda look, *_, **__: any(look() for _ in range(50)))
    assert watching.until_good(["risk"], at_most_s=600.0, sustain_s=2.0)
    assert looks == [True, False, True, True, True]


def test_under_a_parent_it_holds_until_the_parent_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "serves", lambda _: True)
    moments.parent = True
    assert not watching.until_good(["risk"], at_most_s=0.0, sustain_s=0.0)
    moments.settled.set()
    assert watching.until_good(["risk"], at_most_s=600.0)


def test_alone_it_cannot_wait_for_what_it_does_not_see() -> None:
    with pytest.raises(UsageError, match="breaker_changed"):
        watching.until_fact("breaker_changed", "", within_s=600.0)
