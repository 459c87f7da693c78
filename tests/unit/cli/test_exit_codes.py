"""Each exit code, raised through the one entry point."""

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer

from gameday.cli import main
from gameday.exit_codes import ExitCode, of_error, of_result, worst
from scenarios.errors import AbortedError, InvalidFileError, LeftBehindError, Problem, RecordError, UsageError
from tests.records import Run
from tests.unit.cli.on_disk import put

PROBLEM = Problem("here", "this", "that", "Do so.")
BY_PRECEDENCE = (70, 5, 4, 2, 1, 3, 0)


@pytest.fixture
def raising() -> Iterator[Callable[[Callable[[], object]], int]]:
    """Run the real entry point on a command that does what is asked."""
    commands = list(main.app.registered_commands)

    def run(does: Callable[[], object]) -> int:
        main.app.command("does")(lambda: does())
        return main.run(["does"])

    yield run
    main.app.registered_commands[:] = commands


def throw(error: BaseException) -> Callable[[], object]:
    def does() -> object:
        raise error

    return does


class Bug(Exception):
    """Nobody foresaw this."""


CASES: dict[str, tuple[Callable[[], object], int]] = {
    "returned 0": (lambda: ExitCode.MET, 0),
    "nothing returned": (lambda: None, 0),
    "returned 1": (lambda: ExitCode.MISSED, 1),
    "returned 3": (lambda: ExitCode.INCONCLUSIVE, 3),
    "returned 5": (lambda: ExitCode.LEFT_BEHIND, 5),
    "usage": (throw(UsageError(PROBLEM)), 2),
    "file": (throw(InvalidFileError(PROBLEM, PROBLEM)), 2),
    "record": (throw(RecordError(PROBLEM)), 2),
    "parameter": (throw(typer.BadParameter("no")), 2),
    "safety": (throw(AbortedError(PROBLEM)), 4),
    "Ctrl-C": (throw(KeyboardInterrupt()), 4),
    "left behind": (throw(LeftBehindError(PROBLEM)), 5),
    "bug": (throw(Bug("oh")), 70),
    "assertion": (throw(AssertionError("oh")), 70),
    "bug in clean-up": (throw(ExceptionGroup("", [UsageError(PROBLEM), Bug("oh")])), 70),
    "left behind after Ctrl-C": (throw(BaseExceptionGroup("", [KeyboardInterrupt(), LeftBehindError(PROBLEM)])), 5),
    "Ctrl-C and a full disk": (throw(BaseExceptionGroup("", [RecordError(PROBLEM), KeyboardInterrupt()])), 4),
}


@pytest.mark.proves("exit codes 0, 1, 2, 3, 4, 5 and 70 mean what the manual says")
@pytest.mark.parametrize("case", CASES)
def test_each_code_through_the_entry_point(
    raising: Callable[[Callable[[], object]], int], capsys: pytest.CaptureFixture[str], case: str
) -> None:
    does, code = CASES[case]
    assert raising(does) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert ("bug in gameday" in err) == (code == 70)
    assert ("Bug" in err or "Traceback" in err) == (code == 70)
    if "Error" in repr(case) or code in (2, 5):
        assert "found     this" in err or case in ("parameter", "returned 5")


def test_every_code_is_raised_above() -> None:
    assert {code for _, code in CASES.values()} == set(ExitCode)


def test_a_problem_says_where_found_expected_remedy(
    raising: Callable[[Callable[[], object]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    raising(throw(InvalidFileError(PROBLEM)))
    assert capsys.readouterr().err.splitlines() == [
        "error: here",
        "  found     this",
        "  expected  that",
        "  remedy    Do so.",
    ]


@pytest.mark.parametrize("arguments", [["nonsense"], ["judge", "--nonsense"], ["simulate"], [], ["judge", "a", "b"]])
def test_wrong_usage(place: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main.run(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.proves("when several exit codes hold, 70 beats 5 beats 4 beats 2 beats 1 beats 3")
def test_precedence() -> None:
    for several in itertools.permutations(map(ExitCode, BY_PRECEDENCE), 3):
        assert worst(several) == min(several, key=BY_PRECEDENCE.index)
    assert worst([]) is ExitCode.MET


def test_words_of_verdicts() -> None:
    found = [of_result(w) for w in ("PASS", "FAIL", "INCONCLUSIVE", "")]
    assert found == [ExitCode.MET, ExitCode.MISSED, ExitCode.INCONCLUSIVE, ExitCode.INCONCLUSIVE]


def test_an_error_inside_groups_counts() -> None:
    inner = BaseExceptionGroup("", [KeyboardInterrupt(), UsageError(PROBLEM)])
    assert of_error(BaseExceptionGroup("", [inner, RecordError(PROBLEM)])) is ExitCode.ABORTED


def test_the_process_ends_with_the_code(tmp_path: Path) -> None:
    put(tmp_path / "runs" / "missed", Run().recovers("risk", 600))
    command = [sys.executable, "-m", "gameday", "judge", "missed"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "FAIL" in done.stdout
    assert done.stderr.splitlines()[-1] == "next: gameday report missed --open"


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    put(tmp_path / "runs" / "missed", Run().recovers("risk", 600))
    command = f"{sys.executable} -m gameday judge missed; echo code $? >&2"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        ["sh", "-c", f"{{ {command}; }} | head -c 3"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "code 1" in done.stderr
