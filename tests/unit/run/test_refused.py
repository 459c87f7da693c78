"""A game day that is refused, or interrupted at its end: nothing of it stays behind, nothing is half done."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from experiments.run.quiet import Before
from experiments.run.stopping import deferring
from experiments.safety.lock import HostLock, LockedError, this_process
from gameday import game_day
from gameday.game_day import Stage, play_on
from scenarios.errors import Problem, UsageError
from scenarios.files.load import load

NO = UsageError(Problem("a test", "this", "that", "Nothing."))


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(game_day, "_insist_on_good", lambda *_: {})


def play(runs: Path, ready: Any, targets: Any = nullcontext, **given: Any) -> None:
    stage = Stage("kind", ready, targets, nullcontext, **given)
    play_on(stage, load("pod-kill-strategic", world="kind"), runs, confirm=None, ask=None, observe=None)


@pytest.mark.proves("The testbed is not even looked at before the lock is held: another run may be breaking it")
def test_the_lock_comes_first(tmp_path: Path) -> None:
    looked: list[str] = []

    def ready() -> Before:
        with pytest.raises(LockedError, match="pod-kill-strategic"):
            HostLock().take(this_process("another"))
        looked.append("here")
        raise NO

    with pytest.raises(UsageError):
        play(tmp_path / "runs", ready)
    assert looked == ["here"]
    lock = HostLock()
    lock.take(this_process("the next one"))
    lock.give_back()


@pytest.mark.proves("A game day that its guard refuses leaves no record")
def test_no_record_when_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entered: list[str] = []

    @contextmanager
    def targets() -> Iterator[dict[str, str]]:
        yield {}

    class Guard:
        def __init__(self, run: str, **_: object) -> None:
            self.run = run

        def __enter__(self) -> None:
            entered.append(self.run)
            raise NO

        def __exit__(self, *_: object) -> None:
            return

    monkeypatch.setattr(game_day, "Guard", Guard)
    monkeypatch.setattr(game_day, "GameDayLock", lambda _: nullcontext())
    monkeypatch.setattr(game_day, "_experiment", lambda *_: {})
    with pytest.raises(UsageError):
        play(tmp_path / "runs", Before, targets)
    assert len(entered) == 1
    assert not (tmp_path / "runs").exists() or list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize(("refuses", "done"), [("sends", []), ("load", ["sends"]), ("begins", ["sends", "load"])])
@pytest.mark.proves("What allowed a game day is asked again when all is ready, and it ends when that holds no more")
def test_it_may_not_begin_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refuses: str, done: list[str]
) -> None:
    """The guard is there and is left again; no observer was started, and there is no record.

    It is asked before anything is sent, and again before the clock starts.
    """
    guarded: list[str] = []
    asked: list[str] = []

    class Guard:
        def __init__(self, run: str, **_: object) -> None:
            self.run = run

        def __enter__(self) -> None:
            guarded.append("entered")

        def __exit__(self, *_: object) -> None:
            guarded.append("left")

    def ask(what: str) -> dict[str, Any]:
        assert guarded == ["entered"]
        if what == refuses:
            raise NO
        asked.append(what)
        return {}

    monkeypatch.setattr(game_day, "_insist_on_good", lambda *_: ask("load"))
    monkeypatch.setattr(game_day, "Guard", Guard)
    monkeypatch.setattr(game_day, "GameDayLock", lambda _: nullcontext())
    monkeypatch.setattr(game_day, "_experiment", lambda *_: {})
    stage = {name: lambda name=name: ask(name) for name in ("sends", "begins")}
    with pytest.raises(UsageError):
        play(tmp_path / "runs", Before, lambda: nullcontext({}), **stage)
    assert (guarded, asked) == (["entered", "left"], done)
    assert not (tmp_path / "runs").exists() or list((tmp_path / "runs").iterdir()) == []


def test_its_time_is_over(tmp_path: Path) -> None:
    """Also what is only observed: it sends orders."""
    stage = Stage("eks", Before, lambda: nullcontext({}), nullcontext, over=lambda: "the window is over")
    stopped: list[str] = []
    for observe in (False, True):
        guard, lock = SimpleNamespace(lost=""), SimpleNamespace(stolen="")
        resolved = load("pod-kill-strategic", world="kind")
        conditions = game_day._conditions(stage, resolved, tmp_path, guard, lock, observe=observe)
        conditions({"table": "samples", "columns": {"name": []}}, stopped.append)
    assert stopped == ["the window is over"] * 2


@pytest.mark.proves("A first Ctrl-C while the record is being closed breaks nothing; a second one ends it")
def test_ctrl_c_while_the_record_is_being_closed() -> None:
    said: list[str] = []
    given = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in what it starts with `&`
    try:
        with deferring(said.append):
            os.kill(os.getpid(), signal.SIGINT)
            assert len(said) == 1
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, given)
