"""To observe: nothing is broken, whatever state the system is in, and it ends when its time is over or by hand."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from experiments.safety import pending
from gameday.cli.main import run as gameday
from gameday.cli.run import _observed_us
from gameday.game_day import _observed
from gameday.judging import load_report
from reports.environment import facts
from scenarios.errors import UsageError
from scenarios.files.load import load
from scenarios.record.reader import RunRecord
from tests.unit.run.stage import Play

OBSERVER = """
import json, os, signal, sys, time
settings = sys.stdin.readline()
{does}
sys.stdin.read()
"""
CTRL_C = "time.sleep(1.5); os.kill(os.getppid(), signal.SIGINT)"


def observed(folder: Path, monkeypatch: pytest.MonkeyPatch, does: str, lasts_us: int) -> RunRecord:
    play = Play(folder, monkeypatch, None, {"watchers": OBSERVER.format(does=does)}, lasts_us=None)
    monkeypatch.setenv("GAMEDAY_STATE", str(folder / "state"))
    pending.keep("us-east-1", "us-west-2", "a-run", None)
    played = play.play(observe=lasts_us)
    assert played.stopped is None
    assert played.pending is None
    return RunRecord(played.folder)


@pytest.mark.proves("--observe works with a pending failback, and Ctrl-C is its normal end: it is judged")
def test_ended_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = observed(tmp_path, monkeypatch, CTRL_C, 3_600_000_000)
    assert record.head["termination"] == "complete"
    assert "why" not in record.head
    assert record.head["observe_only"]
    assert 0 < record.head["duration_us"] < 600_000_000
    assert [m.detail["reason"] for m in record.marks if m.kind == "run_ended"] == ["by hand"]
    assert load_report(record.folder).judgement.verdicts
    assert pending.read() is not None, "it is still pending"


@pytest.mark.proves("a record says in UTC when its clock showed zero, and so does the report")
def test_the_clock_of_a_run_is_told_in_utc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = datetime.now(UTC)
    record = observed(tmp_path, monkeypatch, "pass", 500_000)
    started = datetime.fromisoformat(record.head["started_at"])
    assert before < started < datetime.now(UTC) - timedelta(microseconds=record.head["duration_us"])
    assert dict(facts(load_report(record.folder)))["Started (UTC)"] == record.head["started_at"]


def test_ended_by_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = observed(tmp_path, monkeypatch, "pass", 1_000_000)
    assert record.head["termination"] == "complete"
    assert record.head["duration_us"] >= 1_000_000


def test_home_is_where_the_primary_is_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would be taken for one that was promoted while somebody looked."""
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path / "state"))
    resolved = load("region-loss-automatic", world="kind")
    assert _observed(resolved, 5).topology.database.home == "us-east-1"
    pending.keep("us-east-1", "us-west-2", "a-run", None)
    found = _observed(resolved, 5)
    assert (found.topology.database.home, found.topology.database.replica_region) == ("us-west-2", "us-east-1")
    assert found.scenario.timeline == found.scenario.response == ()


def test_how_long() -> None:
    assert _observed_us(None, observe=False) is None
    assert _observed_us(None, observe=True) == 600_000_000
    assert _observed_us("90 s", observe=True) == 90_000_000
    assert _observed_us("10m", observe=True) == _observed_us("10 min", observe=True) == 600_000_000
    for text in ("soon", "0 s", "10", "-5 s"):
        with pytest.raises(UsageError):
            _observed_us(text, observe=True)
    assert gameday(["run", "region-loss-automatic", "--for", "10m", "--yes"]) == 2
