"""A game day for tests: the real parent, executor and record; a fault that is a file, observers that a test writes."""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from experiments.observe.clock import Origin
from experiments.observe.readback import ReadBack
from experiments.run.children import Child
from experiments.run.play import GameDay
from experiments.run.quiet import Before
from experiments.safety.journal import Journal
from gameday import game_day
from gameday.game_day import PlayedOnCluster, Stage, play_on
from scenarios.files.load import load
from scenarios.record.writer import MemoryRecorder, Recorder
from tests.unit.faults import fake

KUBECONFIG = "users:\n- user:\n    token: {token}\n"


class Arms(fake.Arms):
    """Arms of a run that has a name."""

    def __init__(self, folder: Path, run: str) -> None:
        super().__init__(folder)
        self.run = run


class Guard:
    """Stands for the guard: there is no reverter. `lost` is what the test's `lost` says."""

    def __init__(self, folder: Path, run: str, lost: Callable[[], str], failed: str) -> None:
        self.arms, self._lost, self._failed = Arms(folder, run), lost, failed

    @property
    def lost(self) -> str:
        """Why the run must stop; empty: it need not."""
        return self._lost()

    def __enter__(self) -> "Guard":
        return self

    def __exit__(self, *_: object) -> None:
        if self._failed:
            Journal().append("failed", self.arms.run, "pod-hang:0", by="self", why=[self._failed])


class Lock:
    """Stands for the lock of the targets."""

    stolen = ""

    def __init__(self, run: str) -> None:
        self.run = run

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        return


def nothing_read(_: Any, __: Any, recorder: Recorder, ___: Any) -> ReadBack:
    """Nothing is there to be read back."""
    return ReadBack("us-east-1/1", ("us-east-1/1",), ())


def quiet_day() -> tuple[GameDay, MemoryRecorder]:
    """A run in which nothing is started, and its record."""
    recorder = MemoryRecorder()
    resolved = load("pod-kill-strategic", world="kind")
    day = GameDay(
        resolved,
        recorder,
        Origin.soon(),
        {},
        None,
        lambda *_: None,
        lambda *_: None,
        lambda _: False,
        lift=lambda _: [],
    )
    return day, recorder


@dataclass
class Play:
    """What a test plays: an experiment, observers (text of a module each), and what happens at the edges."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    experiment: Mapping[str, Any] | None = None
    observers: Mapping[str, str] = field(default_factory=dict)
    scenario: str = "pod-kill-strategic"
    lasts_us: int | None = 3_600_000_000
    lost: Callable[[], str] = lambda: ""
    failed: str = ""  # what the ledger of faults is told at the end
    read: Callable[..., ReadBack] = nothing_read
    token: str = "opaque-token-of-a-kubeconfig"
    warm: Mapping[str, Any] | None = field(default_factory=dict)  # None: the observers must be good before it begins

    def prepare(self) -> None:
        """Put everything in place of a testbed."""
        patch, folder = self.monkeypatch, self.folder
        patch.setenv("GAMEDAY_STATE", str(folder / "state"))
        patch.setenv("GAMEDAY_KUBECONFIGS", str(folder / "kubeconfigs"))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *sys.path]))
        (folder / "kubeconfigs").mkdir()
        (folder / "kubeconfigs" / "kubeconfig-us-east-1.yaml").write_text(KUBECONFIG.format(token=self.token))
        patch.setattr(game_day, "LOADING_S", 0.5)
        patch.setattr(game_day, "Guard", lambda run, **_: Guard(folder, run, self.lost, self.failed))
        patch.setattr(game_day, "GameDayLock", Lock)
        patch.setattr(game_day, "read_back", self.read)
        for name, value in {"_experiment": self._experiment, "observers": self._observers}.items():
            patch.setattr(game_day, name, value)
        if self.warm is not None:
            patch.setattr(game_day, "_insist_on_good", lambda *_: self.warm)
        made = game_day.executor
        patch.setattr(game_day, "executor", lambda *given: self._player(made(*given)))

    def _experiment(self, *_: object) -> Any:
        return self.experiment

    def _observers(self, *_: object) -> Any:
        for name, text in self.observers.items():
            (self.folder / f"a_{name}.py").write_text(text)
        return {n: lambda _, n=n: Child(n, [f"a_{n}"], {}) for n in self.observers}

    def _player(self, child: Child) -> Child:
        """The executor, with the fault that is a file."""
        child._arguments = ["tests.unit.compile.player", str(self.folder)]
        return child

    def play(self, **given: Any) -> PlayedOnCluster:
        """Play it, in this process."""
        self.prepare()
        resolved = load(self.scenario, world="kind")
        workload = resolved.scenario.workload
        if self.lasts_us is not None:
            workload = workload.model_copy(update={"duration": self.lasts_us, "at_most_us": self.lasts_us})
        resolved = replace(resolved, scenario=resolved.scenario.model_copy(update={"workload": workload}))
        stage = Stage("kind", Before, lambda: nullcontext({}), nullcontext)
        return play_on(stage, resolved, self.folder / "runs", **{"confirm": None, "ask": None, "observe": None} | given)
