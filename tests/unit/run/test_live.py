"""Somebody at a terminal is the operator: a real terminal, a real run, a fault that is a file."""

import io
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gameday.cli import run as command
from gameday.cli.main import run as gameday
from gameday.play import SCRIPTED_ON_CLUSTER, cluster_head
from scenarios.files.load import load
from scenarios.record.reader import RunRecord


class Terminal:
    """A game day with a terminal; what it says is read, and a person answers."""

    def __init__(self, folder: Path, lasts_s: float) -> None:
        self._mine, theirs = pty.openpty()
        words = [sys.executable, "-m", "tests.unit.run.live", str(folder), str(lasts_s)]
        self._process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        os.close(theirs)
        self._said = ""

    def answer(self, question: str, answer: str) -> None:
        """Wait until it asks, and type."""
        self._until(lambda: question in self._said)
        self._said = self._said.partition(question)[2]
        self._until(lambda: "Done?" in self._said)
        os.write(self._mine, f"{answer}\n".encode())

    def end(self) -> str:
        """Wait for the end; return what it still says."""
        self._until(lambda: False)
        assert self._process.wait(60) == 0, self._said
        return self._said

    def _until(self, seen: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while not seen():
            assert time.monotonic() < deadline, self._said
            try:
                data = os.read(self._mine, 1 << 16)
            except OSError:  # its end is closed
                return
            self._said += data.decode(errors="replace")


def facts(folder: Path) -> list[tuple[str, str]]:
    record = RunRecord(next((folder / "runs").iterdir()))
    assert record.head["operator"] == "live"
    return [(mark.kind, mark.subject) for mark in record.marks]


@pytest.mark.proves("A live operator is asked at the terminal, and what they answer is what is recorded, when they do")
def test_a_person_who_answers(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, 45.0)
    terminal.answer("severity P0", "y")
    terminal.answer("is failover to be carried out", "y")
    terminal.answer("Promote the west.", "y")
    terminal.end()
    found = facts(tmp_path)
    people = [("declared", "incident-commander"), ("decided", "incident-commander"), ("procedure_started", "failover")]
    assert [fact for fact in found if fact in people] == people
    assert ("procedure_finished", "failover") in found
    assert not (tmp_path / "broken").exists()


def test_a_person_who_says_no_and_one_who_says_nothing(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, 20.0)
    terminal.answer("severity P0", "y")
    terminal.answer("is failover to be carried out", "n")
    terminal.end()
    kinds = {kind for kind, _ in facts(tmp_path)}
    assert "declared" in kinds
    assert not {"decided", "procedure_started", "step_started", "procedure_finished"} & kinds


def test_the_end_of_the_run_answers_nothing(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, 15.0)
    terminal.end()
    kinds = {kind for kind, _ in facts(tmp_path)}
    assert "injection_begun" in kinds
    assert not {"declared", "decided", "procedure_started"} & kinds


@pytest.mark.proves("A live operator without a terminal is refused before anything is looked at")
def test_without_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command, "settings", None)  # nothing is even read
    monkeypatch.setattr(os, "isatty", lambda _: False)
    assert gameday(["run", "region-loss-manual", "--operator", "live", "--yes"]) == 2
    assert "--operator live" in capsys.readouterr().err


def test_response_times_are_judged_when_somebody_answers() -> None:
    resolved = load("region-loss-manual", world="kind")
    answers = {o.objective for o in resolved.objectives if o.kind == "response"}
    heads = {who: cluster_head(resolved, "kind", datetime.now(UTC), who) for who in ("live", "scripted")}
    assert answers
    assert not answers & heads["live"]["not_judged"].keys()
    assert {heads["scripted"]["not_judged"][name] for name in answers} == {SCRIPTED_ON_CLUSTER}


def test_an_end_of_the_terminal_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """`typer` raises for it, in a thread that nobody watches."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert not command._ask({"ask": "decide"})
