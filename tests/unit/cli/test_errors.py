"""Bad input: an error that names file, line, key, what was found, what was expected and the remedy; exit code 2."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from gameday.cli.main import run
from scenarios.files.yaml import read
from tests.unit.scenarios import texts
from tests.unit.scenarios.texts import edit, write

FILES = {Path(name).stem: name for name in texts.FILES}


@dataclass(frozen=True)
class Told:
    """One problem as the terminal shows it."""

    where: str
    found: str
    expected: str
    remedy: str


def told(stderr: str) -> list[Told]:
    """Problems in what a command said; every one must be complete."""
    assert "Traceback" not in stderr
    blocks = re.findall(
        r"^error: (.+)\n  found     (.+)\n  expected  (.+)\n  remedy    (.+)$", stderr, flags=re.MULTILINE
    )
    assert len(blocks) == stderr.count("error:"), stderr
    return [Told(*block) for block in blocks]


BAD: dict[str, tuple[str, ...]] = read(Path(__file__).with_name("bad_input.yaml")).values


@pytest.mark.proves(
    "bad input is an error that names file, line, key, what was found, what was expected and the remedy"
)
@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_bad_file(case: tuple[str, ...], place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, old, new, key, found, expected, remedy = case
    folder = write(place / "gamedays")
    name = FILES[file]
    line = edit(folder / name, old, new)
    assert run(["check", str(folder)]) == 2
    problems = told(capsys.readouterr().err)
    matching = [p for p in problems if found in p.found and expected in p.expected and remedy in p.remedy]
    assert matching, problems
    places = [re.match(r"([^:]+):(\d+)(?::\d+)?(?: \((.*)\))?$", p.where) for p in matching]
    named = [(int(m[2]), m[3]) for m in places if m and Path(m[1]).name == Path(name).name]
    assert named, [p.where for p in matching]
    if key:
        assert key in [k for _, k in named]
    # a missing key is shown where its mapping begins, a cycle where the list begins
    assert any(line - 12 <= at <= line + new.count("\n") + 1 for at, _ in named), (line, named)


BEYOND = {
    "digits": ("9" * 400, "a number of 400 digits"),
    "nesting": ("[" * 5000 + "]" * 5000, "nested more than 40 deep"),
}


@pytest.mark.parametrize("case", BEYOND.values(), ids=BEYOND)
def test_beyond_all_measure(case: tuple[str, str], place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    value, found = case
    edit(write(place) / "scenarios" / "mine.yaml", "trials: 60", f"trials: {value}")
    assert run(["show", "scenarios/mine.yaml"]) == 2
    (problem,) = told(capsys.readouterr().err)
    assert found in problem.found
    assert "mine.yaml:22:" in problem.where


def test_good_files(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(write(place / "gamedays"))]) == 0
    assert capsys.readouterr().out == "nothing wrong\n"
