"""A copy of the `sim` package with a mutant in it, and the battery played on it in a process of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.deep.mutants import DATA, Mutant

ROOT = Path(__file__).parents[2]
OTHERS = ("tests", "scenarios")
WALL_LIMIT_S = 1500.0  # limits of CPU time act before, unless the machine is stuck
_TOO_LONG = (signal.SIGXCPU, signal.SIGKILL)


@dataclass(frozen=True)
class Verdict:
    """What came of a battery: `kind` is same, differs, error, crash, time limit or invalid."""

    kind: str
    text: str
    seconds: float

    @property
    def caught(self) -> bool:
        """Whether the battery saw that the kernel is wrong."""
        return self.kind in ("differs", "error", "crash", "time limit")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Original:
    """The sources as they were when the run began, and what the reference said."""

    folder: Path

    @property
    def facts(self) -> Path:
        """File of `tests.deep.battery write`."""
        return self.folder / "facts.pickle"

    def source(self, mutant: Mutant) -> str:
        """Text of the file that a mutant changes."""
        return (self.folder / DATA / mutant.file).read_text()


@contextmanager
def original() -> Iterator[Original]:
    """Copy the sources, so that work on them meanwhile does no harm, and play the reference."""
    with tempfile.TemporaryDirectory(prefix="gameday-kernel-") as name:
        folder = Path(name)
        _furnish(folder, ROOT)
        kept = Original(folder)
        command = [sys.executable, "-m", "tests.deep.battery", "write", str(kept.facts)]
        subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": name}, check=True)
        yield kept


def _furnish(folder: Path, source: Path) -> None:
    """A copy of `sim`; other packages are links."""
    shutil.copytree(source / "sim", folder / "sim", ignore=shutil.ignore_patterns("__pycache__"))
    for other in OTHERS:
        (folder / other).symlink_to(ROOT / other)


@contextmanager
def _workshop(mutant: Mutant | None, kept: Original) -> Iterator[Path]:
    """A folder with a copy of `sim` with the mutant applied."""
    with tempfile.TemporaryDirectory(prefix="gameday-mutant-") as name:
        folder = Path(name)
        _furnish(folder, kept.folder)
        if mutant:
            (folder / DATA / mutant.file).write_text(mutant.applied(kept.source(mutant))[0])
        yield folder


def battery(mutant: Mutant | None, kept: Original, settings: Mapping[str, str]) -> Verdict:
    """Play the battery on a copy of the kernel; `settings` are variables of Numba."""
    began = time.monotonic()
    with _workshop(mutant, kept) as folder:
        environment = {
            **os.environ,
            **settings,
            "PYTHONPATH": str(folder),
            "NUMBA_CACHE_DIR": str(folder / "cache"),
            "PYTHONWARNINGS": "ignore",
        }
        command = [sys.executable, "-m", "tests.deep.battery", "compare", str(kept.facts)]
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, timeout=WALL_LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return Verdict("time limit", f"{WALL_LIMIT_S:.0f} s", time.monotonic() - began)
        return _verdict(done, folder, time.monotonic() - began)


def _verdict(done: subprocess.CompletedProcess[str], folder: Path, seconds: float) -> Verdict:
    if done.returncode < 0:
        number = signal.Signals(-done.returncode)
        kind = "time limit" if number in _TOO_LONG else "crash"
        return Verdict(kind, number.name, seconds)
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        return Verdict("invalid", (done.stderr.splitlines() or ["said nothing"])[-1], seconds)
    said = json.loads(lines[-1])
    if not Path(said["sim"]).resolve().is_relative_to(folder.resolve()):
        return Verdict("invalid", f"played {said['sim']}, not the copy", seconds)
    for key, kind in (("invalid", "invalid"), ("error", "error"), ("difference", "differs")):
        if said.get(key):
            return Verdict(kind, said[key], seconds)
    return Verdict("same", f"{said['cases']} cases", seconds)
