"""A change that is cut off half-way is taken back; one that came to its end stays."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from experiments.faults import base, cluster
from experiments.faults.verbs import Lift
from experiments.operate import changing, steps, verbs
from experiments.operate.moments import moments
from experiments.run.remains import lift_remains
from experiments.testbed.system.lifting import Result
from scenarios.errors import LeftBehindError, Problem

EAST, PATH = "us-east-1", cluster.deployment_path("strategic")
TEMPLATE = {
    "metadata": {"labels": {"component": "strategic"}},
    "spec": {"containers": [{"name": "strategic", "image": "gameday/system:1", "args": ["strategic"]}]},
}
BEFORE = {
    "metadata": {"annotations": {"gameday/release": None}},
    "spec": {"containers": [{"name": "strategic", "image": "gameday/system:1", "command": None}]},
}
ROLLED_OUT = {"image": "strategic:next"}


class Arms:
    """Keeps what is armed, and what was lifted."""

    def __init__(self, *, ok: bool = True) -> None:
        self.armed: dict[str, Sequence[Lift]] = {}
        self.lifted: list[Lift] = []
        self.trading: list[tuple[str, bool]] = []
        self.ok = ok

    def arm(self, fault: str, lifts: Sequence[Lift]) -> None:
        self.armed[fault] = lifts

    def lift(self, fault: str, _: str) -> list[Result]:
        self.lifted += self.armed[fault]
        if self.ok:
            self.armed.pop(fault)
        return [Result("kube-patch", EAST, self.ok, "patched" if self.ok else "no answer", 0.0)]

    def release(self, fault: str) -> None:
        self.armed.pop(fault)

    def note_trading(self, region: str, *, enabled: bool) -> None:
        self.trading.append((region, enabled))


@pytest.fixture
def arms(monkeypatch: pytest.MonkeyPatch) -> Arms:
    """A region whose API answers, and people whose steps do nothing."""
    found = {PATH: {"spec": {"template": TEMPLATE}}, changing.CONFIG: {"data": {"trading_enabled": "true"}}}
    monkeypatch.setattr(cluster, "get", lambda _, path: found[path])
    monkeypatch.setattr(verbs, "perform", lambda *_: "done")
    arms = Arms()
    base.protect(arms)
    return arms


def roll_out(**target: str) -> None:
    """Begin a change, and do its first step."""
    steps.begin("roll-out", change=True)
    target = {"region": EAST, "service": "strategic"} | target
    steps.step("roll-out", "one", "set_image", target=target, options=ROLLED_OUT)


@pytest.mark.proves("a change that is aborted half-way is taken back as a fault is lifted")
def test_one_that_is_cut_off_is_taken_back(arms: Arms) -> None:
    roll_out()
    assert list(arms.armed) == ["change:0"], "before it is done"
    moments.told.set()
    with pytest.raises(steps.NotDoneError):
        steps.step("roll-out", "two", "wait_ready")
    steps.end("roll-out", change=True)
    changing.take_back()
    [lift] = arms.lifted
    assert (lift.verb, lift.target, lift.arguments["path"]) == ("kube-patch", EAST, PATH)
    assert lift.arguments["patch"] == {"spec": {"template": BEFORE}}
    assert (arms.armed, base.all_kept()) == ({}, [])
    changing.take_back()
    assert len(arms.lifted) == 1


@pytest.mark.proves("a change that came to its end stays")
def test_one_that_came_to_its_end_stays(arms: Arms) -> None:
    roll_out()
    assert steps.end("roll-out", change=True)
    assert (arms.armed, base.all_kept()) == ({}, [])
    changing.take_back()
    assert arms.lifted == []


def test_its_steps_are_taken_back_the_last_one_first(arms: Arms) -> None:
    roll_out()
    steps.step("roll-out", "two", "disable_trading", target={"region": EAST})
    assert arms.trading == [(EAST, False)]
    changing.take_back()
    first, second = arms.lifted
    assert first.arguments["patch"] == {"data": {"trading_enabled": "true"}}
    assert second.arguments["path"] == PATH


def test_an_answer_to_a_page_is_no_change(arms: Arms) -> None:
    steps.begin("emergency-shutdown")
    steps.step("emergency-shutdown", "stop", "disable_trading", target={"region": EAST})
    assert arms.armed == {}
    assert arms.trading == [(EAST, False)], "the ledger says who did it"


@pytest.mark.proves("a change that cannot be taken back is left behind, and said")
def test_one_that_cannot_be_taken_back(arms: Arms) -> None:
    roll_out()
    steps.step("roll-out", "two", "disable_trading", target={"region": EAST})
    arms.ok = False
    with pytest.raises(LeftBehindError) as caught:
        changing.take_back()
    assert [problem.where for problem in caught.value.problems] == ["change:1", "change:0"]
    assert len(base.all_kept()) == 2
    arms.ok = True
    changing.take_back()
    assert base.all_kept() == []


def test_the_parent_takes_it_back_when_the_executor_has_died(arms: Arms) -> None:
    roll_out()
    assert lift_remains(arms, lambda *_, **__: None) == []
    assert len(arms.lifted) == 1
    assert base.all_kept() == []


def test_a_step_of_a_change_that_cannot_be_kept_is_not_done(arms: Arms, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise LeftBehindError(Problem("ledger", "no room", "room", "Make room."))

    monkeypatch.setattr(arms, "arm", refuse)
    monkeypatch.setattr(verbs, "perform", lambda *_: pytest.fail("it was done"))
    with pytest.raises(steps.NotDoneError, match="no room"):
        roll_out()


def test_what_a_person_does_by_hand_is_kept_before(arms: Arms, tmp_path: Path) -> None:
    asked: list[bool] = []

    def ask(_: object) -> bool:
        asked.append("change:0" in arms.armed)
        return True

    steps.ask_with(ask)
    roll_out()
    assert asked == [True]
