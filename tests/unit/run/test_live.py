"""Somebody at a terminal is the operator: a real terminal, a real run, a fault that is a file."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from select import select

import pytest

from gameday.cli import run as command
from gameday.cli.main import run as gameday
from gameday.play import SCRIPTED_ON_CLUSTER, cluster_head
from scenarios.files.load import load
from scenarios.record.reader import RunRecord


class Terminal:
    """A game day with a terminal; what it says is read, and a person answers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mine, theirs = pty.openpty()
        words = [sys.executable, "-m", "tests.unit.run.live", str(folder)]
        self._process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        os.close(theirs)
        self._said = ""

    def asks(self, question: str) -> None:
        """Wait until it asks."""
        self._until(lambda: question in self._said)
        self._said = self._said.partition(question)[2]
        self._until(lambda: "Done?" in self._said)

    def answer(self, question: str, answer: str) -> None:
        """Wait until it asks, and type."""
        self.asks(question)
        os.write(self._mine, f"{answer}\n".encode())

    def holds(self) -> None:
        """Wait until the experiment has nothing left to do but to hold."""
        self._until(lambda: any('"holds"' in journal.read_text() for journal in self._folder.rglob("journal.json")))

    def end(self) -> None:
        """Press Ctrl-C, and wait for the end."""
        self._process.send_signal(signal.SIGINT)
        self._until(lambda: self._process.poll() is not None)
        while self._read(0.0):
            pass
        assert self._process.returncode == 0, self._said
        assert "stopped by hand" in self._said

    def close(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        os.close(self._mine)

    def _until(self, seen: Callable[[], bool]) -> None:
        while not seen():
            ended = self._process.poll() is not None
            self._read(0.1)
            assert not ended or seen(), self._said

    def _read(self, within_s: float) -> bool:
        """Take what it says; returns whether it said anything."""
        if select([self._mine], [], [], within_s)[0]:
            with suppress(OSError):  # its end is closed
                said = os.read(self._mine, 1 << 16).decode(errors="replace")
                self._said += said
                return bool(said)
        return False


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.close()


def facts(folder: Path) -> list[tuple[str, str]]:
    record = RunRecord(next((folder / "runs").iterdir()))
    assert record.head["operator"] == "live"
    return [(mark.kind, mark.subject) for mark in record.marks]


@pytest.mark.proves("A live operator is asked at the terminal, and what they answer is what is recorded, when they do")
def test_a_person_who_answers(terminal: Terminal, tmp_path: Path) -> None:
    terminal.answer("severity P0", "y")
    terminal.answer("is failover to be carried out", "y")
    terminal.answer("Promote the west.", "y")
    terminal.holds()
    terminal.end()
    found = facts(tmp_path)
    people = [("declared", "incident-commander"), ("decided", "incident-commander"), ("procedure_started", "failover")]
    assert [fact for fact in found if fact in people] == people
    assert ("procedure_finished", "failover") in found
    assert not (tmp_path / "broken").exists()


def test_a_person_who_says_no(terminal: Terminal, tmp_path: Path) -> None:
    terminal.answer("severity P0", "y")
    terminal.answer("is failover to be carried out", "n")
    terminal.holds()
    terminal.end()
    kinds = {kind for kind, _ in facts(tmp_path)}
    assert "declared" in kinds
    assert not {"decided", "procedure_started", "step_started", "procedure_finished"} & kinds


def test_the_end_of_the_run_answers_nothing(terminal: Terminal, tmp_path: Path) -> None:
    terminal.asks("severity P0")
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
    said = [b"perhaps\n", b"Yes\n", b"n\n", b""]
    monkeypatch.setattr(os, "read", lambda *_: said.pop(0))
    assert command._ask({"ask": "decide"})
    assert not command._ask({"ask": "decide"})
    assert not command._ask({"ask": "decide"})
