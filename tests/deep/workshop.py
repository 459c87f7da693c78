"""A copy of the `sim` package with mutants woven into it, and the battery played on them in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.deep.mutants import DATA, Mutant
from tests.deep.weaving import CHOOSER, woven

ROOT = Path(__file__).parents[2]
OTHERS = ("tests", "scenarios")


@dataclass(frozen=True)
class Verdict:
    """What came of the battery: `kind` is same, differs, error, crash or time limit."""

    kind: str
    text: str
    seconds: float


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
        """File of `tests.deep.player write`."""
        return self.folder / "facts.pickle"

    def source(self, mutant: Mutant) -> str:
        """Text of the file that a mutant changes."""
        return (self.folder / DATA / mutant.file).read_text()


@contextmanager
def original() -> Iterator[Original]:
    """Copy the sources, so that work on them meanwhile does no harm, and play the reference."""
    with tempfile.TemporaryDirectory(prefix="gameday-kernel-") as name:
        folder = Path(name)
        for package in ("sim", *OTHERS):
            shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
        kept = Original(folder)
        command = [sys.executable, "-m", "tests.deep.player", "write", str(kept.facts)]
        subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": name}, check=True)
        yield kept


@contextmanager
def _workshop(mutants: Sequence[Mutant], kept: Original) -> Iterator[Path]:
    """A folder with a copy of `sim` in which mutants are woven, numbered from 1 on."""
    with tempfile.TemporaryDirectory(prefix="gameday-mutants-") as name:
        folder = Path(name)
        shutil.copytree(kept.folder / "sim", folder / "sim", ignore=shutil.ignore_patterns("__pycache__"))
        for other in OTHERS:
            (folder / other).symlink_to(kept.folder / other)
        data = folder / DATA
        shutil.copy(Path(__file__).with_name(f"{CHOOSER}.py"), data / f"{CHOOSER}.py")
        numbered: dict[str, list[tuple[int, Mutant]]] = {}
        for number, mutant in enumerate(mutants, 1):
            numbered.setdefault(mutant.file, []).append((number, mutant))
        for file, mine in numbered.items():
            (data / file).write_text(woven((data / file).read_text(), mine))
        yield folder


def battery(mutants: Sequence[Mutant], kept: Original, settings: Mapping[str, str]) -> Iterator[tuple[int, Verdict]]:
    """Play the kernel (number 0), then each mutant by its number; `settings` are variables of Numba.

    Machine code is kept in the folder only: the address of the chosen number is part of it.
    """
    with _workshop(mutants, kept) as folder:
        environment = {
            **os.environ,
            **settings,
            "PYTHONPATH": str(folder),
            "NUMBA_CACHE_DIR": str(folder / "cache"),
            "PYTHONWARNINGS": "ignore",
        }
        numbers = [str(number) for number in range(1, len(mutants) + 1)]
        command = [sys.executable, "-m", "tests.deep.player", "compare", str(kept.facts), *numbers]
        with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as player:
            assert player.stdout is not None
            for line in player.stdout:
                said = json.loads(line)
                ((kind, text),) = said["came"].items()
                yield said["number"], Verdict(kind, text, said["seconds"])
