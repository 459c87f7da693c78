"""The executor lifts what it broke, whatever chaoslib, a signal or its parent does meanwhile."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from experiments.compile import execute
from tests.unit.faults import fake

NAME = "pod-hang:0"
WATCHING = "experiments.operate.watching"
Activity = dict[str, Any]


def activity(name: str, module: str, function: str, /, **arguments: Any) -> Activity:
    provider = {"type": "python", "module": module, "func": function, "arguments": arguments}
    return {"type": "action", "name": name, "provider": provider}


def experiment(folder: Path, *, fails: str = "", probe: str = "", method: tuple[Activity, ...] = ()) -> dict[str, Any]:
    broken = activity("inject", "tests.unit.faults.fake", "inject", fault=NAME, folder=str(folder), fails=fails)
    landed = activity("landed", WATCHING, "until_landed", fault=NAME, kind="pod-hang", within_s=5)
    hold = activity("hold", WATCHING, "until_over", at_s=60.0)
    steady = {**activity("steady", "tests.unit.compile.player", probe), "tolerance": [0, 1]} if probe else None
    return {
        "version": "1.0.0",
        "title": "a file breaks",
        "description": "and is mended",
        "configuration": {"password": "a-very-secret-word"},
        "steady-state-hypothesis": {"title": "steady", "probes": [steady] if steady else []},
        "method": [broken, landed, *(method or (hold,))],
        "rollbacks": [
            activity("lift", "tests.unit.faults.fake", "lift", fault=NAME, by="clean-up"),
            activity("gone", WATCHING, "until_gone", fault=NAME, kind="pod-hang"),
        ],
    }


class Player:
    """The process, its pipes and what came up them."""

    def __init__(self, folder: Path, document: dict[str, Any], *arguments: str) -> None:
        self.folder = folder
        environment = {**os.environ, "GAMEDAY_STATE": str(folder / "state")}
        command = [sys.executable, "-m", "tests.unit.compile.player", str(folder), *arguments]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
        )
        self.first_key = time.time_ns() // 1000
        settings = {
            "role": "executor",
            "experiment": document,
            "journal": str(folder / "journal.json"),
            "run": "a-run",
            "origin_ns": time.monotonic_ns(),
            "origin_epoch_us": self.first_key,
            "operator": "scripted",
        }
        self.tell(settings)

    def tell(self, line: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()

    def until(self, kind: str) -> None:
        """Read until a fact has come; the end of the pipe is a failure."""
        self.up_to(kind)

    def up_to(self, kind: str) -> list[dict[str, Any]]:
        """Messages until a fact has come, with it; the end of the pipe is a failure."""
        assert self.process.stdout is not None
        found = []
        for line in self.process.stdout:
            found.append(json.loads(line))
            if found[-1].get("mark", {}).get("kind") == kind:
                return found
        raise AssertionError(f"no {kind}: {self.process.stderr and self.process.stderr.read()}")

    def rest(self) -> list[dict[str, Any]]:
        """Let it end once nothing is left to do; return the messages that still came."""
        self.until_it_holds()
        out, _ = self.process.communicate(timeout=30)
        return [json.loads(line) for line in out.splitlines()]

    def until_it_holds(self) -> None:
        """Wait until nothing is left to do but to wait for the end."""
        journal = self.folder / "journal.json"
        while not journal.exists() or "hold" not in [
            r["activity"]["name"] for r in json.loads(journal.read_text())["run"]
        ]:
            assert self.process.poll() is None, "it ended before"
            time.sleep(0.05)
        time.sleep(0.3)  # it was written before the activity began

    def end(self) -> tuple[int, list[str]]:
        """Say that the run is over; return the exit code and the facts that still came."""
        out, _ = self.process.communicate(timeout=30)
        return self.process.returncode, [json.loads(line)["mark"]["kind"] for line in out.splitlines()]

    @property
    def broken(self) -> bool:
        return (self.folder / "broken").exists()


@pytest.mark.proves("When the parent of a run says that it is over, its executor lifts every fault")
def test_it_lifts_when_the_parent_says_that_the_run_is_over(tmp_path: Path) -> None:
    player = Player(tmp_path, experiment(tmp_path))
    player.until("effect_seen")
    player.until_it_holds()
    assert player.broken
    code, facts = player.end()
    assert (code, facts) == (0, ["lift_begun", "lifted", "fault_gone"])
    assert not player.broken
    assert fake.order(tmp_path) == ["arm", "act", "lift"]


def test_its_journal_holds_what_happened_and_no_secret(tmp_path: Path) -> None:
    player = Player(tmp_path, experiment(tmp_path))
    player.until_it_holds()
    player.end()
    text = (tmp_path / "journal.json").read_text(encoding="utf-8")
    journal = json.loads(text)
    assert journal["status"] == "completed"
    assert [run["status"] for run in journal["run"] + journal["rollbacks"]] == ["succeeded"] * 5
    assert "a-very-secret-word" not in text
    assert not {"node", "platform"} & set(journal), "of this machine"


@pytest.mark.proves("An executor that is told to end lifts every fault, whatever is under way")
def test_it_lifts_when_it_is_told_to_end(tmp_path: Path) -> None:
    wait = activity("wait", "experiments.operate.moments", "wait_until", at_s=600.0)
    beside = {**wait, "name": "beside", "background": True}
    player = Player(tmp_path, experiment(tmp_path, method=(beside, wait)))
    player.until("effect_seen")
    player.process.send_signal(signal.SIGTERM)
    code, facts = player.end()
    assert (code, facts) == (4, ["lift_begun", "lifted", "fault_gone"])
    assert not player.broken


def test_it_lifts_when_the_run_is_over_before_its_method_is(tmp_path: Path) -> None:
    wait = activity("wait", "experiments.operate.moments", "wait_until", at_s=600.0)
    player = Player(tmp_path, experiment(tmp_path, method=(wait,)))
    player.until("effect_seen")
    code, _ = player.end()
    assert code == 4
    assert not player.broken


def _reseeded(folder: Path, *, answers: bool, kept: bool = True) -> tuple[list[dict[str, Any]], int]:
    """Messages of an executor that plays a failback's first step, and the key of the run's first order.

    `kept`: the parent says that what it was sent is in the record.
    """
    step = activity("reseed", "tests.unit.compile.player", "reseed", answers=answers)
    hold = activity("hold", WATCHING, "until_over", at_s=60.0)
    player = Player(folder, experiment(folder, method=(step, hold)))
    player.until("effect_seen")
    before = player.up_to("readback_done") if answers else []
    if kept and answers:
        player.tell({"fact": ["readback_done", "us-east-1/13"]})
    return before + player.rest(), player.first_key


@pytest.mark.proves("a failback that a run plays reads the old timeline into the record before it is rewound")
def test_what_a_failback_gives_up_is_in_the_record_first(tmp_path: Path) -> None:
    messages, first = _reseeded(tmp_path, answers=True)
    kinds = [m["mark"]["kind"] if "mark" in m else m["table"] for m in messages]
    begun = kinds.index("step_started")
    assert kinds[begun : begun + 5] == [
        "step_started", "readback", "readback", "readback_done", "standby_streaming"
    ]  # fmt: skip
    rows = [m["columns"] for m in messages if "table" in m]
    assert [key for columns in rows for key in columns["key"]] == [first + 10, first + 11, first + 12]
    assert {t for columns in rows for t in columns["timeline"]} == {"us-east-1/13"}


@pytest.mark.proves("a failback that a run plays rewinds no timeline before the record has what was read of it")
def test_what_the_record_did_not_take_is_not_given_up(tmp_path: Path) -> None:
    """The runner is killed, or its disk full, with the rows in the pipe: they are nowhere else."""
    messages, _ = _reseeded(tmp_path, answers=True, kept=False)
    marks = {m["mark"]["kind"]: m["mark"]["detail"] for m in messages if "mark" in m}
    assert "standby_streaming" not in marks
    assert marks["step_finished"]["ok"] is False
    assert "no word that its orders are in the record" in marks["step_finished"]["why"]


def test_what_cannot_be_read_to_its_end_is_not_given_up(tmp_path: Path) -> None:
    messages, _ = _reseeded(tmp_path, answers=False)
    assert not any("table" in m for m in messages), "a part of it would be taken for all"
    marks = {m["mark"]["kind"]: m["mark"]["detail"] for m in messages}
    assert not {"readback_done", "standby_streaming"} & set(marks)
    assert marks["step_finished"]["ok"] is False
    assert "all its orders, before it is given up" in marks["step_finished"]["why"]


def test_an_injection_that_fails_ends_the_run_and_is_lifted(tmp_path: Path) -> None:
    player = Player(tmp_path, experiment(tmp_path, fails="inject"))
    player.process.wait(30)  # by itself: nobody has to tell it
    code, facts = player.end()
    assert code == 3
    assert facts[0] == "injection_begun"
    assert facts[-1] == "fault_gone"
    assert not player.broken


@pytest.mark.parametrize("probe", ["nothing_known", "empty"])
def test_a_probe_without_a_figure_breaks_nothing(tmp_path: Path, probe: str) -> None:
    """Chaoslib raises for the first out of its run, without rollbacks, and takes the second as out of tolerance."""
    player = Player(tmp_path, experiment(tmp_path, probe=probe))
    player.process.wait(30)
    code, facts = player.end()
    assert code == 3
    assert facts == []
    assert not player.broken


@pytest.mark.proves("What cannot be lifted is said: the executor ends with 5")
def test_what_cannot_be_lifted_is_said(tmp_path: Path) -> None:
    player = Player(tmp_path, experiment(tmp_path), "fails")
    player.until("effect_seen")
    code, facts = player.end()
    assert code == 5
    assert "lifted" not in facts
    assert player.broken


def test_a_second_signal_does_not_stop_the_lifting(tmp_path: Path) -> None:
    wait = activity("wait", "experiments.operate.moments", "wait_until", at_s=600.0)
    player = Player(tmp_path, experiment(tmp_path, method=(wait,)))
    player.until("effect_seen")
    player.process.send_signal(signal.SIGTERM)
    player.process.send_signal(signal.SIGTERM)
    code, _ = player.end()
    assert code == 4
    assert not player.broken


@pytest.mark.proves("Every fault is lifted before any is looked at, and a look that fails keeps none from being lifted")
def test_all_lifts_come_before_all_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    did: list[str] = []

    def look(fault: str, *_: object) -> bool:
        did.append(f"look {fault}")
        raise OSError("nobody answers")

    monkeypatch.setattr(execute.base, "lift", lambda fault, _: did.append(f"lift {fault}"))
    monkeypatch.setattr(execute, "until_gone", look)
    monkeypatch.setattr(execute.preparation, "put_back", lambda: did.append("put back"))
    looks = [activity("gone", WATCHING, "until_gone", fault=f"f:{n}", kind="f") for n in (1, 0)]
    left = execute.lift_everything({"rollbacks": looks})
    assert did == ["lift f:1", "lift f:0", "look f:1", "look f:0", "put back"]
    assert ["nobody answers" in words for words in left] == [True, True]


@pytest.mark.proves("A signal that interrupts a wait of the executor at its worst moment does not hang it")
def test_a_signal_within_a_wait_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute.moments, "told", threading.Event())
    told: Any = execute.moments.told
    ending = execute.Ending()
    ending.lifting = True

    def interrupted() -> None:
        with told._cond:  # as within `wait`
            ending.take_signal(signal.SIGTERM, None)

    thread = threading.Thread(target=interrupted, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    assert told.wait(20)


def test_an_injection_that_fails_ends_the_run_though_the_journal_cannot_be_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Chaoslib says nothing of what its followers raise."""

    def keep(_: object) -> None:
        raise OSError(28, "no space left on device")

    told = threading.Event()
    monkeypatch.setattr(execute.moments, "told", told)
    ending = execute.Ending()
    run = {"status": "failed", "exception": ["Traceback", "OSError: half way\n"]}
    with pytest.raises(OSError, match="no space"):
        execute.Follower(ending, keep).activity_completed(activity("inject it", "a", "inject"), run)
    assert ending.failed == ["inject it: OSError: half way"]
    assert told.is_set()
