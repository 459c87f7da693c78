"""What `gameday undo` does, by what it finds."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from experiments.faults import verbs
from experiments.platforms.shell import CommandError
from experiments.safety import pending
from experiments.safety import undo as undoing
from experiments.safety.guard import Guard
from experiments.safety.identity import WrongTargetError
from experiments.safety.journal import Journal
from experiments.safety.late import Late
from experiments.safety.lifting import Result
from experiments.safety.lock import HostLock, LockedError, this_process
from experiments.safety.reverter import Reverter
from experiments.safety.undo import Undone, undo
from experiments.testbed import state as testbed
from experiments.testbed.errors import TestbedError
from experiments.testbed.layout import Place
from experiments.testbed.system.watch import Watch
from gameday.cli import main
from scenarios.errors import LeftBehindError, Problem, UsageError
from scenarios.record.writer import RunWriter
from tests.unit.safety.doubles import Lifting
from tests.unit.safety.undo_world import PRIMARY, World, quiet

A = verbs.unpause("gameday-a")


def test_nothing_was_left(world: World, tmp_path: Path) -> None:
    done = undo(quiet, home=False, runs=tmp_path)
    assert world.did == []
    assert (done.lifted, done.left, done.pending) == ([], [], "")
    assert (done.primary, done.standby) == ("us-east-1", "us-west-2")


SINCE = "2026-11-26 07:10:00 UTC"


@pytest.mark.proves("undo enables trading again where a run has disabled it")
def test_trading_that_a_run_has_disabled(world: World, tmp_path: Path) -> None:
    world.trading_off = {"us-east-1": SINCE}
    Journal().append("opened", "one", home="us-east-1")
    Journal().append("trading", "one", region="us-east-1", enabled=False)
    done = undo(quiet, home=False, runs=tmp_path)
    assert "enable_trading" in world.did
    assert [(r.verb, r.target, r.ok, "run one had disabled it" in r.detail) for r in done.lifted] == [
        ("enable-trading", "us-east-1", True, True)
    ]
    assert done.left == []
    world.did.clear()
    assert undo(quiet, home=False, runs=tmp_path).lifted == []
    assert "enable_trading" not in world.did


@pytest.mark.proves("undo names trading that a person has disabled, and does not undo that decision")
@pytest.mark.parametrize("enabled", [None, True])
def test_trading_that_a_person_has_disabled(world: World, tmp_path: Path, enabled: bool | None) -> None:
    world.trading_off = {"us-east-1": SINCE}
    if enabled is not None:  # a run disabled it once, and enabled it
        Journal().append("trading", "one", region="us-east-1", enabled=False)
        Journal().append("trading", "one", region="us-east-1", enabled=True)
    done = undo(quiet, home=False, runs=tmp_path)
    assert "enable_trading" not in world.did
    assert [words.startswith(f"us-east-1: trading is disabled since {SINCE}") for words in done.left] == [True]


def test_what_reverter_and_ledger_hold_is_lifted(world: World, watch: Watch, lifting: Lifting, tmp_path: Path) -> None:
    watch.put({"generation": 1, "run": "one", "lifts": [A.to_json()]})
    Journal().append("opened", "one", home="us-east-1")
    Journal().append("armed", "one", "a", [A])
    done = undo(quiet, home=False, runs=tmp_path)
    assert [(result.target, result.ok) for result in done.lifted] == [("gameday-a", True)]
    assert lifting.docker.paused == {"gameday-b"}
    assert done.run == "one"
    assert Journal().held() == []


def test_what_cannot_be_lifted_is_left(world: World, watch: Watch, lifting: Lifting, tmp_path: Path) -> None:
    lifting.docker.broken.add("unpause")
    watch.put({"generation": 1, "run": "one", "lifts": [A.to_json()]})
    Journal().append("armed", "one", "a", [A])
    done = undo(quiet, home=False, runs=tmp_path)
    assert done.left == ["docker-unpause gameday-a: cannot unpause"]
    assert [held.fault for held in Journal().held()] == ["a"]


def test_a_system_that_is_not_whole_is_said(world: World, tmp_path: Path) -> None:
    world.lacks = ("node gameday-us-east-1-worker is exited",)
    assert undo(quiet, home=False, runs=tmp_path).left == list(world.lacks)


def test_fenced_and_nobody_promoted(world: World, tmp_path: Path) -> None:
    world.witness.lease = {"region": "us-east-1", "fenced": True}
    undo(quiet, home=False, runs=tmp_path)
    assert world.did == ["connect", "lease home"]


@pytest.mark.proves("while the other database is silent undo lets no fenced primary write again")
def test_fenced_and_the_other_is_silent(world: World, tmp_path: Path) -> None:
    """It may have been promoted: all nodes were stopped since, as by a machine that started anew."""
    world.witness.lease = {}
    world.databases = {"us-east-1": PRIMARY, "us-west-2": None}
    with pytest.raises(LeftBehindError, match="us-west-2"):
        undo(quiet, home=False, runs=tmp_path)
    assert world.did == []


def test_what_was_stopped_says_that_it_was_promoted(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starts(place: Place) -> None:
        world.did.append(f"start {place.region}")
        world.promoted()

    world.databases = {"us-east-1": None, "us-west-2": None}
    world.witness.lease = {"region": "us-west-2"}
    monkeypatch.setattr(undoing, "start_stopped", starts)
    done = undo(quiet, home=False, runs=tmp_path)
    assert world.did[:2] == ["start us-west-2", "promote"]
    assert done.primary == "us-west-2"


def test_cut_and_nobody_promoted(world: World, tmp_path: Path) -> None:
    """The witness was silent when the region was lifted."""
    Journal().append("opened", "one", home="us-east-1")
    Journal().keep_cut({"gameday-us-east-1-worker": "10.0.0.2"})
    undo(quiet, home=False, runs=tmp_path)
    assert world.did == []
    world.nodes = {"gameday-us-east-1-worker": "cut"}
    Journal().append("opened", "one", home="us-east-1")
    Journal().keep_cut({"gameday-us-east-1-worker": "10.0.0.2"})
    undo(quiet, home=False, runs=tmp_path)
    assert world.did == ["connect", "lease home"]


@pytest.mark.parametrize("taken", [False, True])
def test_a_node_without_its_ports_gets_them(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    def publish(node: str) -> None:
        world.did.append(node)
        if taken:
            raise TestbedError(Problem(node, "127.0.1.1:30080 is in use", "its ports", "Free it."))

    world.nodes = {"gameday-us-east-1-control-plane": "unpublished"}
    monkeypatch.setattr(undoing.clusters, "publish", publish)
    with pytest.raises(LeftBehindError, match="30080") if taken else nullcontext():
        undo(quiet, home=False, runs=tmp_path)
    assert world.did == ["gameday-us-east-1-control-plane"]


def test_what_does_not_answer_is_left_not_a_bug(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> None:
        raise ConnectionError("nobody answers")

    world.promoted()
    monkeypatch.setattr(undoing, "_finish_failover", silent)
    with pytest.raises(LeftBehindError, match="nobody answers"):
        undo(quiet, home=False, runs=tmp_path)
    kept = pending.read()
    assert kept is not None
    assert not kept.demoted


@pytest.mark.parametrize("where", ["bring_home", "demote"])
def test_what_refuses_is_left_not_wrong_usage(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Exit code 5: a script must not take it for a mistake on its command line."""

    def refuses(*_: object) -> None:
        raise CommandError(Problem("docker exec gameday-us-east-1-worker", "exit code 1", "exit code 0", "Look."))

    if where == "demote":
        world.promoted()
        monkeypatch.setattr(undoing, "demote", refuses)
    else:
        world.witness.lease = {"region": "us-east-1", "fenced": True}
        monkeypatch.setattr(undoing.outside, "bring_home", refuses)
    with pytest.raises(LeftBehindError, match="exit code 1"):
        undo(quiet, home=False, runs=tmp_path)


def test_no_testbed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to undo"):
        undo(quiet, home=False, runs=tmp_path)


@pytest.mark.proves("after a promotion undo finishes the failover and demotes the old primary; home stays pending")
def test_after_a_promotion(world: World, tmp_path: Path) -> None:
    world.promoted()
    done = undo(quiet, home=False, runs=tmp_path)
    assert world.did == ["promote", "_finish_failover", "demote"]
    assert (done.primary, done.standby, done.left) == ("us-west-2", "us-east-1", [])
    kept = pending.read()
    assert kept is not None
    assert kept.demoted
    assert done.pending == str(kept)


@pytest.mark.proves("undo demotes no old primary whose orders a killed run has not read back")
def test_an_old_primary_that_could_not_be_read(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world.promoted()
    monkeypatch.setattr(undoing, "_read_late", lambda _: Late((), ("us-east-1",), None, ""))
    with pytest.raises(LeftBehindError, match="us-east-1 cannot be read"):
        undo(quiet, home=False, runs=tmp_path)
    assert "demote" not in world.did


@pytest.mark.proves("undo finds the record of a killed run from any folder, and reads it back before it demotes")
def test_it_finds_the_record_from_any_folder(
    world: World, watch: Watch, reverter: Reverter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path | None] = []
    folder = tmp_path / "where the run was" / "one"
    with Guard("one", record=folder, reverter=reverter):
        RunWriter(folder, {})
    world.promoted()
    monkeypatch.setattr(undoing, "_read_late", read.append)
    undo(quiet, home=False, runs=tmp_path / "a fresh shell")
    assert read == [folder]


def test_undo_again_knows_which_was_the_old_one(world: World, tmp_path: Path) -> None:
    world.promoted()
    for _ in range(2):
        done = undo(quiet, home=False, runs=tmp_path)
        assert (done.primary, done.standby) == ("us-west-2", "us-east-1")


@pytest.mark.proves("undo touches nothing when something else answers in a target's place")
def test_another_cluster_in_its_place(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"us-east-1": testbed.Identity("gameday", "a-uid", "a-fingerprint")}
    testbed.change(identities=known)
    asked: list[object] = []

    def refuse(found: object) -> None:
        asked.append(found)
        raise WrongTargetError(Problem("target us-east-1", "another", "a-uid", "Look."))

    monkeypatch.setattr(undoing, "refuse_others", refuse)
    Journal().append("armed", "one", "a", [A])
    with pytest.raises(WrongTargetError):
        undo(quiet, home=False, runs=tmp_path)
    assert asked == [known]
    assert [held.fault for held in Journal().held()] == ["a"], "nothing was lifted"


def test_not_while_a_game_day_is_on(world: World, tmp_path: Path) -> None:
    lock = HostLock()
    lock.take(this_process("one"))
    try:
        with pytest.raises(LockedError, match="run one"):
            undo(quiet, home=False, runs=tmp_path)
    finally:
        lock.give_back()


# --- the command


@pytest.mark.parametrize(
    ("done", "code", "words"),
    [
        (Undone(primary="us-east-1", standby="us-west-2"), 0, "nothing was left to lift"),
        (Undone(left=["docker-unpause x: no"]), 5, "left behind: docker-unpause x: no"),
        (Undone(pending="the primary is in us-west-2"), 0, "pending: the primary is in us-west-2"),
    ],
)
def test_the_command(
    done: Undone, code: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(undoing, "undo", lambda *_, **__: done)
    assert main.run(["undo"]) == code
    out, err = capsys.readouterr()
    assert words in out + err
    assert err.splitlines()[-1].startswith("next: gameday")


def test_the_command_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    given: dict[str, Any] = {}

    def undone(_: object, **more: Any) -> Undone:
        given.update(more)
        return Undone(lifted=[Result("http", "x", True, "done", 0.1)], took_s=3.2)

    monkeypatch.setattr(undoing, "undo", undone)
    assert main.run(["undo", "--home", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["lifted"][0]["target"] == "x"
    assert given["home"]
