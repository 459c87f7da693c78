"""Before its clock starts a run sends its load until everything was good for a while: real processes that probe."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments.run.children import Child
from experiments.run.warming import Warm, followed, warm_up
from experiments.run.watched import Watched
from gameday import game_day
from scenarios.errors import UsageError
from scenarios.files.load import load
from tests.unit.run.stage import Play

SERVICES = ("strategic", "tactical", "risk", "database", "order")
PROBES = """
import json, sys, threading, time
services, bad_s, dies_s = {services}, {bad_s}, {dies_s}
sys.stdin.readline()
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
began = time.monotonic()
while not ended.wait(0.05):
    now = time.monotonic() - began
    if now > dies_s:
        sys.exit(3)
    n = len(services)
    rows = {{"service": services, "route": ["dns"] * n, "intended_us": [round(now * 1e6)] * n,
             "right": ["no" if now < bad_s and s == "risk" else "yes" for s in services]}}
    print(json.dumps({{"table": "probes", "columns": rows}}), flush=True)
"""


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))


def text(services: Any = SERVICES, bad_s: float = 0.0, dies_s: float = 1e9) -> str:
    return PROBES.format(services=list(services), bad_s=bad_s, dies_s=dies_s)


def warmed(folder: Path, within_s: float = 30.0, **given: Any) -> tuple[Warm, list[tuple[float, str]]]:
    (folder / "a_prober.py").write_text(text(**given))
    told: list[tuple[float, str]] = []
    watched = followed(load("pod-kill-strategic", world="kind"))
    child = Child("prober", ["a_prober"], {})
    found = warm_up([child], watched, lambda *t: told.append(t), within_s=within_s, good_for_us=500_000)
    assert not child.alive
    return found, told


@pytest.mark.proves("The load of a run is sent until everything was good for a while, and those who sent it have ended")
def test_it_waits_until_all_is_good(tmp_path: Path) -> None:
    found, told = warmed(tmp_path, bad_s=1.0)
    assert found.bad == ""
    assert (
        found.load_s >= 1.3
    )  # bad for a second (the last wrong probe comes a little before), then good for half a one
    assert any("since risk was bad" in words for _, words in told)
    assert told[-1][0] == 1.0


def test_what_is_bad_for_too_long_is_said(tmp_path: Path) -> None:
    found, _ = warmed(tmp_path, within_s=2.0, bad_s=1e9)
    assert "since risk was bad" in found.bad


def test_what_nobody_asks_is_not_good(tmp_path: Path) -> None:
    found, _ = warmed(tmp_path, within_s=2.0, services=["risk", "tactical", "strategic", "order"])
    assert found.bad == "no answer about database yet"


def test_who_ends_before_its_time_is_said(tmp_path: Path) -> None:
    found, _ = warmed(tmp_path, dies_s=0.1)
    assert found.bad == "the prober ended with 3"


def test_only_what_users_are_answered_counts() -> None:
    watched = Watched({"risk": 50_000_000})
    rows = {"service": ["risk"] * 3, "route": ["dns", "direct", "dns"], "intended_us": [5, 6, 7]}
    watched.probes({**rows, "right": ["yes", "no", "yes"]})
    assert (watched.seen_from_us, watched.seen_to_us) == ({"risk": 5}, {"risk": 7})
    assert watched.bad_until_us == -1


@pytest.mark.proves("A run that breaks something is refused when what it would break is bad already; nothing is kept")
def test_a_run_is_refused_whose_load_is_not_carried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(game_day, "warm_up", lambda *_: Warm(180.0, "all good for 0 s of 30 s since risk was bad"))
    with pytest.raises(UsageError, match=r"after 180 s of the run's load: .* since risk was bad"):
        Play(tmp_path, monkeypatch, None, {"probers": "", "sender": ""}, warm=None).play()
    assert not (tmp_path / "runs").exists() or list((tmp_path / "runs").iterdir()) == []


@pytest.mark.proves("Where nothing breaks the load itself is what is tried: what is bad is said, and measured")
def test_a_load_test_begins_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(game_day, "warm_up", lambda *_: Warm(180.04, "risk is bad"))
    resolved = load("load-test", world="kind")
    found = game_day._insist_on_good(resolved, game_day.of_this_process([]))
    assert found == {"load_s": 180.0, "bad": "risk is bad"}
    assert "note: after 180 s of the run's load: risk is bad" in capsys.readouterr().err
