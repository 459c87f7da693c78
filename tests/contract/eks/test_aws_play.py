"""Between the plan and the first fault on EKS: names are typed, a canary order is rejected, or nothing is touched."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from experiments.compile.compiler import compile_scenario
from experiments.faults import base
from experiments.platforms.eks.sites import site_of
from experiments.platforms.eks.targets import Outside, Target
from experiments.platforms.site import at, site
from experiments.safety import identity
from gameday import aws_play
from gameday.aws_day import AwsDay
from gameday.settings import Settings
from scenarios.errors import AbortedError, Problem, UsageError
from scenarios.files.load import load
from scenarios.files.resolved import Resolved
from tests.cluster.rehearsal import SINK, sink
from tests.contract.eks.test_sites import PORTS

EAST, WEST = "us-east-1/grandmodel-production", "us-west-2/grandmodel-production"


@pytest.fixture
def orders() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A sink: its URL, and what it was sent."""
    sent: list[dict[str, Any]] = []
    with sink(sent) as url:
        yield url, sent


@pytest.fixture
def targets(target: Target) -> dict[str, Target]:
    east = target.model_copy(
        update={"context": "east", "edge": "east.example.com", "database_at": "primary.example.com:5432"}
    )
    return {"us-east-1": east, "us-west-2": east.model_copy(update={"region": "us-west-2"})}


@pytest.fixture
def resolved() -> Resolved:
    return load("pod-kill-strategic", world="kind")


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What would be played: each has been confirmed. Clusters are not reached here (tests/cluster does that)."""
    found: list[str] = []

    def play_on(stage: Any, resolved: Resolved, runs: Path, *, confirm: Any, ask: Any, observe: int | None) -> None:
        assert site().world == stage.world == "eks"
        confirm("one pod of strategic dies")
        found.append(resolved.scenario.scenario)

    @contextmanager
    def given(targets: dict[str, Target], folder: Path) -> Iterator[dict[str, str]]:
        yield {}

    monkeypatch.setattr(aws_play, "play_on", play_on)
    monkeypatch.setattr(aws_play.contexts, "given", given)
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path))
    return found


def _play(resolved: Resolved, targets: dict[str, Target], outside: Outside, *typed: str, problems: Any = ()) -> None:
    day = AwsDay("a title", targets, (), (), (), (), tuple(problems))
    answers = iter(typed)
    aws_play.play_on_eks(
        day, resolved, Settings(outside=outside), question=lambda _: next(answers), ask=None, observe=None
    )


@pytest.mark.proves("EKS: a game day begins when every target's name was typed and a canary order was just rejected")
def test_it_is_played_when_both_names_are_typed(
    resolved: Resolved, targets: dict[str, Target], orders: tuple[str, list[dict[str, Any]]], played: list[str]
) -> None:
    url, sent = orders
    _play(resolved, targets, Outside(dns="10.0.0.2:53", ports=PORTS, sink=SINK, canary=url), EAST, WEST)
    assert played == ["pod-kill-strategic"]
    [canary] = sent
    assert canary["canary"] is True
    assert canary["seq"] == -1  # no order of the ledger


@pytest.mark.parametrize(
    ("typed", "sink_name", "error", "found"),
    [
        (("y", ""), SINK, AbortedError, "`y`"),
        ((EAST, EAST), SINK, AbortedError, EAST),
        ((EAST, WEST), "another-exchange", UsageError, "rejected by paper-exchange"),
    ],
    ids=["yes is no name", "one name for both", "rejected by somebody else"],
)
def test_it_is_not_played_otherwise(
    typed: tuple[str, ...], sink_name: str, error: type[Exception], found: str, resolved: Resolved,
    targets: dict[str, Target], orders: tuple[str, list[dict[str, Any]]], played: list[str],
) -> None:  # fmt: skip
    outside = Outside(dns="10.0.0.2:53", ports=PORTS, sink=sink_name, canary=orders[0])
    with pytest.raises(error, match=found):
        _play(resolved, targets, outside, *typed)
    assert played == []


def test_a_silent_path_of_orders_is_no_rejection(
    resolved: Resolved, targets: dict[str, Target], played: list[str]
) -> None:
    silent = Outside(dns="10.0.0.2:53", ports=PORTS, sink=SINK, canary="http://127.0.0.1:9/orders")
    with pytest.raises(UsageError, match="status 0"):
        _play(resolved, targets, silent, EAST, WEST)
    assert played == []


def test_a_condition_that_does_not_hold(resolved: Resolved, targets: dict[str, Target], played: list[str]) -> None:
    problem = Problem("window", "none", "one", "Declare it.")
    with pytest.raises(UsageError, match="Declare it"):
        _play(resolved, targets, Outside(dns="10.0.0.2:53", ports=PORTS), EAST, WEST, problems=[problem])
    assert played == []


@pytest.mark.proves("EKS: a fault without a form there is refused before anything is touched")
def test_faults_without_a_form(targets: dict[str, Target], monkeypatch: pytest.MonkeyPatch) -> None:
    def touched(*_: object, **__: object) -> None:
        raise AssertionError("something was touched")

    monkeypatch.setattr(base, "planned", touched)
    monkeypatch.setattr(identity, "reached", touched)
    region_lost = load("region-loss-automatic", world="kind")
    with at(site_of(targets, Outside(dns="10.0.0.2:53", ports=PORTS))):
        with pytest.raises(UsageError, match=r"region-loss.*a fault for a cluster of eks: .*pod-kill"):
            compile_scenario(region_lost)
        experiment = compile_scenario(load("pod-kill-strategic", world="kind"))
    functions = [activity["provider"]["func"] for activity in (*experiment["method"], *experiment["rollbacks"])]
    assert "prepare" not in functions, "production is not scaled for a game day"
    assert "put_back" not in functions
