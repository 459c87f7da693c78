"""Every command that the documentation shows is run, in a folder of its own and in the order of the page."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from sybil import Document, Example
from sybil.parsers.markdown import CodeBlockParser

from tests.conftest import ROOT

PAGES = sorted(
    p
    for p in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]
    if "```sh" in p.read_text(encoding="utf-8")
)
EXPECTED = re.compile(r"#.*exit code (\d)")
GAMEDAY = [sys.executable, "-m", "gameday"]


def _nothing(example: Example) -> None:
    """Commands are run together, page by page."""


def commands(page: Path, language: str = "sh") -> list[tuple[str, set[int]]]:
    """Commands of a page with the exit codes promised: that of the comment, else any verdict."""
    parser = CodeBlockParser(language=language, evaluator=_nothing)
    found = []
    for example in Document.parse(str(page), parser):
        for line in example.parsed.splitlines():
            named = EXPECTED.search(line)
            text = line.partition(" #")[0].strip()
            if text:
                found.append((text, {int(named[1])} if named else {0, 1, 3}))
    return found


def targets() -> set[str]:
    """Targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
@pytest.mark.timeout(600)
def test_commands_of_a_page(page: Path, tmp_path: Path, played_demo: Path) -> None:
    """A `make` target exists (this test is run by one of them); a `gameday` command does what it should."""
    (tmp_path / "runs").symlink_to(played_demo, target_is_directory=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    for text, codes in commands(page):
        program, *arguments = shlex.split(text)
        if program == "make":
            assert set(arguments) <= targets(), text
            continue
        assert program == ".venv/bin/gameday", f"{text}: neither make nor gameday"
        if arguments == ["init"]:
            (tmp_path / "gameday.toml").unlink(missing_ok=True)
        done = subprocess.run(
            [*GAMEDAY, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode in codes, f"{text}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


CLUSTER_PAGES = [
    p for p in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")] if "```bash" in p.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("page", CLUSTER_PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_commands_that_need_docker_exist(page: Path) -> None:
    """Nothing is played here: each command and each of its flags must be known."""
    for text, _ in commands(page, "bash"):
        program, *arguments = shlex.split(text)
        if program == "make":
            assert set(arguments) <= targets(), text
            continue
        words = [a for a in arguments if not a.startswith("-")]
        parts = words[:2] if words[0] == "testbed" else words[:1]
        done = subprocess.run([*GAMEDAY, *parts, "--help"], capture_output=True, text=True, check=False, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        assert all(flag in done.stdout for flag in arguments if flag.startswith("--")), text
