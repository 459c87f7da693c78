"""Abort conditions, and the blast radius in words."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.safety import abort
from experiments.safety.abort import AbortConditions, inside_radius
from experiments.safety.radius import Injection, describe, irreversible_steps
from scenarios.files.load import load
from scenarios.files.resolved import Resolved

S = 1_000_000


@pytest.fixture(scope="module")
def risk_only() -> Resolved:
    """A fault of the risk service's: strategic and tactical wait for it, the database is outside."""
    return load("risk-node-loss-2-replicas")


@pytest.fixture(scope="module")
def region() -> Resolved:
    return load("region-loss-automatic")


@pytest.fixture
def reasons() -> list[str]:
    return []


def probes(service: str, right: str, *seconds: float, route: str = "dns") -> dict[str, Any]:
    columns = {
        "service": [service] * len(seconds),
        "route": [route] * len(seconds),
        "intended_us": [round(s * S) for s in seconds],
        "right": [right] * len(seconds),
    }
    return {"table": "probes", "columns": columns}


def every(service: str, from_s: float, to_s: float, right: str = "no") -> dict[str, Any]:
    """Probes at 20 a second."""
    return probes(service, right, *np.arange(from_s, to_s, 0.05))


def injected(position: int) -> dict[str, Any]:
    return {"mark": {"kind": "injection_begun", "subject": f"fault:{position}", "t_us": 0}}


def writable(t_s: float, east: float, west: float) -> dict[str, Any]:
    columns = {
        "t_us": [round(t_s * S), round(t_s * S) + 2],
        "subject": ["us-east-1/database", "us-west-2/database"],
        "name": ["writable"] * 2,
        "value": [east, west],
    }
    return {"table": "samples", "columns": columns}


def told(conditions: AbortConditions, reasons: list[str], *messages: dict[str, Any]) -> list[str]:
    for message in messages:
        conditions(message, reasons.append)
    return reasons


def test_who_waits_for_what_is_hit_is_inside(risk_only: Resolved, region: Resolved) -> None:
    assert inside_radius(risk_only) == {"strategic", "tactical", "risk"}
    assert inside_radius(risk_only, frozenset()) == frozenset()
    assert inside_radius(region) == {"strategic", "tactical", "risk", "database"}


@pytest.mark.proves("a run stops itself when a service outside the blast radius is bad for a minute")
def test_bad_outside_the_radius(risk_only: Resolved, tmp_path: Path, reasons: list[str]) -> None:
    conditions = AbortConditions(risk_only, tmp_path)
    told(conditions, reasons, injected(0), probes("database", "yes", 10), every("database", 30, 89.9))
    assert reasons == []
    assert told(conditions, reasons, every("database", 89.9, 90.2, "none")) == [
        "database has been bad for 60 s, outside the blast radius"
    ]


def test_bad_inside_the_radius_goes_on(risk_only: Resolved, tmp_path: Path, reasons: list[str]) -> None:
    conditions = AbortConditions(risk_only, tmp_path)
    assert told(conditions, reasons, injected(0), every("strategic", 10, 100), every("risk", 10, 100)) == []


def test_bad_before_anything_was_injected(risk_only: Resolved, tmp_path: Path, reasons: list[str]) -> None:
    conditions = AbortConditions(risk_only, tmp_path)
    told(conditions, reasons, every("risk", 0, 61))
    assert reasons == ["risk has been bad for 60 s, before anything was injected"]


@pytest.mark.proves("a single right answer among wrong ones does not keep a run from being stopped")
def test_one_right_answer_does_not_make_it_good(risk_only: Resolved, tmp_path: Path, reasons: list[str]) -> None:
    conditions = AbortConditions(risk_only, tmp_path)
    told(conditions, reasons, injected(0), every("database", 10, 40), probes("database", "yes", 40.02))
    told(conditions, reasons, every("database", 40.05, 80))
    assert ["database has been bad for" in reason for reason in reasons] == [True]


@pytest.mark.proves("a run stops itself before anything is broken when a service was bad just before the first fault")
def test_bad_in_the_window_before_the_first_fault(risk_only: Resolved, tmp_path: Path, reasons: list[str]) -> None:
    first_s = min(e.at_us for e in risk_only.scenario.timeline if e.at_us) / S
    conditions = AbortConditions(risk_only, tmp_path)
    told(conditions, reasons, every("risk", first_s - 20, first_s - 6), probes("risk", "no", first_s - 1))
    assert reasons == [], "bad before, and a single wrong answer after"
    told(conditions, reasons, every("risk", first_s - 2, first_s - 1.5))
    assert reasons == ["risk was bad just before the first fault: nothing was injected"]


@pytest.mark.parametrize("at_us", [0, 1])
def test_bad_before_a_fault_at_the_very_start(
    risk_only: Resolved, tmp_path: Path, reasons: list[str], at_us: int
) -> None:
    timeline = tuple(
        entry if entry.fault in (None, "none") else entry.model_copy(update={"at_us": at_us})
        for entry in risk_only.scenario.timeline
    )
    early = replace(risk_only, scenario=risk_only.scenario.model_copy(update={"timeline": timeline}))
    told(AbortConditions(early, tmp_path), reasons, every("risk", 0, 0.5))
    assert reasons == ["risk was bad just before the first fault: nothing was injected"]


def test_being_good_in_between_counts_and_other_routes_do_not(
    risk_only: Resolved, tmp_path: Path, reasons: list[str]
) -> None:
    conditions = AbortConditions(risk_only, tmp_path)
    told(conditions, reasons, injected(0), every("database", 0, 50), every("database", 56, 100))
    told(conditions, reasons, probes("database", "no", 0, 500, route="direct"), probes("page", "no", 0, 500))
    assert reasons == []


@pytest.mark.proves("a run stops itself when two databases take writes at the same time")
def test_two_writers(region: Resolved, tmp_path: Path, reasons: list[str]) -> None:
    conditions = AbortConditions(region, tmp_path)
    told(conditions, reasons, writable(1, 1, 0), writable(2, 1, 1), writable(3, 0, 1), writable(4, 1, 1))
    assert reasons == []
    told(conditions, reasons, writable(5, 1, 1))
    assert reasons == ["us-west-2/database and us-east-1/database take writes at the same time"]


def test_one_writer_after_the_other(region: Resolved, tmp_path: Path, reasons: list[str]) -> None:
    conditions = AbortConditions(region, tmp_path)
    east, west = writable(1, 1, 0), writable(2, 0, 1)
    for message, keep in ((east, 0), (west, 1)):
        message["columns"] = {name: [values[keep]] for name, values in message["columns"].items()}
    assert told(conditions, reasons, east, west, east, west) == []


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"least_disk_bytes": 1 << 60}, "the disk of the record"),
        ({"least_memory_bytes": 1 << 60}, "of memory left"),
        ({"most_resident_bytes": 1}, "this process holds"),
        ({"others": (lambda: "", lambda: "the reverter is lost")}, "the reverter is lost"),
    ],
)
def test_this_machine(region: Resolved, tmp_path: Path, reasons: list[str], limits: dict[str, Any], words: str) -> None:
    assert told(AbortConditions(region, tmp_path), reasons, injected(0)) == []
    told(AbortConditions(region, tmp_path, **limits), reasons, injected(0))
    assert len(reasons) == 1
    assert words in reasons[0]


def test_a_kernel_that_says_nothing_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abort, "Path", lambda _: Path("/nowhere"))
    assert abort.available_memory_bytes() is None
    assert abort.own_memory_bytes() is None


def test_the_radius_in_words(risk_only: Resolved) -> None:
    injection = Injection("node-loss:0", "at 5 min", "gameday-worker is paused.", "is lifted at the end")
    words = describe(risk_only, {"us-east-1": "cluster uid-1"}, [injection], [])
    assert "us-east-1: cluster uid-1" in words
    assert "at 5 min: node-loss:0: gameday-worker is paused. It is lifted at the end." in words
    assert "users will feel it at: risk, strategic, tactical" in words
    assert "aborted when one of these is bad for a minute: database" in words
    assert "cannot be lifted" not in words


def test_what_nothing_lifts_is_named(region: Resolved) -> None:
    steps = irreversible_steps(region)
    assert any(step.startswith("promotion") for step in steps)
    assert any(step.startswith("change of DNS") for step in steps)
    assert ", ".join(steps) in describe(region, {}, [], steps)
