"""The automation polls from outside, acts once, and dies with its region."""

import pytest

from tests.unit.sim.stage import HOME, OTHER, Scripted, Stage, healthy, library


def automatic(**overrides: object) -> tuple[Stage, Scripted]:
    stage = Stage(library("region-loss-automatic", **overrides))
    return stage, Scripted(stage, healthy)


def test_it_acts_when_its_polls_fail() -> None:
    stage, observed = automatic()
    stage.until(5.5)
    assert not stage.minutes("automation_detected")
    observed.turn()
    stage.until(60)
    assert stage.minute("automation_detected") == pytest.approx(5.5, abs=1e-6)
    assert 0 < stage.minute("decided", "automation") - 5.5 < 0.1  # a cold start
    assert stage.minutes("procedure_finished", "automatic-failover", ok=True)


@pytest.mark.proves("The automation finds the loss of a region by its own polls, never sooner")
def test_it_finds_the_loss_by_its_own_polls() -> None:
    """Three polls, 10 s apart, that run into their timeout."""
    stage = Stage(library("region-loss-automatic"), state=True)
    detected = stage.until_fact("automation_detected") - 5
    assert 20 / 60 <= detected <= 31 / 60
    slow = Stage(library("region-loss-automatic", automation__poll="30 s", automation__failures=2), state=True)
    assert 30 / 60 <= slow.until_fact("automation_detected") - 5 <= 61 / 60


def test_a_broken_one_never_acts() -> None:
    stage, observed = automatic(automation__working="off")
    stage.until(5.5)
    observed.turn()
    assert not stage.until(30).minutes("automation_detected")


def test_one_in_the_failed_region_never_acts() -> None:
    stage, observed = automatic(automation__region=HOME)
    stage.until(5.2)  # the region is lost at 5
    observed.turn()
    assert not stage.until(60).minutes("procedure_started")


def test_one_that_dies_in_the_middle_leaves_the_rest_undone() -> None:
    stage, observed = automatic(postgres__promote="10 min")
    stage.until(5.5)
    observed.turn()
    stage.until(8)
    stage.context.automation.lose(OTHER)
    stage.until(60)
    assert stage.minutes("procedure_finished", ok=False) == [8]
    assert stage.minutes("promoted")  # what the database had begun goes on
    assert not stage.minutes("dns_switched")
    stage.context.automation.regain(OTHER)
    assert not stage.until(70).minutes("procedure_started", "automatic-failover")[1:]  # it acts once


def test_one_that_comes_back_polls_anew_before_it_acts() -> None:
    stage, observed = automatic(automation__region=HOME)
    stage.until(5.2)
    observed.turn()
    stage.until(10)
    stage.context.automation.regain(HOME)
    assert stage.until(12).minute("automation_detected") == pytest.approx(10.5, abs=0.001)


def test_it_does_not_act_when_polls_succeed_again_in_time() -> None:
    stage, observed = automatic(automation__region=HOME)
    stage.until(5.2)
    observed.turn()
    stage.until(10)
    stage.context.automation.regain(HOME)
    stage.until(10.2)
    observed.turn()
    assert not stage.until(30).minutes("automation_detected")
