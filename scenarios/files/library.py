"""Where files are found: by path, by name in the user's folders, by name in the library."""

import difflib
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from scenarios.errors import GamedayError, InvalidFileError, Problem, UsageError
from scenarios.files.yaml import Document, read

LIBRARY = Path(__file__).parent.parent / "library"
_KEYS = {
    "scenarios": "scenario",
    "topologies": "topology",
    "procedures": "procedure",
    "objectives": "objectives",
    "suites": "suite",
}
KINDS = tuple(_KEYS)


@cache
def library_document(path: Path) -> Document:
    """Read a file of the library once, sources and all; the library does not change under a running program."""
    return read(path)


def find(name_or_path: str, kind: str, paths: Sequence[Path] = (), *, where: str | None = None) -> Path:
    """Path of a scenario, topology, procedure or suite.

    A name is looked up in each of `paths` and its subfolder `kind`, then in the library. Raises UsageError naming
    what is near, or InvalidFileError when a file asked for it (`where`).
    """
    if "/" in name_or_path or name_or_path.endswith((".yaml", ".yml")):
        return _relative(name_or_path, paths if where else ())
    known = {file.stem: file for folder in reversed(folders(kind, paths)) for file in yaml_files(folder)}
    if name_or_path in known:
        return known[name_or_path]
    known = {name: file for name, file in known.items() if _is(kind, file)}
    near = difflib.get_close_matches(name_or_path, known, n=1)
    problem = Problem(
        where or {"scenarios": "SCENARIO", "suites": "SUITE"}.get(kind, kind),
        f"`{name_or_path[:80]}`",
        f"a path, or one of {', '.join(sorted(known))}",
        f"Did you mean `{near[0]}`?"
        if near
        else "`gameday scenarios` lists them."
        if kind == "scenarios"
        else "Check the name.",
    )
    error: GamedayError = InvalidFileError(problem) if where else UsageError(problem)
    raise error


def _is(kind: str, file: Path) -> bool:
    """Whether a file is of a kind, by its first keys; a folder of the user may hold all kinds."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return re.search(rf"^{_KEYS[kind]}\s*:", text, re.MULTILINE) is not None


def _relative(path: str, folders_: Iterable[Path]) -> Path:
    """A path inside a file is relative to that file's folder, if there is such a file."""
    for folder in folders_:
        candidate = folder / path
        try:
            if candidate.exists():
                return candidate
        except (OSError, ValueError):
            continue
    return Path(path)


def folders(kind: str, paths: Sequence[Path] = ()) -> list[Path]:
    """Folders in which a kind of file is looked for, the first one wins."""
    return [*(f for path in paths for f in (path, path / kind)), LIBRARY / kind]


def neighbours(file: Path) -> list[Path]:
    """Folders in which what a file names is looked for: its own, and the one above when it is named by a kind."""
    folder = file.parent
    return [folder, folder.parent] if folder.name in KINDS else [folder]


def yaml_files(folder: Path) -> list[Path]:
    """YAML files of a folder; none if it cannot be read."""
    try:
        return sorted(
            file for file in folder.iterdir() if file.suffix in (".yaml", ".yml") and not file.name.startswith(".")
        )
    except (OSError, ValueError):
        return []
