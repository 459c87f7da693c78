"""Stretches in which latency and throughput are judged."""

import pytest

from tests.records import Run, us
from validators.stretches import Stretch, stretches


def shape(run: Run) -> list[tuple[str, int, int]]:
    """Judged stretches."""
    return [(s.name, s.from_s, s.to_s) for s in stretches(run.observations()).judged]


def test_before_the_fault_and_once_the_recovery_is_sustained() -> None:
    """Recovered at 386 s, the test page at 390 s at the latest; TTL 60 s, so sustained 120 s later."""
    run = Run()
    assert shape(run) == [("before the fault", 0, 180), ("after recovery", 506, 720)]
    during = stretches(run.observations()).during
    assert during is not None
    assert (during.from_s, during.to_s) == (180, 506)


def test_the_last_whole_minute_where_the_run_ends_sooner() -> None:
    assert shape(Run().ends(560))[1] == ("after recovery", 500, 560)
    assert shape(Run().ends(450))[1] == ("after recovery", 390, 450)


@pytest.mark.parametrize(
    ("run", "why"), [(Run().ends(430), "no whole minute"), (Run().outage("risk", 700, 721), "not recover")]
)
def test_missing(run: Run, why: str) -> None:
    assert [name for name, _, _ in shape(run)] == ["before the fault"]
    assert why in stretches(run.observations()).missing


def test_without_a_fault_it_is_the_whole_run() -> None:
    run = Run().without("injection_begun", "effect_seen", "lifted", "fault_gone")
    run.head["scenario"]["timeline"] = []
    assert shape(run) == [("over the run", 0, 720)]
    assert stretches(run.observations()).during is None


def test_a_planned_fault_that_is_not_on_record_leaves_nothing_to_judge() -> None:
    run = Run().without("injection_begun")
    assert shape(run) == []
    assert stretches(run.observations()).missing == "region-loss:0 was planned and never injected"


@pytest.mark.parametrize("member", ["strategic", "database", "order", "page"])
def test_without_probes_of_a_part_nobody_knows_when_the_system_was_good_again(member: str) -> None:
    run = Run().unprobed(member)
    assert shape(run) == [("before the fault", 0, 180)]
    assert f"no probes of {member}" in stretches(run.observations()).missing


def test_a_gap_of_the_probes_hides_a_recovery_unless_it_lies_in_an_outage() -> None:
    assert shape(Run().unprobed("risk", 370, 390)) == [("before the fault", 0, 180)]
    assert shape(Run().unprobed("risk", 250, 260))[1] == ("after recovery", 506, 720)


def test_only_while_the_load_is_on() -> None:
    run = Run().move("load_started", 30.5).mark(700.5, "load_stopped", "client")
    assert shape(run) == [("before the fault", 31, 180), ("after recovery", 506, 700)]


def test_windows() -> None:
    assert Stretch("", 5, 130).windows(60) == [(5, 65), (65, 125)]
    assert Stretch("", 5, 130, to_end=True).windows(60) == [(10, 70), (70, 130)]
    assert Stretch("", 5, 60).windows(60) == []


def test_a_fault_that_hurt_nobody_is_judged_after_the_sustain_window() -> None:
    run = Run()
    for service in ("strategic", "tactical", "risk", "database", "order"):
        run.well(service)
    assert shape(run)[1] == ("after recovery", 300, 720)
    assert us(300) == us(180) + 120_000_000
