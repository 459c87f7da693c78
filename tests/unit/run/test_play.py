"""An executor that hangs, or says that something is left: real processes, and a fault that is a file."""

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments.faults import base
from experiments.observe.clock import Origin
from experiments.run import play
from experiments.run.children import Child, Message
from experiments.run.play import EXECUTOR, Ended, GameDay
from experiments.run.remains import lift_remains
from experiments.run.stopping import Stop
from scenarios.files.load import load
from scenarios.record.writer import MemoryRecorder
from tests.unit.faults import fake
from tests.unit.run.breaking import BREAKS

HANGS = f"{BREAKS}\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(1000)\n"
STOPS = f"{BREAKS}\nos.kill(os.getpid(), signal.SIGSTOP)\n"
LEAVES = "import sys\nsys.stdin.read()\nsys.exit(5)\n"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    monkeypatch.setitem(sys.modules, "experiments.faults.pod_hang", fake)
    monkeypatch.setattr(play, "OWN_LIFTING_S", 0.5)


def played(folder: Path, text: str, *, ctrl_c: bool = False) -> tuple[GameDay, Ended, list[str]]:
    """Play one second with an executor; Ctrl-C comes once the fault is there."""
    resolved = load("pod-kill-strategic", world="kind")
    lasting = 3_600_000_000 if ctrl_c else 1_000_000
    workload = resolved.scenario.workload.model_copy(update={"duration": lasting, "at_most_us": lasting})
    (folder / "an_executor.py").write_text(text)
    recorder = MemoryRecorder()

    def wait(*_: object) -> None:
        while text == HANGS and not (folder / "broken").exists():
            time.sleep(0.05)

    def watch(message: Any, _: Stop) -> None:
        if ctrl_c and message["mark"]["kind"] == "injection_begun":
            os.kill(os.getpid(), signal.SIGINT)

    day = GameDay(
        replace(resolved, scenario=resolved.scenario.model_copy(update={"workload": workload})),
        recorder,
        Origin.soon(),
        {},
        Child(EXECUTOR, ["an_executor"], {"folder": str(folder)}),
        wait,
        watch,
        lambda _: False,
        lift=lambda mark: lift_remains(fake.Arms(folder), mark, within_s=0.1),
    )
    ended = day.play()
    return day, ended, [mark.kind for mark in recorder.marks]


@pytest.mark.proves("Ctrl-C lifts also when the executor hangs: it is ended, and the parent lifts in its place")
@pytest.mark.parametrize("text", [HANGS, STOPS])
def test_a_run_is_stopped_whose_executor_hangs(tmp_path: Path, text: str) -> None:
    day, ended, kinds = played(tmp_path, text, ctrl_c=True)
    assert ended.stopped == "stopped by hand"
    assert fake.order(tmp_path)[-1] == "lift"
    assert not (tmp_path / "broken").exists()
    assert kinds.index("run_ended") < kinds.index("lifted") < kinds.index("fault_gone")
    assert day.left == []
    assert base.all_kept() == []


def test_one_that_does_not_end_after_a_run_is_ended_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(play, "LIFTED_WITHIN_S", 0.5)
    day, ended, kinds = played(tmp_path, HANGS)
    assert ended.reason == "at most"
    assert len(day.left) == 1
    assert "did not end" in day.left[0]
    assert not (tmp_path / "broken").exists()
    assert "lifted" in kinds


@pytest.mark.proves("What the executor could not lift at the end of a run is left behind, and said")
def test_one_that_has_left_something(tmp_path: Path) -> None:
    day, ended, _ = played(tmp_path, LEAVES)
    assert ended.failed is None
    assert ["exit code 5" in words for words in day.left] == [True]


@pytest.mark.timeout(60)
def test_a_run_ends_in_time_although_messages_never_end() -> None:
    """As on a machine that is overloaded: each message that is taken is followed by another."""
    resolved = load("pod-kill-strategic", world="kind")
    workload = resolved.scenario.workload.model_copy(update={"duration": 1_000_000, "at_most_us": 1_000_000})
    mark = {"t_us": 0, "kind": "load_started", "subject": "client", "detail": {}, "source_t_us": None}
    another = Message("watchers", {"mark": mark})
    day = GameDay(
        replace(resolved, scenario=resolved.scenario.model_copy(update={"workload": workload})),
        MemoryRecorder(),
        Origin.soon(),
        {},
        None,
        lambda *_: None,
        lambda *_: day._messages.put(another) if day.clock.now_us() < 20_000_000 else None,
        lambda _: False,
        lift=lambda _: [],
    )
    day._messages.put(another)
    ended = day.play()
    assert ended.reason == "at most"
    assert ended.end_us < 10_000_000
