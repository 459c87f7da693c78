"""No injection without an echo, a ledger that survives, heartbeats that keep the reverter quiet."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from experiments.faults import verbs
from experiments.faults.verbs import Lift
from experiments.platforms import kind
from experiments.safety import guard as guarding
from experiments.safety import lifting as lifting_here
from experiments.safety.guard import Arms, Guard
from experiments.safety.journal import Journal, JournalError, Kind
from experiments.safety.reverter import Reverter
from experiments.testbed.system.watch import SILENT_S, Watch
from scenarios.errors import AbortedError, LeftBehindError, UsageError
from tests.unit.safety.doubles import Clock, Lifting, Witness

A, B = verbs.unpause("gameday-a"), verbs.unpause("gameday-b")
NOWHERE = Reverter("http://127.0.0.1:1")


@pytest.fixture(autouse=True)
def outside(witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (kind, lifting_here):
        monkeypatch.setattr(module, "OUTSIDE_URL", witness.url)


@pytest.mark.proves("a fault's lift is in the ledger and echoed by the reverter before the fault is injected")
def test_armed_in_both_places(reverter: Reverter, watch: Watch, lifting: Lifting) -> None:
    with Guard("one", reverter=reverter) as guard:
        guard.arm("node-pause:0", [A])
        assert watch.plan.lifts == (A.to_json(),)
        assert [held.lifts for held in Journal().held()] == [(A,)]
        guard.arm("node-pause:1", [B])
        assert watch.plan.lifts == (B.to_json(), A.to_json())  # the last one is lifted first
        assert lifting.docker.done == []
    assert lifting.docker.done == [("unpause", "gameday-b"), ("unpause", "gameday-a")]
    assert Journal().held() == []


def test_what_is_to_stay_is_held_no_longer(reverter: Reverter, watch: Watch, lifting: Lifting) -> None:
    with Guard("one", reverter=reverter) as guard:
        guard.arm("node-pause:0", [B])
        guard.arm("change:0", [A])
        guard.arms.release("change:0")
        assert watch.plan.lifts == (B.to_json(),)
        assert [held.fault for held in Journal().held()] == ["node-pause:0"]
    assert lifting.docker.done == [("unpause", "gameday-b")]


def test_a_run_that_disables_trading_is_known_by_its_ledger() -> None:
    assert Journal().disabled_trading() == {}
    arms = Arms("one", NOWHERE)
    arms.note_trading("us-east-1", enabled=False)
    arms.note_trading("us-west-2", enabled=False)
    arms.note_trading("us-west-2", enabled=True)
    assert Journal().disabled_trading() == {"us-east-1": "one"}


def test_no_run_without_a_reverter() -> None:
    with pytest.raises(UsageError, match="no answer"), Guard("one", reverter=NOWHERE):
        pytest.fail("entered")


def test_no_injection_without_an_echo(reverter: Reverter) -> None:
    with Guard("one", reverter=reverter):
        silent = Arms("one", NOWHERE)
        with pytest.raises(AbortedError, match="no answer"):
            silent.arm("node-pause:0", [A])
        assert Journal().held() == []


def test_no_injection_without_room_in_the_ledger(reverter: Reverter, watch: Watch, state: Path) -> None:
    with Guard("one", reverter=reverter) as guard:
        blocked = state / "blocked"
        blocked.write_text("a file where a folder is wanted")
        arms = Arms("one", reverter, Journal(blocked / "faults.jsonl"))
        with pytest.raises(JournalError):
            arms.arm("node-pause:0", [A])
        assert watch.plan.lifts == ()
        assert guard.lost == ""


def test_a_child_arms_for_its_parent(reverter: Reverter, watch: Watch) -> None:
    with Guard("one", reverter=reverter) as guard:
        Arms("one", reverter).arm("node-pause:0", [A])
        guard.arm("node-pause:1", [B])
        assert len(watch.plan.lifts) == 2
        with pytest.raises(AbortedError, match="run one"):
            Arms("two", reverter).arm("node-pause:0", [A])


class Meanwhile(Journal):
    """A ledger in front of which another thread of the run arms a fault of its own, at the worst moment."""

    def __init__(self, reverter: Reverter) -> None:
        super().__init__()
        self._reverter = reverter

    def append(self, kind: Kind, run: str, fault: str = "", lifts: Sequence[Lift] = (), **detail: Any) -> None:
        if kind == "armed":
            Arms(run, self._reverter).arm("b", [B])
        super().append(kind, run, fault, lifts, **detail)


@pytest.mark.proves("of two faults that are armed at the same moment the reverter holds both lifts")
def test_two_faults_armed_at_once(reverter: Reverter, watch: Watch) -> None:
    with Guard("one", reverter=reverter):
        Arms("one", reverter, Meanwhile(reverter)).arm("a", [A])
        assert watch.plan.lifts == (A.to_json(), B.to_json())


class Between(Journal):
    """A ledger in front of which another thread arms a fault, just before this one strikes off what is given up."""

    def __init__(self, reverter: Reverter) -> None:
        super().__init__()
        self._reverter = reverter

    def append(self, kind: Kind, run: str, fault: str = "", lifts: Sequence[Lift] = (), **detail: Any) -> None:
        if kind == "lifted":
            Arms(run, self._reverter).arm("b", [B])
        super().append(kind, run, fault, lifts, **detail)


@pytest.mark.proves("a change that came to its end stays, whatever is armed while its lift is given up")
def test_one_is_given_up_while_another_is_armed(reverter: Reverter, watch: Watch) -> None:
    with Guard("one", reverter=reverter):
        arms = Arms("one", reverter, Between(reverter))
        arms.arm("change:0", [A])
        arms.release("change:0")
        assert watch.plan.lifts == (B.to_json(),)


def test_lifting_one_leaves_the_other(reverter: Reverter, watch: Watch, lifting: Lifting) -> None:
    with Guard("one", reverter=reverter) as guard:
        guard.arm("a", [A])
        guard.arm("b", [B])
        assert [result.ok for result in guard.arms.lift("a", "procedure")] == [True]
        assert watch.plan.lifts == (B.to_json(),)
        assert [held.fault for held in Journal().held()] == ["b"]
        assert lifting.docker.done == [("unpause", "gameday-a")]


def test_what_cannot_be_lifted_is_said_and_blocks_the_next_run(reverter: Reverter, lifting: Lifting) -> None:
    lifting.docker.broken.add("unpause")
    with pytest.raises(LeftBehindError, match="cannot unpause"), Guard("one", reverter=reverter) as guard:
        guard.arm("a", [A])
    with pytest.raises(UsageError, match="a of run one"), Guard("two", reverter=reverter):
        pytest.fail("entered")


def test_the_next_run_begins_at_once(reverter: Reverter) -> None:
    for run in ("one", "two"):
        with Guard(run, reverter=reverter) as guard:
            guard.arm("a", [A])


def test_what_the_reverter_lifted_is_struck_off(
    reverter: Reverter, watch: Watch, clock: Clock, lifting: Lifting
) -> None:
    """The runner of run one is dead: nobody has left the block."""
    dead = Guard("one", reverter=reverter)
    dead.__enter__()
    dead._over.set()
    dead.arm("a", [A])
    clock.s += SILENT_S + 1
    watch._ticked_s = clock.s
    watch.tick()
    assert lifting.docker.done == [("unpause", "gameday-a")]
    assert [held.fault for held in Journal().held()] == ["a"]
    with Guard("two", reverter=reverter):
        assert Journal().held() == []


def test_a_run_whose_faults_were_lifted_behind_its_back_is_lost(
    reverter: Reverter, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarding, "HEARTBEAT_S", 0.01)
    with Guard("one", reverter=reverter) as guard:
        assert guard.lost == ""
        guard.arm("a", [A])
        watch.lift(watch.plan.generation, by="silence")
        until = time.monotonic() + 30
        while not guard.lost and time.monotonic() < until:
            time.sleep(0.01)
        assert "lifted every fault" in guard.lost


def test_no_run_while_nobody_may_write(reverter: Reverter, witness: Witness) -> None:
    witness.lease = {"region": "us-east-1", "fenced": True}
    with pytest.raises(UsageError, match="nobody"), Guard("one", reverter=reverter):
        pytest.fail("entered")


# --- the ledger by itself

KILLED = """
import sys
from experiments.faults import verbs
from experiments.safety.journal import Journal, JournalError, Kind
Journal().append("armed", "one", "a", [verbs.unpause("gameday-a")])
print("armed", flush=True)
sys.stdin.read()
"""


@pytest.mark.proves("the ledger of faults survives SIGKILL of the process that armed them")
def test_a_ledger_after_sigkill(state: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", KILLED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"armed\n"
        process.send_signal(signal.SIGKILL)
    assert [(held.run, held.fault, held.lifts) for held in Journal().held()] == [("one", "a", (A,))]
    assert (state / "faults.jsonl").stat().st_mode & 0o077 == 0


def test_a_torn_line_swallows_nothing(state: Path) -> None:
    journal = Journal()
    journal.append("armed", "one", "a", [A])
    with journal.path.open("a", encoding="utf-8") as file:
        file.write('{"kind": "armed", "run": "one", "fault": "torn", "li')
    journal.append("armed", "one", "b", [B])
    assert [held.fault for held in journal.held()] == ["a", "b"]


@pytest.mark.parametrize("line", ["123", "[]", '{"kind": "armed", "run": "one"}'])
def test_a_line_that_is_no_entry_is_said(state: Path, line: str) -> None:
    """It may have been a fault: nobody may say that nothing is left."""
    journal = Journal()
    journal.append("armed", "one", "a", [A])
    with journal.path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    for read in (journal.held, journal.home, journal.last_run, journal.cut):
        with pytest.raises(JournalError, match="an entry of the ledger"):
            read()


def test_a_ledger_that_is_put_aside_stays_readable(state: Path) -> None:
    journal = Journal()
    journal.append("armed", "one", "a", [A])
    journal.forget()
    assert journal.held() == []
    assert json.loads((state / "faults.previous.jsonl").read_text())["fault"] == "a"
