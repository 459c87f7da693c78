"""What the parent of a run does about a failover that was begun when the run is stopped: real processes."""

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments.observe.clock import Origin
from experiments.operate.finishing import NAME, VERBS
from experiments.platforms.site import TESTBED, at
from experiments.run import play
from experiments.run.children import Child
from experiments.run.finishing import FINISHER, Finishing
from experiments.run.play import EXECUTOR, Ended, GameDay
from experiments.run.remains import lift_remains
from experiments.run.stopping import Stop
from scenarios.files.load import load
from scenarios.record.writer import MemoryRecorder
from tests.unit.faults import fake
from tests.unit.run.breaking import BREAKS

PROMOTES = f"""{BREAKS}
say("promoted", "us-west-2", {{"timeline": "us-west-2/2", "position": 7}})
sys.stdin.read()
fake.lift("{{}}")
""".replace("{}", "pod-hang:0")
DIES = PROMOTES.replace("sys.stdin.read()", "sys.exit(9)")
ENDS = """
import json, sys
settings = json.loads(sys.stdin.readline())
def say(kind, **detail):
    mark = {"t_us": 1, "kind": kind, "subject": "finish-failover", "detail": detail, "source_t_us": None}
    print(json.dumps({"mark": mark}), flush=True)
say("procedure_started", actor="gameday")
say("step_started", step="deploy", actor="gameday")
"""
WORKS = ENDS + 'say("step_finished", step="deploy", actor="gameday", ok=True)\n'
FAILS = ENDS + 'say("step_finished", step="deploy", actor="gameday", ok=False, why="no room")\nsys.exit(5)\n'
HANGS = ENDS + "import time\ntime.sleep(1000)\n"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    monkeypatch.setitem(sys.modules, "experiments.faults.pod_hang", fake)


def played(folder: Path, executor: str, finisher: str) -> tuple[GameDay, Ended, list[tuple[str, str]]]:
    """Play until a promotion is told, then stop it; once more when the finishing has begun, should that hang."""
    (folder / "an_executor.py").write_text(executor)
    (folder / "a_finisher.py").write_text(finisher)
    resolved, recorder = load("region-loss-manual", world="kind"), MemoryRecorder()

    def start(settings: Mapping[str, Any]) -> Child:
        assert (settings["home"], settings["promoted"]) == ("us-east-1", "us-west-2")
        assert settings["verbs"] == list(VERBS)
        return Child(FINISHER, ["a_finisher"], settings)

    def watch(message: Any, _: Stop) -> None:
        kind = message["mark"]["kind"]
        if (kind == "promoted" and executor == PROMOTES) or (kind == "step_started" and finisher == HANGS):
            os.kill(os.getpid(), signal.SIGINT)

    day = GameDay(
        resolved, recorder, Origin.soon(), {}, Child(EXECUTOR, ["an_executor"], {"folder": str(folder)}),
        lambda *_: None, watch, lambda _: False,
        lift=lambda mark: lift_remains(fake.Arms(folder), mark, within_s=0.1),
        finishing=Finishing(resolved, start),
    )  # fmt: skip
    ended = day.play()
    return day, ended, [(mark.kind, mark.subject) for mark in recorder.marks]


@pytest.mark.proves("An abort after a promotion lifts every fault first, then finishes the failover, and records it")
@pytest.mark.parametrize("executor", [PROMOTES, DIES])
def test_an_abort_after_a_promotion(tmp_path: Path, executor: str) -> None:
    day, ended, marks = played(tmp_path, executor, WORKS)
    assert ended.reason == "interrupted"
    assert (ended.stopped is None) == (executor == DIES)
    order = [("lifted", "pod-hang:0"), ("procedure_started", NAME), ("step_finished", NAME)]
    assert [marks.index(wanted) for wanted in order] == sorted(marks.index(wanted) for wanted in order)
    assert day.left == []


def test_what_it_could_not_finish_is_left_and_said(tmp_path: Path) -> None:
    day, _, _ = played(tmp_path, PROMOTES, FAILS)
    assert day.left == ["the failover to us-west-2 is not finished (no room): `gameday undo` finishes it"]


@pytest.mark.proves("A second Ctrl-C gives the failover up, and leaves it to `gameday undo`")
def test_a_second_ctrl_c_gives_it_up(tmp_path: Path) -> None:
    day, ended, marks = played(tmp_path, PROMOTES, HANGS)
    assert ended.stopped == "stopped by hand"
    assert ("lifted", "pod-hang:0") in marks
    assert ["given up" in words and "gameday undo" in words for words in day.left] == [True]
    assert [child.name for child in day.children if child.alive] == []


def test_its_time_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(play, "FINISHES_WITHIN_S", 0.3)
    day, _, _ = played(tmp_path, PROMOTES, ENDS + "import time\ntime.sleep(999)\n")
    assert len(day.left) == 1


def test_without_a_promotion_nothing_is_started(tmp_path: Path) -> None:
    finishing = Finishing(load("region-loss-manual", world="kind"))
    assert finishing.child(Origin.soon()) is None
    finishing.mark({"kind": "procedure_started", "subject": "manual-failover", "detail": {"actor": "people"}})
    assert finishing.child(Origin.soon()) is not None, "somebody may be in the middle of a promotion"


def test_on_eks_only_what_people_have_confirmed_is_done(tmp_path: Path) -> None:
    given: list[Mapping[str, Any]] = []

    def start(settings: Mapping[str, Any]) -> Child:
        given.append(settings)
        return Child(FINISHER, ["a_finisher"], settings)

    with at(replace(TESTBED, world="eks")):
        for name in ("region-loss-manual", "region-loss-automatic"):
            finishing = Finishing(load(name, world="kind"), start)
            finishing.mark(
                {"kind": "promoted", "subject": "us-west-2", "detail": {"timeline": "us-west-2/2", "position": 7}}
            )
            finishing.child(Origin.soon())
    assert [set(settings["verbs"]) for settings in given] == [
        {"deploy", "wait_ready", "switch_dns", "verify"}, set(),
    ]  # fmt: skip
