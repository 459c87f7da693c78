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


@contextmanager
def workshop(mutant: Mutant | None) -> Iterator[Path]:
    """A folder in which `sim` is a copy, with the mutant applied, and other packages are links."""
    with tempfile.TemporaryDirectory(prefix="gameday-mutant-") as name:
        folder = Path(name)
        shutil.copytree(ROOT / "sim", folder / "sim", ignore=shutil.ignore_patterns("__pycache__"))
        for other in OTHERS:
            (folder / other).symlink_to(ROOT / other)
        if mutant:
            path = folder / DATA / mutant.file
            path.write_text(mutant.applied(path.read_text())[0])
        yield folder


def reference_facts(path: Path) -> None:
    """Play the reference and keep what it said in a file."""
    command = [sys.executable, "-m", "tests.deep.battery", "write", str(path)]
    subprocess.run(command, cwd=ROOT, check=True)


def battery(mutant: Mutant | None, facts: Path, settings: Mapping[str, str]) -> Verdict:
    """Play the battery on a copy of the kernel; `settings` are variables of Numba."""
    began = time.monotonic()
    with workshop(mutant) as folder:
        environment = {
            **os.environ,
            **settings,
            "PYTHONPATH": str(folder),
            "NUMBA_CACHE_DIR": str(folder / "cache"),
            "PYTHONWARNINGS": "ignore",
        }
        command = [sys.executable, "-m", "tests.deep.battery", "compare", str(facts)]
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
