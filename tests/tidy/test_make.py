"""What `make` does on a testbed, with programs that only note that they were called."""

import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

PROGRAM = """#!/bin/sh
echo "$(basename "$0") $*" >> "{log}"
case "$(basename "$0") $*" in
{cases}
esac
"""


def make(folder: Path, target: str, *cases: str, seconds: int = 60) -> tuple[int, list[str], str]:
    """Exit code, what was called, and what was said; each case is one of a shell's."""
    log = folder / "log"
    for name in ("gameday", "python"):
        program = folder / name
        program.write_text(PROGRAM.format(log=log, cases="\n".join(cases)))
        program.chmod(0o755)
    made = ["-o", ".venv/run", "-o", ".venv/test", f"BIN={folder}", f"CLUSTER_S={seconds}"]
    done = subprocess.run(["make", "-C", str(ROOT), *made, target], capture_output=True, text=True, check=False)
    called = [line.partition(" tests/")[0] for line in log.read_text().splitlines()]
    return done.returncode, called, done.stderr


UP, DOWN, TESTS = "gameday testbed up", "gameday testbed down", "python -m pytest"
STATUS, HOME = "gameday testbed status --json", "gameday undo --home"
RUN = "gameday run region-loss-automatic --world kind --yes"


@pytest.mark.proves("`make test-cluster` removes its testbed, whatever fails, and when its time is over")
@pytest.mark.parametrize(
    ("case", "called", "works"),
    [
        ("x) ;;", [UP, TESTS, DOWN], True),
        ('"gameday testbed up") exit 5 ;;', [UP, DOWN], False),
        ("python*) exit 1 ;;", [UP, TESTS, DOWN], False),
        ("python*) exec sleep 60 ;;", [UP, TESTS, DOWN], False),
        ('"gameday testbed up") exec sleep 60 ;;', [UP, DOWN], False),
    ],
)
def test_the_testbed_is_removed(tmp_path: Path, case: str, called: list[str], works: bool) -> None:
    code, found, _ = make(tmp_path, "test-cluster", case, seconds=2 if "sleep" in case else 60)
    assert found == called
    assert (code == 0) == works


@pytest.mark.proves("`make gameday` works a second time: it brings the primary home first, and says so")
def test_a_pending_failback_is_done_first(tmp_path: Path) -> None:
    answer = "*status*) echo '  \"pending_failback\": true,' ;;"
    code, called, said = make(tmp_path, "gameday", answer)
    assert (code, called) == (0, [STATUS, HOME, UP, RUN])
    assert "brought home first" in said


def test_one_that_cannot_be_done_ends_it(tmp_path: Path) -> None:
    answer = "*status*) echo '\"pending_failback\": true' ;;\n*undo*) exit 5 ;;"
    code, called, _ = make(tmp_path, "gameday", answer)
    assert code != 0
    assert called == [STATUS, HOME]


@pytest.mark.parametrize(("verdict", "code"), [(0, 0), (1, 0), (3, 0), (4, 2), (5, 2)])
def test_nothing_is_pending(tmp_path: Path, verdict: int, code: int) -> None:
    found, called, _ = make(tmp_path, "gameday", f"*run*) exit {verdict} ;;", "*status*) echo '{}' ;;")
    assert (found, called) == (code, [STATUS, UP, RUN])
