"""How `gameday undo` brings the primary home, and what a reset reads before."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from experiments.operate.verbs import StepError
from experiments.safety import pending
from experiments.safety import undo as undoing
from experiments.safety.journal import Journal
from experiments.safety.late import Late
from experiments.safety.undo import save_unread, undo
from experiments.testbed.status import Database
from scenarios.errors import LeftBehindError, Problem, RecordError
from scenarios.record.writer import RunWriter
from tests.unit.safety.undo_world import PRIMARY, World, quiet


def test_home_comes_after_the_old_primary_follows(world: World, tmp_path: Path) -> None:
    world.promoted()
    done = undo(quiet, home=True, runs=tmp_path)
    assert world.did == ["promote", "demote", "come_home"], "it does not depend on finishing the failover"
    assert (done.primary, done.standby, done.pending, done.left) == ("us-east-1", "us-west-2", "", [])
    assert pending.read() is None


def test_home_changes_nothing_when_nobody_was_promoted(world: World, tmp_path: Path) -> None:
    assert undo(quiet, home=True, runs=tmp_path).primary == "us-east-1"
    assert world.did == []


def test_one_that_was_stopped_on_the_way_home_goes_on(world: World, tmp_path: Path) -> None:
    """Home is promoted, the database elsewhere is out of recovery still, on an earlier timeline, and fenced."""
    pending.keep("us-east-1", "us-west-2", "one", None, demoted=True)
    world.databases = {"us-east-1": Database(True, 3, 9, None, 0), "us-west-2": Database(True, 2, 9, None, 0)}
    done = undo(quiet, home=False, runs=tmp_path)
    assert world.did == ["end"]
    assert done.primary == "us-east-1"
    assert pending.read() is None


@pytest.mark.proves("undo after a kill between a failback's promotion and its reseeding makes home the only primary")
@pytest.mark.parametrize("home", [False, True])
def test_killed_in_a_failback_that_a_run_played_after_its_promotion(world: World, tmp_path: Path, home: bool) -> None:
    """Home holds the lease again; the database elsewhere is out of recovery still. Nothing was kept as pending."""
    Journal().append("opened", "one", home="us-east-1")
    world.databases = {"us-east-1": PRIMARY, "us-west-2": PRIMARY}
    done = undo(quiet, home=home, runs=tmp_path)
    assert world.did == ["end"]
    assert (done.primary, done.pending) == ("us-east-1", "")


@pytest.mark.proves("undo after a kill at a failback's last step scales the services away to their plan")
def test_killed_in_a_failback_that_a_run_played_before_its_last_step(world: World, tmp_path: Path) -> None:
    """The database away follows home again; its services run as they did while users went there."""
    Journal().append("opened", "one", home="us-east-1")
    world.pods["us-west-2"] = 2
    undo(quiet, home=False, runs=tmp_path)
    plan = {"strategic": 0, "tactical": 0, "risk": 0}
    assert world.did == [f"deploy {({'region': 'us-west-2'}, {'plan': plan})}"]


@pytest.mark.proves(
    "what a run killed after its last rewinding has not read back is read by undo, and its orders listed"
)
@pytest.mark.parametrize("error", [None, RecordError(Problem("the record", "no room", "some", "Make some."))])
def test_killed_when_the_primary_was_home_again(
    error: RecordError | None, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is rewound any more: a record that takes nothing keeps nothing from being whole."""

    def late(record: Path) -> Late:
        if error is not None:
            raise error
        return Late(("us-east-1/9",), (), 3, str(record / "reconciliation.csv"))

    Journal().append("opened", "one", home="us-east-1")
    RunWriter(tmp_path / "one", {"topology": {"database": {"home": "us-east-1"}}})
    monkeypatch.setattr(undoing, "read_late", late)
    monkeypatch.setattr(undoing, "to_fenced_databases", nullcontext)
    done = undo(quiet, home=True, runs=tmp_path)
    assert (done.primary, done.left) == ("us-east-1", [])
    assert done.late is not None
    assert (done.late.only_there, done.late.unlisted) == ((3, "") if error is None else (None, "the record: no room"))


def test_what_is_refused_on_the_way_home_is_left(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise StepError(Problem("promote us-east-1", "no promotion", "a primary", "Look."))

    world.promoted()
    monkeypatch.setattr(undoing, "come_home", refused)
    with pytest.raises(LeftBehindError, match="no promotion"):
        undo(quiet, home=True, runs=tmp_path)
    assert pending.read() is not None


# --- before a reset


@pytest.mark.proves("testbed reset destroys no timeline that a killed run has not read back")
@pytest.mark.parametrize("unread", [(), ("us-east-1",)])
def test_a_reset_reads_first(
    unread: tuple[str, ...], world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def late(record: Path) -> Late:
        read.append(record)
        return Late((), unread, None, "")

    Journal().append("opened", "one", home="us-east-1")
    RunWriter(tmp_path / "one", {"topology": {"database": {"home": "us-east-1"}}})
    monkeypatch.setattr(undoing, "read_late", late)
    monkeypatch.setattr(undoing, "to_fenced_databases", nullcontext)
    if unread:
        with pytest.raises(LeftBehindError, match="us-east-1 cannot be read"):
            save_unread(tmp_path)
    else:
        save_unread(tmp_path)
    assert read == [tmp_path / "one"]


def test_a_reset_of_what_was_read_reads_nothing(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Journal().append("opened", "one", home="us-east-1")
    with RunWriter(tmp_path / "one", {"topology": {"database": {"home": "us-east-1"}}}) as writer:
        writer.close("complete")
    monkeypatch.setattr(undoing, "read_late", lambda _: pytest.fail("it was read"))
    save_unread(tmp_path)
    save_unread(tmp_path / "no records")
