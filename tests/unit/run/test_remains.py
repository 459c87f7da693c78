"""The executor dies, a real process: its parent lifts what it broke, before it does anything else."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments.faults import base
from experiments.observe.clock import Origin
from experiments.run.children import Child
from experiments.run.play import EXECUTOR, GameDay
from experiments.run.remains import lift_remains
from scenarios.files.load import load
from scenarios.record.writer import MemoryRecorder
from tests.unit.faults import fake
from tests.unit.run.breaking import BREAKS, NAME

EXECUTES = f"{BREAKS}\nos.kill(os.getpid(), signal.SIGKILL)\n"
SENDS = """
import json, sys
from pathlib import Path
from tests.unit.faults import fake
folder = json.loads(sys.stdin.readline())["folder"]
def say(kind):
    mark = {"t_us": 0, "kind": kind, "subject": "client", "detail": {}, "source_t_us": None}
    print(json.dumps({"mark": mark}), flush=True)
say("load_started")
sys.stdin.read()
say("load_stopped")
fake.note(Path(folder), "wound-down")
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    monkeypatch.setitem(sys.modules, "experiments.faults.pod_hang", fake)


def child(folder: Path, name: str, text: str) -> Child:
    (folder / f"a_{name}.py").write_text(text)
    return Child(name, [f"a_{name}"], {"folder": str(folder)})


def played(folder: Path, arms: fake.Arms) -> tuple[GameDay, Any, MemoryRecorder]:
    recorder = MemoryRecorder()
    day = GameDay(
        load("region-loss-automatic"),
        recorder,
        Origin.soon(),
        {"sender": lambda _: child(folder, "sender", SENDS)},
        child(folder, EXECUTOR, EXECUTES),
        lambda *_: None,
        lambda *_: None,
        lambda _: False,
        lift=lambda mark: lift_remains(arms, mark, within_s=0.1),
    )
    return day, day.play(), recorder


@pytest.mark.proves("the executor dies: its parent lifts what it broke at once, before the observers are wound down")
def test_the_parent_lifts_at_once(tmp_path: Path) -> None:
    day, ended, recorder = played(tmp_path, fake.Arms(tmp_path))
    assert fake.order(tmp_path) == ["arm", "act", "lift", "wound-down"]
    assert not (tmp_path / "broken").exists()
    assert ended.failed == f"the executor ended with {-signal.SIGKILL} before it was told to"
    kinds = [mark.kind for mark in recorder.marks]
    assert kinds.index("lift_begun") < kinds.index("lifted") < kinds.index("fault_gone") < kinds.index("run_ended")
    assert day.left == []
    assert base.all_kept() == []


def test_the_load_starts_and_stops_once_and_its_sender_says_so(tmp_path: Path) -> None:
    _, _, recorder = played(tmp_path, fake.Arms(tmp_path))
    assert [m.kind for m in recorder.marks if m.kind.startswith("load_")] == ["load_started", "load_stopped"]


def test_what_cannot_be_lifted_is_said(tmp_path: Path) -> None:
    day, _, recorder = played(tmp_path, fake.Arms(tmp_path, fails=True))
    assert len(day.left) == 1
    assert NAME in day.left[0]
    assert not [mark for mark in recorder.marks if mark.kind == "fault_gone"]


def test_what_was_lifted_and_stays_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.inject(NAME, str(tmp_path))
    arms = fake.Arms(tmp_path)
    monkeypatch.setattr(arms, "lift", lambda *_: [])
    assert lift_remains(arms, lambda *_, **__: None, 0.0) == [f"{NAME} was lifted and is not seen to be gone"]


def test_an_executor_that_has_lifted_leaves_nothing(tmp_path: Path) -> None:
    base.protect(fake.Arms(tmp_path))
    fake.inject(NAME, str(tmp_path))
    fake.lift(NAME)
    base.forget(NAME)
    assert lift_remains(fake.Arms(tmp_path), lambda *_, **__: None) == []
    assert fake.order(tmp_path).count("lift") == 1


def test_the_last_fault_is_lifted_first(tmp_path: Path) -> None:
    said: list[str] = []

    def mark(kind: str, subject: str, **_: Any) -> None:
        said.append(f"{kind} {subject}")

    for number in (0, 1):
        base.keep(f"pod-hang:{number}", fake.plan(str(tmp_path)))
        os.utime(next((tmp_path / "state").rglob(f"*-{number}.json")), ns=(number, number))
    lift_remains(fake.Arms(tmp_path), mark, 0.0)
    assert [words for words in said if words.startswith("lifted")] == ["lifted pod-hang:1", "lifted pod-hang:0"]
