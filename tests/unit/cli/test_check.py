"""`gameday check` and `gameday scenarios`: what they say, and what they leave alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gameday.cli.main import run
from tests.unit.scenarios.texts import edit, write

Capture = pytest.CaptureFixture[str]
HEAVY = (
    "numba",
    "pandas",
    "matplotlib",
    "scipy",
    "kubernetes",
    "boto3",
    "locust",
    "simpy",
    "sim",
    "validators",
    "reports",
)


def test_library_by_default(place: Path, capsys: Capture) -> None:
    assert run(["check"]) == 0
    assert capsys.readouterr().out == "nothing wrong\n"


def test_own_folders_and_the_library_by_default(place: Path, capsys: Capture) -> None:
    write(place / "gamedays")
    (place / "gameday.toml").write_text('scenario_paths = ["gamedays"]\n', encoding="utf-8")
    assert run(["check"]) == 0
    edit(place / "gamedays" / "scenarios" / "mine.yaml", "response:", "respons:")
    capsys.readouterr()
    assert run(["check"]) == 2
    assert capsys.readouterr().err.count("error:") == 1


def test_a_file_finds_its_neighbours(place: Path, capsys: Capture) -> None:
    write(place)
    for name in ("scenarios/mine.yaml", "suites/weekly.yaml", "topologies/small.yaml"):
        assert run(["check", name]) == 0, capsys.readouterr().err


def test_a_file_finds_the_folders_of_the_settings(place: Path, capsys: Capture) -> None:
    write(place / "shared")
    (place / "shared" / "scenarios" / "mine.yaml").rename(place / "mine.yaml")
    assert run(["check", "mine.yaml"]) == 2
    (place / "gameday.toml").write_text('scenario_paths = ["shared"]\n', encoding="utf-8")
    from gameday.config import settings

    settings.cache_clear()
    assert run(["check", "mine.yaml"]) == 0


def test_json(place: Path, capsys: Capture) -> None:
    edit(write(place) / "scenarios" / "mine.yaml", "response:", "respons:")
    assert run(["check", "scenarios", "--json"]) == 2
    (problem,) = json.loads(capsys.readouterr().out)
    assert set(problem) == {"where", "found", "expected", "remedy"}


@pytest.mark.parametrize("name", ["none", "none.yaml", "."])
def test_nothing_to_check(name: str, place: Path, capsys: Capture) -> None:
    assert run(["check", name]) == 2
    assert "error:" in capsys.readouterr().err


def test_a_file_of_no_kind(place: Path, capsys: Capture) -> None:
    (place / "a.yaml").write_text("scenarii: mine\n", encoding="utf-8")
    assert run(["check", "a.yaml"]) == 2
    assert "a file that begins with `scenarii`" in capsys.readouterr().err


def test_scenarios(place: Path, capsys: Capture) -> None:
    write(place / "gamedays")
    (place / "gamedays" / "broken.yaml").write_text("scenario: [", encoding="utf-8")
    (place / "gameday.toml").write_text('scenario_paths = ["gamedays"]\n', encoding="utf-8")
    assert run(["scenarios", "--json"]) == 0
    names = [s["name"] for s in json.loads(capsys.readouterr().out)]
    assert names == sorted(names)
    assert {"mine", "region-loss-automatic"} <= set(names)
    assert run(["scenarios"]) == 0
    assert "whether another one takes over [twin]" in capsys.readouterr().out


def called(*arguments: str, folder: Path, variables: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "gameday", *arguments],
        capture_output=True, text=True, check=False, cwd=folder, env={**os.environ, **(variables or {})},
    )  # fmt: skip


@pytest.mark.proves("gameday --help, check and scenarios import none of the heavy libraries")
@pytest.mark.parametrize("arguments", [["--help"], ["check"], ["scenarios"]], ids=" ".join)
def test_light(arguments: list[str], place: Path) -> None:
    done = called(*arguments, folder=place)
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "gameday" in imported
    assert imported.isdisjoint(HEAVY)


def test_help_reads_no_settings_and_no_models(place: Path) -> None:
    imported = {line.rpartition("|")[2].strip() for line in called("--help", folder=place).stderr.splitlines()}
    assert imported.isdisjoint({"pydantic", "pydantic_settings", "ruamel.yaml", "scenarios.files", "pyarrow", "numpy"})


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("gameday show region-loss-", {"region-loss-automatic", "region-loss-manual"}),
        ("gameday explain rto.r", {"rto.risk"}),
        ("gameday ch", {"check"}),
        ("gameday show --schema t", {"topology"}),
    ],
)
def test_completion(typed: str, expected: set[str], place: Path) -> None:
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" ")), "_GAMEDAY_COMPLETE": "complete_bash"}
    program = Path(sys.executable).with_name("gameday")
    done = subprocess.run([program], capture_output=True, text=True, check=True, cwd=place, env={**os.environ, **words})
    assert set(done.stdout.split()) == expected


def test_completion_can_be_installed(place: Path) -> None:
    program = Path(sys.executable).with_name("gameday")
    variables = {**os.environ, "HOME": str(place), "SHELL": "/bin/bash"}
    # The shell is that of the parent process, whatever started the tests: `true` keeps bash from becoming gameday.
    line = f"{program} --install-completion; true"
    subprocess.run(["bash", "-c", line], check=True, capture_output=True, cwd=place, env=variables)
    assert "gameday" in (place / ".bashrc").read_text(encoding="utf-8")
