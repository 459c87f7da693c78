"""One game day at a time, on this machine and in each target."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from experiments.faults import base
from experiments.platforms import kind
from experiments.run.quiet import Before
from experiments.safety import lock as locking
from experiments.safety.guard import Guard
from experiments.safety.journal import Journal, JournalError
from experiments.safety.lock import GameDayLock, HostLock, LockedError, LockError, TargetLease, this_process
from experiments.safety.reverter import Reverter
from experiments.safety.undo import undo
from experiments.testbed.system.watch import Watch
from gameday import game_day
from scenarios.errors import UsageError
from scenarios.files.load import load
from tests.unit.safety.doubles import Clock, Objects, Witness

HOLDS = """
import os, sys
from experiments.safety.lock import HostLock, this_process
lock = HostLock()
lock.take(this_process("first"))
if "child" in sys.argv and os.fork() == 0:
    os.close(1)
    sys.stdin.read()
    os._exit(0)
print(os.getpid(), flush=True)
sys.stdin.read()
"""


def holder(*arguments: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    assert int(process.stdout.readline()) == process.pid
    return process


@pytest.fixture
def lock() -> Iterator[HostLock]:
    lock = HostLock()
    yield lock
    lock.give_back()


@pytest.mark.proves("two game days at once are refused, and the error says who is on and since when")
def test_another_process_is_refused_by_name(lock: HostLock) -> None:
    with holder() as process:
        with pytest.raises(LockedError, match=rf"run first \(process {process.pid} on .*\), since 20..-") as caught:
            lock.take(this_process("second"))
        assert caught.value.problems[0].where == "game day on this machine"
        process.kill()


@pytest.mark.parametrize("arguments", [[], ["child"]])
def test_a_dead_process_holds_nothing(lock: HostLock, arguments: list[str]) -> None:
    """Also when a child of it lives on."""
    process = holder(*arguments)
    process.send_signal(signal.SIGKILL)
    process.wait()
    lock.take(this_process("second"))
    assert process.stdin is not None
    process.stdin.close()


def test_the_same_process_is_refused_too(lock: HostLock) -> None:
    lock.take(this_process("first"))
    with pytest.raises(LockedError, match="run first"):
        HostLock().take(this_process("second"))
    lock.give_back()
    lock.take(this_process("second"))


def test_garbage_in_the_file_is_no_holder(lock: HostLock, state: Path) -> None:
    state.mkdir(parents=True)
    (state / "lock").write_text("not JSON")
    lock.take(this_process("second"))


def test_a_link_in_the_place_of_a_file_is_not_followed(lock: HostLock, state: Path, tmp_path: Path) -> None:
    """Where others may write too, it might lead to any file of ours."""
    state.mkdir(parents=True)
    (tmp_path / "mine").write_text("mine")
    for name in ("lock", "faults.jsonl"):
        (state / name).symlink_to(tmp_path / "mine")
    with pytest.raises(LockError):
        lock.take(this_process("first"))
    with pytest.raises(JournalError):
        Journal().append("opened", "first", home="us-east-1")
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_plan_is_its_owners_to_read(state: Path) -> None:
    base.keep("crash-loop:0", base.Plan("crash-loop", (), ""))
    assert (state / "faults").stat().st_mode & 0o077 == 0


def test_without_a_target_the_machine_is_locked(state: Path) -> None:
    with GameDayLock("first"), pytest.raises(LockedError), GameDayLock("second"):
        pytest.fail("entered")
    with GameDayLock("third"):
        pass


# --- the Lease in a target

ME = this_process("first")
OTHER = replace(ME, machine="elsewhere", run="second", since="2026-01-02T03:04:05.000000Z")


@pytest.fixture
def objects() -> Objects:
    return Objects()


@pytest.fixture
def target(objects: Objects) -> TargetLease:
    server: Any = objects
    return TargetLease("us-east-1", server)


def test_a_lease_of_another_machine_is_respected(target: TargetLease) -> None:
    target.take(OTHER)
    expected = r"run second \(process \d+ on elsewhere\), since 2026-01-02T03:04:05"
    with pytest.raises(LockedError, match=expected):
        target.take(ME)
    with pytest.raises(LockedError, match=expected):
        target.renew(ME)
    target.give_back(ME)
    assert target._read() is not None


def test_a_lease_that_was_not_renewed_is_taken_over(
    target: TargetLease, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "WATCHED_S", 0.05)
    monkeypatch.setattr(locking, "LOOK_S", 0.01)
    target.take(OTHER)
    next(iter(objects.kept.values()))["spec"]["renewTime"] = "2026-01-02T03:04:05.000000Z"
    target.take(ME)
    with pytest.raises(LockedError, match="run first"):
        target.renew(OTHER)


@pytest.mark.proves("A run of another machine keeps its target although the two machines' clocks differ by minutes")
@pytest.mark.parametrize("stamp", ["2026-01-02T03:04:05.000000Z", "2999-01-02T03:04:05.000000Z"])
def test_a_lease_by_another_clock_that_is_renewed_is_respected(
    stamp: str, target: TargetLease, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "WATCHED_S", 5.0)
    looks: list[float] = []

    def renewed(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            target.renew(OTHER)
            lease["spec"]["renewTime"] = stamp

    target.take(OTHER)
    lease = next(iter(objects.kept.values()))
    lease["spec"]["renewTime"] = stamp
    monkeypatch.setattr(locking.time, "sleep", renewed)
    with pytest.raises(LockedError, match="run second"):
        target.take(ME)
    assert len(looks) == 3


def test_a_lease_that_somebody_else_has_made_is_respected(target: TargetLease, objects: Objects) -> None:
    """As a person who wants no game day now does it."""
    target.take(OTHER)
    next(iter(objects.kept.values()))["spec"] = {"holderIdentity": "change freeze"}
    with pytest.raises(LockedError, match="`change freeze`, which is no run of ours"):
        target.take(ME)


def test_a_lease_of_a_dead_run_of_this_machine_is_taken_over(target: TargetLease) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    target.take(replace(ME, pid=dead.pid, run="dead"))
    target.take(ME)
    target.renew(ME)
    target.give_back(ME)
    assert target._read() is None


@pytest.mark.proves("A run of another user on the same machine, whose lock is not seen, keeps its targets")
def test_a_lease_of_a_living_run_of_this_machine_is_respected(target: TargetLease) -> None:
    target.take(replace(ME, pid=os.getppid(), run="another user's"))
    with pytest.raises(LockedError, match="another user's"):
        target.take(ME)


def test_whoever_loses_the_race_is_refused(target: TargetLease, objects: Objects) -> None:
    objects.busy = 1
    with pytest.raises(LockedError):
        target.take(ME)


@pytest.mark.proves("a run stops itself when another one takes its target")
def test_a_run_whose_target_was_taken_stops(
    target: TargetLease, objects: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "RENEW_S", 0.01)
    monkeypatch.setattr(locking, "_servers", lambda _: [("us-east-1", target.server)])
    reasons: list[str] = []
    message = {"table": "samples", "columns": {"name": []}}
    with GameDayLock("first") as lock:
        guard: Any = SimpleNamespace(lost="")
        stage = game_day.Stage("kind", Before, nullcontext, nullcontext)
        conditions = game_day._conditions(stage, load("region-loss-automatic"), tmp_path, guard, lock, observe=False)
        conditions(message, reasons.append)
        assert reasons == []
        next(iter(objects.kept.values()))["spec"]["holderIdentity"] = "elsewhere/7/second"
        until = time.monotonic() + 20
        while not lock.stolen and time.monotonic() < until:
            time.sleep(0.01)
        conditions._looked_s = float("-inf")
        conditions(message, reasons.append)
    assert len(reasons) == 1
    assert reasons[0].startswith(
        "game day on the target us-east-1 was taken by another: run second (process 7 on elsew"
    )


@pytest.mark.proves("a run stops itself when a target does not let it in for a minute, as when its token has expired")
@pytest.mark.parametrize("denied", ["GET", "PUT"])
def test_a_run_whose_token_expires_stops(
    denied: str, target: TargetLease, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "RENEW_S", 0.01)
    monkeypatch.setattr(locking, "LEASE_S", 0)
    monkeypatch.setattr(locking, "_servers", lambda _: [("us-east-1", target.server)])
    with GameDayLock("first") as lock:
        objects.denies = {denied}
        until = time.monotonic() + 20
        while not lock.stolen and time.monotonic() < until:
            time.sleep(0.01)
        objects.denies = set()
    assert lock.stolen.endswith("was denied for more than 0 s: 401: Unauthorized")


@pytest.mark.proves("The testbed is not changed while the reverter hears a run, whoever's it is")
def test_a_run_that_is_heard(reverter: Reverter, watch: Watch, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "Reverter", lambda: reverter)
    locking.refuse_heard()
    watch.put({"generation": 1, "run": "one", "lifts": []})
    with pytest.raises(LockedError, match="run one, heard 0 s ago"):
        locking.refuse_heard()
    clock.s += 10
    locking.refuse_heard()


@pytest.mark.proves("A second user of a Docker host is refused while a game day is on, with and without its targets")
@pytest.mark.parametrize("answering", [True, False])
def test_a_second_user_whose_lock_lies_elsewhere_is_refused(
    answering: bool, target: TargetLease, reverter: Reverter, witness: Witness, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Both reach the same Docker and the same targets; neither sees the other's state folder."""
    monkeypatch.setattr(kind, "OUTSIDE_URL", witness.url)
    monkeypatch.setattr(locking, "_servers", lambda _: [("us-east-1", target.server)] if answering else [])
    monkeypatch.setattr(locking, "Reverter", lambda: reverter)
    with GameDayLock("first"), Guard("first", reverter=reverter):
        monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path / "another user"))
        refused = pytest.raises(UsageError, match="run first")
        with refused as caught, GameDayLock("second"), Guard("second", reverter=reverter):
            pytest.fail("a second run began")
        assert ("target us-east-1" in str(caught.value)) is answering, "the Lease first; without one, the reverter"
        with pytest.raises(LockedError, match="run first"):
            locking.refuse_heard()  # testbed up, reset and down
        with pytest.raises(UsageError, match="no testbed on this machine"):
            undo(lambda *_: None, home=False, runs=tmp_path)
