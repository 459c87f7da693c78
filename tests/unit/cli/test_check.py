"""`gameday check` and `gameday scenarios`: what they say, and what they leave alone."""

import json
import os
import re
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


@pytest.mark.proves("a file of objectives is checked wherever it lies: a source, a subject that can be judged")
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    rationale: customers notice more\n", "", "no source for kpi.shop"),
        ("subject: shop\n    title: The shop is quick", "subject: shopp\n    title: x", "Did you mean `shop`?"),
        ("subject: shop\n    title: The shop recovers", "subject: nonesuch\n    title: x", "subject `nonesuch`"),
    ],
)
def test_objectives_anywhere(old: str, new: str, said: str, place: Path, capsys: Capture) -> None:
    write(place)
    (place / "objectives" / "own.yaml").rename(place / "promised.yaml")
    assert run(["check", "promised.yaml"]) == 0, capsys.readouterr().err
    edit(place / "promised.yaml", old, new)
    assert run(["check", "promised.yaml"]) == 2
    assert said in capsys.readouterr().err


def test_names_as_every_other_command_takes_them(place: Path, capsys: Capture) -> None:
    write(place / "gamedays")
    (place / "gameday.toml").write_text('scenario_paths = ["gamedays"]\n', encoding="utf-8")
    for name in ("mine", "small", "weekly", "answer", "region-loss-manual", "testbed", "runbook"):
        assert run(["check", name]) == 0, (name, capsys.readouterr().err)
    edit(place / "gamedays" / "scenarios" / "mine.yaml", "response:", "respons:")
    assert run(["check", "mine"]) == 2
    capsys.readouterr()
    assert run(["check", "region-los-manual"]) == 2
    assert "Did you mean `region-loss-manual`?" in capsys.readouterr().err


def test_errors_name_files_from_here(place: Path, capsys: Capture) -> None:
    write(place / "gamedays")
    (place / "gameday.toml").write_text('scenario_paths = ["gamedays"]\n', encoding="utf-8")
    edit(place / "gamedays" / "scenarios" / "mine.yaml", "topology: small", "topology: smal")
    for arguments in (["check"], ["check", str(place / "gamedays")], ["show", "mine"]):
        assert run(arguments) == 2
        assert capsys.readouterr().err.splitlines()[0] == "error: gamedays/scenarios/mine.yaml:5:1 (topology)"
    assert run(["check", "--json"]) == 2
    assert str(place) not in capsys.readouterr().out


def test_only_files_of_its_kind_are_offered(place: Path, capsys: Capture) -> None:
    folder = write(place / "kinds")
    (place / "gamedays").mkdir()
    for file in folder.rglob("*.yaml"):
        file.rename(place / "gamedays" / file.name)
    (place / "gameday.toml").write_text('scenario_paths = ["gamedays"]\n', encoding="utf-8")
    assert run(["show", "nonesuch"]) == 2
    (offered,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("  expected")]
    assert " mine," in offered
    assert "small" not in offered
    assert "weekly" not in offered


def test_a_folder_of_the_settings_that_is_not_there_is_said(place: Path, capsys: Capture) -> None:
    (place / "gameday.toml").write_text('scenario_paths = ["gamedys"]\n', encoding="utf-8")
    assert run(["scenarios"]) == 0
    assert "note: scenario_paths names gamedys, which is no folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("workers = 'many'", "a whole number"),
        ("runs_folder = 3", "the path of a folder"),
        ("scenario_paths = 3", "a list, [a, b]"),
        ("scenario_paths = [3]", "the path of a folder"),
    ],
)
def test_settings_are_refused_in_plain_words(line: str, expected: str, place: Path, capsys: Capture) -> None:
    (place / "gameday.toml").write_text(f"{line}\n", encoding="utf-8")
    assert run(["scenarios"]) == 2
    assert f"  expected  {expected}\n" in capsys.readouterr().err


def test_version_and_examples(place: Path, capsys: Capture) -> None:
    assert run(["--version"]) == 0
    assert re.fullmatch(r"gameday \d+\.\d+\.\d+\n", capsys.readouterr().out)
    assert run(["--help"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "gameday simulate region-loss-automatic --trials 200" in out
    assert "gameday check gamedays/" in out


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
        ("gameday show region-loss-", {"region-loss-automatic", "region-loss-manual", "region-loss-stale-replica"}),
        ("gameday explain rto.r", {"rto.risk"}),
        ("gameday ch", {"check"}),
        ("gameday show --schema t", {"topology"}),
        ("gameday simulate x --set people.ackn", {"people.acknowledge="}),
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
