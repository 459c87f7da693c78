"""The command that a report prints plays the very same run again."""

import json
import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gameday.cli.main import run
from gameday.play import cluster_head
from scenarios.files.load import load
from tests.unit.scenarios.texts import write

Capture = pytest.CaptureFixture[str]
CHANGED = ["--set", "people.acknowledge=4 min", "--set", "workload.rate=80/s"]
ASKED = {
    "one trial": ["--seed", "5", "--trial", "3", "--fidelity", "control", *CHANGED],
    "many trials": ["--seed", "5", "--trials", "3", "--trial", "1", "--fidelity", "control", *CHANGED],
    "as a cluster plays it": ["--as", "kind", "--fidelity", "control"],
}


def files(folder: Path) -> dict[str, bytes]:
    """What a run left behind, but for reports and verdicts."""
    facts = (f for f in folder.rglob("*") if f.is_file() and f.stem not in ("report", "verdicts"))
    return {str(f.relative_to(folder)): f.read_bytes() for f in facts}


def reported(folder: Path, form: str, capsys: Capture) -> str:
    """What `gameday report` writes of a folder."""
    assert run(["report", str(folder), "--format", form]) == 0
    return Path(capsys.readouterr().out.strip()).read_text(encoding="utf-8")


@pytest.mark.proves("the command that a report prints plays the same run again, byte for byte")
@pytest.mark.parametrize("options", ASKED.values(), ids=ASKED)
def test_a_run_is_played_again(
    options: list[str], place: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gameday.play._commit", lambda: "one and the same")
    write(place / "my games")
    name = "region-loss-automatic" if "kind" in options else "my games/scenarios/mine.yaml"
    run(["simulate", name, *options])
    said = capsys.readouterr().err  # no terminal: a line for each stage
    assert "playing trial " in said
    assert "judging\n" in said
    (first,) = (place / "runs").iterdir()
    before = files(first)
    capsys.readouterr()
    command = json.loads(reported(first, "json", capsys))["command"]
    for form in ("md", "junit", "html"):
        assert "--fidelity control" in reported(first, form, capsys)
    program, *words = shlex.split(command)
    assert program == "gameday"
    first.rename(place / "first")
    run(words)
    (second,) = (place / "runs").iterdir()
    assert files(second) == before


def test_a_trial_that_was_kept_says_which_it_was(place: Path, capsys: Capture) -> None:
    write(place)
    run(["simulate", "scenarios/mine.yaml", *ASKED["many trials"]])
    (many,) = (place / "runs").iterdir()
    capsys.readouterr()
    for kept in many.glob("trial-*"):
        words = shlex.split(json.loads(reported(kept, "json", capsys))["command"])
        assert ["--trial", kept.name.removeprefix("trial-")] == words[5:7] or kept.name == "trial-0"
        assert words[-4:] == CHANGED


def test_a_game_day_says_how_it_was_played() -> None:
    resolved = load("region-loss-automatic", world="kind", overrides={"workload.rate": "20/s"})

    def command(operator: str, observe_us: int | None = None) -> str:
        return str(cluster_head(resolved, "kind", datetime.now(UTC), operator, observe_us)["command"])

    played = "gameday run region-loss-automatic --world kind"
    assert command("scripted") == f"{played} --set workload.rate=20/s"
    assert command("live") == f"{played} --operator live --set workload.rate=20/s"
    assert command("scripted", 600_000_000) == f"{played} --observe --for '10 min' --set workload.rate=20/s"
