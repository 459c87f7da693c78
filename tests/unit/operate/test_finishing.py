"""A failover that was begun is finished: pods, name and users follow the promoted database."""

from collections.abc import Mapping
from typing import Any

import pytest

from experiments.faults import database
from experiments.operate import finishing, steps, verbs, watching
from experiments.operate.finishing import VERBS, NobodyWritesError, finish
from experiments.operate.moments import moments
from experiments.platforms import kind
from scenarios.errors import Problem

PLAN = {"risk": 2}
EAST, WEST = "us-east-1", "us-west-2"


class World:
    """A testbed of which only is known who may write, where the name leads, and who answers."""

    def __init__(self) -> None:
        self.writer: str | None = EAST
        self.name = EAST
        self.good = True
        self.failing_over = 0  # so many more looks
        self.did: list[tuple[str, str]] = []
        self.refuses = ""

    def perform(self, verb: str, target: Mapping[str, str], _: Mapping[str, Any]) -> str:
        self.did.append((verb, target["region"]))
        if verb == self.refuses:
            raise verbs.StepError(Problem(verb, "no", "yes", "Look."))
        if verb == "switch_dns":
            self.name = target["region"]
        return "done"

    def looks(self) -> bool:
        self.failing_over -= 1
        if self.failing_over == 0:  # the automation has ended its procedure
            self.writer = self.name = WEST
        return self.failing_over > 0


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(finishing, "PROMOTED_WITHIN_S", 0.0)
    monkeypatch.setattr(verbs, "perform", world.perform)
    monkeypatch.setattr(kind, "writer", lambda: world.writer)
    monkeypatch.setattr(kind, "failing_over", world.looks)
    monkeypatch.setattr(kind, "leads_to", lambda: world.name)
    monkeypatch.setattr(database, "writes", lambda region: region == world.writer)
    monkeypatch.setattr(finishing, "serves", lambda _: world.good)
    monkeypatch.setattr(moments, "told", type(moments.told)())
    steps._failed.clear()
    steps._begun.clear()
    return world


@pytest.mark.proves("An abort after a promotion finishes the failover: traffic ends on the promoted region")
def test_what_people_had_still_to_do_is_done(world: World, facts: list[tuple[str, str]]) -> None:
    world.writer = WEST
    finish(EAST, WEST, PLAN, VERBS)
    assert world.did == [(verb, WEST) for verb in ("promote", "deploy", "wait_ready", "switch_dns", "verify")]
    assert world.name == WEST
    kinds = [kind for kind, _ in facts]
    assert kinds == ["procedure_started", *["step_started", "step_finished"] * 5, "procedure_finished"]


def test_a_promotion_that_the_observers_have_not_told_yet(world: World) -> None:
    world.writer = WEST
    finish(EAST, "", PLAN, VERBS)
    assert world.name == WEST


def test_nothing_is_done_where_nothing_is_missing(world: World) -> None:
    finish(EAST, "", PLAN, VERBS)
    world.writer = world.name = WEST
    finish(EAST, WEST, PLAN, VERBS)
    assert world.did == []


def test_pods_that_do_not_answer_are_missing(world: World) -> None:
    world.writer = world.name = WEST
    world.good = False
    finish(EAST, WEST, PLAN, VERBS)
    assert ("deploy", WEST) in world.did


def test_a_run_that_was_stopped_in_a_failback_ends_at_home(world: World) -> None:
    """Home was promoted again, and the name leads to the other region still."""
    world.name = WEST
    finish(EAST, EAST, PLAN, VERBS)
    assert world.name == EAST


def test_the_automation_ends_its_own_procedure(world: World) -> None:
    world.failing_over, world.writer = 2, None
    finish(EAST, "", PLAN, VERBS)
    assert (world.did, world.failing_over) == ([], 0)


def test_fenced_and_nobody_promoted_is_said(world: World) -> None:
    world.writer = None
    with pytest.raises(NobodyWritesError, match="gameday undo"):
        finish(EAST, "", PLAN, VERBS)
    assert world.did == []


def test_a_step_that_is_refused_ends_it(world: World, facts: list[tuple[str, str]]) -> None:
    world.writer, world.refuses = WEST, "deploy"
    with pytest.raises(steps.NotDoneError):
        finish(EAST, WEST, PLAN, VERBS)
    assert [verb for verb, _ in world.did] == ["promote", "deploy"]
    assert facts[-1][0] == "procedure_finished"


def test_a_parent_that_is_gone_ends_it(world: World) -> None:
    world.writer = WEST
    moments.told.set()
    with pytest.raises(steps.NotDoneError, match="the end of the run"):
        finish(EAST, WEST, PLAN, VERBS)
    assert world.did == []
    assert watching.home() == EAST
