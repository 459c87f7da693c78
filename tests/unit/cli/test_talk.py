"""What is said while nobody listens any more."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from gameday.cli.talk import then

Capture = pytest.CaptureFixture[str]

TALKS = """
import signal, sys
from gameday.cli.talk import progress, put, say
from gameday.judging import show
from tests.golden.sample import report
shown = report()
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with progress(10, "a game day") as update:
    open(sys.argv[1], "w").close()
    while open(sys.argv[2]).read() != "closed":
        pass
    update(5, "half of it")
    say("lifted")
show(shown, as_json=False)
put("the verdict")
say("the end")
"""


@pytest.mark.proves("What a game day does comes to its end although its terminal was closed")
def test_a_terminal_that_is_closed(tmp_path: Path) -> None:
    """An SSH connection is lost while a bar is shown; else no record would be closed."""
    begun, told = tmp_path / "begun", tmp_path / "told"
    told.touch()
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", TALKS, str(begun), str(told)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"},
    )
    os.close(theirs)
    while not begun.exists() and process.poll() is None:
        os.read(ours, 1)
    os.close(ours)
    told.write_text("closed")
    assert process.wait(60) == 0


@pytest.mark.parametrize(("found", "named"), [(None, ".venv/bin/gameday"), ("/usr/bin/gameday", "gameday")])
def test_the_next_command_can_be_typed_as_it_stands(
    found: str | None, named: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(sys, "argv", [".venv/bin/gameday", "scenarios"])
    monkeypatch.setattr("shutil.which", lambda name: found)
    then("gameday report --open")
    assert capsys.readouterr().err == f"next: {named} report --open\n"
