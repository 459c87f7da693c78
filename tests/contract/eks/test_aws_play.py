"""Between the plan and the first fault on EKS: names are typed, a canary order is rejected, or nothing is touched."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from experiments.compile.compiler import compile_scenario
from experiments.faults import base
from experiments.platforms.eks.sites import site_of
from experiments.platforms.eks.targets import Outside, Target
from experiments.platforms.site import at, site
from experiments.safety import approval, canary, counter, identity
from experiments.safety.window import Window
from gameday import aws_day, aws_play
from gameday.aws_day import AwsDay
from gameday.settings import Production, Settings
from scenarios.errors import AbortedError, Problem, UsageError
from scenarios.files.load import load
from scenarios.files.resolved import Resolved
from tests.cluster.rehearsal import SINK, sink
from tests.contract.eks.test_sites import PORTS
from tests.unit.safety.doubles import Objects

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EAST, WEST = "us-east-1/grandmodel-production", "us-west-2/grandmodel-production"


@pytest.fixture
def orders() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A sink: its URL, and what it was sent."""
    sent: list[dict[str, Any]] = []
    with sink(sent) as url:
        yield url, sent


@pytest.fixture(autouse=True)
def apis(monkeypatch: pytest.MonkeyPatch) -> dict[str, Objects]:
    """API servers of the targets, which keep what was used up there."""
    found = {"us-east-1": Objects(), "us-west-2": Objects()}
    monkeypatch.setattr(counter, "ApiServers", lambda _: SimpleNamespace(of=found.__getitem__))
    return found


@pytest.fixture(autouse=True)
def disabled(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Since when trading is disabled, by the target's name; it is not."""
    found: dict[str, str] = {}
    monkeypatch.setattr(aws_day, "trading_off", lambda aws: found.get(aws.target.name, ""))
    return found


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
        stage.sends()
        stage.begins()
        assert stage.over() == ""
        found.append(resolved.scenario.scenario)

    @contextmanager
    def given(targets: dict[str, Target], folder: Path) -> Iterator[dict[str, str]]:
        yield {}

    monkeypatch.setattr(aws_play, "play_on", play_on)
    monkeypatch.setattr(aws_play.contexts, "given", given)
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path))
    return found


@pytest.fixture
def production(resolved: Resolved, targets: dict[str, Target], tmp_path: Path) -> Production:
    """Somebody else has approved that it is played within `window()`."""
    key, made = (
        tmp_path / "key",
        Production(approvals=tmp_path / "a", signers=tmp_path / "s", executor="me@example.test"),
    )
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    made.signers.write_text(f"other@example.test {key.with_suffix('.pub').read_text()}")
    made.approvals.mkdir()
    signature = aws_day._signature(resolved, made)
    request = aws_day._request(resolved, targets, Outside(), made, window())
    assert request is not None
    approval.write(request, signature.with_suffix(""))
    assert approval.sign(signature.with_suffix(""), key) == signature
    return made


def window(left: timedelta = timedelta(hours=8)) -> Window:
    """A window that began long ago; `left`: how much of it is left at NOON, which is now."""
    return Window(NOON - timedelta(hours=1), NOON + left)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The time of day; a test appends a later one."""
    times = [NOON]
    monkeypatch.setattr(aws_day, "datetime", SimpleNamespace(now=lambda _: times[-1]))
    return times


def _play(
    resolved: Resolved, targets: dict[str, Target], outside: Outside, *typed: str,
    problems: Any = (), production: Production | None = None, question: Any = None,
) -> None:  # fmt: skip
    day = AwsDay("a title", targets, (), (), (), (), tuple(problems), window())
    answers = iter(typed)
    settings = Settings(outside=outside, production=production or Production())
    asked = question or (lambda _: next(answers))
    aws_play.play_on_eks(day, resolved, settings, question=asked, ask=None, observe=None)


@pytest.mark.proves(
    "EKS: when all is ready window, approval, canary order and trading must hold still; else nothing is played"
)
@pytest.mark.parametrize(
    ("late", "found"),
    [
        ("window", "3:30:00 left of"),
        ("approval", "no such file"),
        ("canary", "a proof older than 60 s"),
        ("trading", "trading is disabled since noon"),
    ],
)
def test_what_held_at_the_plan_holds_no_more(
    late: str, found: str, resolved: Resolved, targets: dict[str, Target], orders: tuple[str, list[dict[str, Any]]],
    played: list[str], production: Production, clock: list[datetime], disabled: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    names = iter((EAST, WEST))

    def question(_: str) -> str:
        """The person lets it lie for hours."""
        if late == "window":
            clock.append(NOON + timedelta(hours=4, minutes=30))
        if late == "approval":
            aws_day._signature(resolved, production).unlink(missing_ok=True)
        if late == "trading":
            disabled[WEST] = "noon"
        return next(names)

    if late == "canary":
        monkeypatch.setattr(aws_play.canary, "FRESH_S", 60.0)
        monkeypatch.setattr(canary.time, "monotonic", iter((1.0, 61.5)).__next__)
    outside = Outside(dns="10.0.0.2:53", ports=PORTS, sink=SINK, canary=orders[0])
    with pytest.raises(UsageError, match=found):
        _play(resolved, targets, outside, production=production, question=question)
    assert played == []
    assert len(orders[1]) == (late in ("canary", "trading")), "a canary order was sent outside the window"


def test_a_run_ends_when_only_the_undo_fits_into_its_window(targets: dict[str, Target]) -> None:
    day, production = AwsDay("a title", targets, (), (), (), (), (), window()), Production()
    assert aws_day.over(day, production, NOON + timedelta(hours=3, minutes=59)) == ""
    assert "longest undo, 4 h" in aws_day.over(day, production, NOON + timedelta(hours=4))


def test_the_window_must_also_hold_loading_lifting_and_reading_back(
    resolved: Resolved, targets: dict[str, Target], production: Production
) -> None:
    """The run alone, and the undo, would fit."""
    most_us = resolved.scenario.workload.at_most_us
    day = AwsDay("a title", targets, (), (), (), (), (), window())
    undo = timedelta(microseconds=production.longest_undo_us)
    begin = window().end - undo - timedelta(microseconds=aws_day.lasts_us(resolved))
    aws_day.insist_still(day, resolved, production, None, begin)
    with pytest.raises(UsageError, match="left of"):
        aws_day.insist_still(day, resolved, production, None, begin + timedelta(seconds=1))
    assert aws_day.lasts_us(resolved) - most_us >= 360e6


def test_the_window_must_hold_the_end_of_a_failover_that_is_aborted_where_there_can_be_one(resolved: Resolved) -> None:
    nobody_promotes = replace(resolved, procedures={})
    more_us = aws_day.lasts_us(resolved) - aws_day.lasts_us(nobody_promotes)
    assert more_us == 300e6, "what experiments.run.play waits for it at most"
    observed_us = 60_000_000
    assert aws_day.lasts_us(resolved, observed_us) == aws_day.lasts_us(nobody_promotes, observed_us)


@pytest.mark.proves("EKS: a game day begins when every target's name was typed and a canary order was just rejected")
def test_it_is_played_when_both_names_are_typed(
    resolved: Resolved, targets: dict[str, Target], orders: tuple[str, list[dict[str, Any]]], played: list[str],
    production: Production,
) -> None:  # fmt: skip
    url, sent = orders
    outside = Outside(dns="10.0.0.2:53", ports=PORTS, sink=SINK, canary=url)
    _play(resolved, targets, outside, EAST, WEST, production=production)
    assert played == ["pod-kill-strategic"]
    [canary] = sent
    assert canary["canary"] is True
    assert canary["seq"] == -1  # no order of the ledger


@pytest.mark.proves("EKS: a second run on the same approval is refused, and is told when it was used")
def test_an_approval_serves_one_run(
    resolved: Resolved, targets: dict[str, Target], orders: tuple[str, list[dict[str, Any]]], played: list[str],
    production: Production, tmp_path: Path,
) -> None:  # fmt: skip
    outside = Outside(dns="10.0.0.2:53", ports=PORTS, sink=SINK, canary=orders[0])
    _play(resolved, targets, outside, EAST, WEST, production=production)
    with pytest.raises(UsageError, match=r"used at 2026-03-01T12:00:00\+00:00 by me@example.test"):
        _play(resolved, targets, outside, EAST, WEST, production=production)
    (tmp_path / "gameday" / "eks" / "approvals.json").unlink()  # as on another machine
    with pytest.raises(UsageError, match="used at"):
        _play(resolved, targets, outside, EAST, WEST, production=production)
    assert played == ["pod-kill-strategic"]


@pytest.mark.proves(
    "EKS: the canary order goes where the run's orders go: by the name, to the port of the entry service"
)
def test_the_canary_goes_where_orders_go(
    resolved: Resolved, targets: dict[str, Target], orders: tuple[str, list[dict[str, Any]]], played: list[str],
    production: Production, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    url, sent = orders
    asked: list[tuple[Any, str]] = []

    async def ask(server: Any, name: str, _: Any) -> tuple[str, int] | None:
        asked.append((tuple(server), name))
        return None if len(asked) == 1 else ("127.0.0.1", 5)

    monkeypatch.setattr(aws_play, "ask_name", ask)
    port = int(url.rpartition(":")[2].partition("/")[0])
    outside = Outside(dns="10.0.0.2:53", ports=PORTS | {"strategic": port}, sink=SINK)
    with pytest.raises(UsageError, match="status 0"):  # no name server answers
        _play(resolved, targets, outside, EAST, WEST, production=production)
    assert sent == []
    _play(resolved, targets, outside, EAST, WEST, production=production)
    assert asked == [(("10.0.0.2", 53), "trade.example.com")] * 2
    assert [order["canary"] for order in sent] == [True]


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
    targets: dict[str, Target], orders: tuple[str, list[dict[str, Any]]], played: list[str], production: Production,
) -> None:  # fmt: skip
    outside = Outside(dns="10.0.0.2:53", ports=PORTS, sink=sink_name, canary=orders[0])
    with pytest.raises(error, match=found):
        _play(resolved, targets, outside, *typed, production=production)
    assert played == []


@pytest.mark.proves(
    "EKS: nothing is made in a cluster, not even the reverter's pod, before the targets' names were typed"
)
@pytest.mark.parametrize("typed", [(EAST, WEST), (EAST, "no")], ids=["typed", "not typed"])
def test_pods_are_made_when_the_names_were_typed(
    typed: tuple[str, ...], targets: dict[str, Target], orders: tuple[str, list[dict[str, Any]]], played: list[str],
    production: Production, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    made: list[tuple[Any, ...]] = []

    class Pods:
        def __init__(self, *settings: Any) -> None:
            self.settings = settings

        def make(self) -> None:
            assert orders[1] == [], "the canary order comes after it: its proof is good for a minute"
            made.append(self.settings)

    monkeypatch.setattr(aws_play, "Pods", Pods)
    monkeypatch.setattr(aws_day, "_approval", lambda *_: None)
    outside = Outside(dns="10.0.0.2:53", ports=PORTS, sink=SINK, canary=orders[0])
    named = production.model_copy(update={"reverter_image": "image:1"})
    crashes = load("strategic-crash-loop", world="kind")
    try:
        _play(crashes, targets, outside, *typed, production=named)
    except AbortedError:
        assert made == []
        return
    [(posted, _, image, lasts_s, _)] = made
    assert [(posting.hit, posting.holder) for posting in posted] == [("us-east-1", "us-west-2")]
    assert image == "image:1"
    assert lasts_s == (aws_day.lasts_us(crashes) + production.longest_undo_us) / 1e6


def test_a_silent_path_of_orders_is_no_rejection(
    resolved: Resolved, targets: dict[str, Target], played: list[str], production: Production
) -> None:
    silent = Outside(dns="10.0.0.2:53", ports=PORTS, sink=SINK, canary="http://127.0.0.1:9/orders")
    with pytest.raises(UsageError, match="status 0"):
        _play(resolved, targets, silent, EAST, WEST, production=production)
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
