"""`gameday init`, and the settings: a flag beats GAMEDAY_* beats gameday.toml beats the default."""

from pathlib import Path

import pytest

from gameday.cli.main import run
from gameday.config import settings
from scenarios.errors import InvalidFileError, Problem

Capture = pytest.CaptureFixture[str]


def test_init_writes_settings_that_can_be_read(place: Path, capsys: Capture) -> None:
    assert run(["init"]) == 0
    said = capsys.readouterr()
    assert said.out == "gameday.toml\n"
    assert said.err == "next: gameday scenarios\n"
    assert (place / "gamedays").is_dir()
    assert settings().scenario_paths == (place / "gamedays",)
    assert settings().runs_folder == place / "runs"
    assert settings().workers == 0
    assert run(["check"]) == 0


def test_an_empty_folder_is_told_what_to_put_there(place: Path, capsys: Capture) -> None:
    assert run(["init"]) == 0
    assert run(["check", "gamedays"]) == 2
    said = capsys.readouterr().err
    assert "Write a scenario there first" in said
    assert "gameday init" not in said  # it would be refused: the settings are there


def test_init_overwrites_nothing(place: Path, capsys: Capture) -> None:
    (place / "gameday.toml").write_text("workers = 3\n", encoding="utf-8")
    assert run(["init"]) == 2
    assert (place / "gameday.toml").read_text(encoding="utf-8") == "workers = 3\n"
    assert "there already" in capsys.readouterr().err


def test_init_elsewhere(place: Path, capsys: Capture) -> None:
    assert run(["init", "a/b"]) == 0
    assert (place / "a" / "b" / "gameday.toml").is_file()
    (place / "file").write_text("", encoding="utf-8")
    assert run(["init", "file"]) == 2
    assert "not a directory" in capsys.readouterr().err


def test_defaults(place: Path) -> None:
    assert settings().scenario_paths == ()
    assert settings().runs_folder == Path("runs")


def test_nearest_file_counts_and_its_paths_are_relative_to_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "gameday.toml").write_text('scenario_paths = ["a", "/b"]\nruns_folder = "r"\n', encoding="utf-8")
    (place / "x" / "y").mkdir(parents=True)
    monkeypatch.chdir(place / "x" / "y")
    assert settings().scenario_paths == (place / "a", Path("/b"))
    assert settings().runs_folder == place / "r"


def test_environment_beats_the_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "gameday.toml").write_text('scenario_paths = ["a"]\nworkers = 3\n', encoding="utf-8")
    monkeypatch.setenv("GAMEDAY_SCENARIO_PATHS", "b:c")
    monkeypatch.setenv("GAMEDAY_WORKERS", "5")
    assert settings().scenario_paths == (Path("b"), Path("c"))
    assert settings().workers == 5


BAD = {
    "unknown key": ('scenario_path = ["a"]', "unknown key `scenario_path`", "Did you mean `scenario_paths`?"),
    "no TOML": ("workers = = 3", "line 1", "gameday init"),
    "not UTF-8": (b"workers = 3 # \xe9", "utf-8", "gameday init"),
    "text for a number": ('workers = "many"', "'many'", "Change"),
    "a negative number": ("workers = -1", "-1", "Change"),
    "a number for a folder": ("scenario_paths = [5]", "5", "Change"),
    "a table": ("[scenario_paths]\na = 1", "{'a': 1}", "Change"),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_bad_settings(case: tuple[str | bytes, str, str], place: Path, capsys: Capture) -> None:
    text, found, remedy = case
    (place / "gameday.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    problem = refused()
    assert "gameday.toml" in problem.where
    assert found in problem.found
    assert remedy in problem.remedy
    settings.cache_clear()
    assert run(["scenarios"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def refused() -> Problem:
    with pytest.raises(InvalidFileError) as raised:
        settings()
    return raised.value.problems[0]


def test_bad_environment(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAMEDAY_WORKERS", "many")
    problem = refused()
    assert problem.where == "GAMEDAY_WORKERS"
    assert problem.found == "'many'"
