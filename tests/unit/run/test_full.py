"""The record takes nothing more in the middle of a run: it is an abort like any other."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments.run.keeping import Keeping
from experiments.safety import pending
from experiments.safety.abort import AbortConditions
from experiments.safety.late import is_unread
from gameday import game_day
from gameday.cli import run as command
from gameday.cli.main import run as gameday
from gameday.game_day import PlayedOnCluster
from scenarios.errors import Problem, RecordError
from scenarios.files.load import load
from scenarios.record.reader import RunRecord
from tests.unit.faults import fake


def played(folder: Path, finisher: str) -> dict[str, Any]:
    """Play on a record that may not grow after the promotion."""
    words = [sys.executable, "-m", "tests.unit.run.full", str(folder), finisher]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.timeout(600)
@pytest.mark.proves(
    "A record that takes nothing more ends the run in order: faults are lifted, a failover is finished, what was "
    "written stays readable"
)
def test_a_record_that_may_not_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = played(tmp_path, "works")
    assert "the record takes nothing more" in found["stopped"]
    assert "ulimit -f" in found["stopped"]
    assert found["left_behind"] == []
    assert fake.order(tmp_path)[-1] == "lift"
    assert not (tmp_path / "broken").exists()
    assert "us-west-2 was promoted" in found["pending"]
    folder = Path(found["folder"])
    record = RunRecord(folder)
    assert record.interrupted
    kinds = {mark.kind for mark in record.marks}
    assert {"injection_begun", "promoted"} <= kinds
    assert "run_ended" not in kinds, "nothing after it had room"
    assert is_unread(folder), "`gameday undo` reads both timelines into it"
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path / "state"))
    kept = pending.read()
    assert kept is not None
    assert kept.record == str(folder)


@pytest.mark.timeout(600)
def test_what_is_not_finished_is_left(tmp_path: Path) -> None:
    found = played(tmp_path, "fails")
    assert found["left_behind"] == ["the failover to us-west-2 is not finished (no room): `gameday undo` finishes it"]


@pytest.mark.timeout(600)
def test_a_pending_failback_that_cannot_be_noted_is_left(tmp_path: Path) -> None:
    found = played(tmp_path, "unnoted")
    assert found["pending"] is None
    assert ["could not be noted" in words for words in found["left_behind"]] == [True]


@pytest.mark.timeout(600)
def test_a_ledger_without_room_is_left_and_not_wrong_usage(tmp_path: Path) -> None:
    """Nobody can say whether every fault is lifted."""
    found = played(tmp_path, "unwritten")
    assert found["left_behind"] == ["faults.jsonl"]
    assert "the record takes nothing more" in found["stopped"]
    assert "us-west-2 was promoted" in found["pending"], "kept, although the ledger has no room"


@pytest.mark.parametrize(("left", "code"), [((), 4), (("a node",), 5)])
def test_the_exit_code_is_an_aborts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    left: tuple[str, ...],
    code: int,
) -> None:
    """Although nothing can be judged, or written, in that folder."""
    full = RecordError(Problem(str(tmp_path), "no space left on device", "room for facts", "Free some space."))

    def refuse(*_: object, **__: object) -> None:
        raise full

    monkeypatch.setattr(game_day, "play_on_kind", lambda *_, **__: PlayedOnCluster(tmp_path, "no room", left, None))
    monkeypatch.setattr(command, "_show", refuse)
    assert gameday(["run", "pod-kill-strategic", "--yes"]) == code
    said = capsys.readouterr().err
    assert "stopped: no room" in said
    assert "no space left on device" in said


def test_the_first_failure_counts_and_what_comes_after_it_is_thrown_away() -> None:
    asked: list[str] = []

    class Full:
        def mark(self, *_: Any, **__: Any) -> None:
            asked.append("mark")
            raise RecordError(Problem("marks.jsonl", "input/output error", "room for facts", "Choose another folder."))

        def append(self, *_: Any) -> None:
            asked.append("append")

    recorder = Keeping(Full())
    assert recorder.lost == ""
    recorder.mark(1, "settled", "run")
    recorder.append("probes", {})
    assert asked == ["mark"]
    assert recorder.lost == "the record takes nothing more (marks.jsonl: input/output error. Choose another folder.)"


def test_a_disk_that_does_not_answer_stops_the_run(tmp_path: Path) -> None:
    stopped: list[str] = []
    conditions = AbortConditions(load("pod-kill-strategic", world="kind"), tmp_path / "gone")
    conditions({}, stopped.append)
    assert stopped == ["the disk of the record does not answer: no such file or directory"]
