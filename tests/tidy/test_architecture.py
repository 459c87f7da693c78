"""The structure of the code: names that are ours, imports one way, small files, no wall clock in the twin."""

import ast
import importlib
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("gameday", "scenarios", "sim", "experiments", "validators", "reports")
TOP_LEVEL = {*PACKAGES, "tests", "docs"}
MOST_LINES, MOST_FUNCTION_LINES = 450, 90
TALKERS = {"gameday/cli/talk.py", "reports/formats/terminal.py"}


def _sources() -> Iterator[tuple[Path, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


SOURCES = dict(_sources())


@pytest.mark.parametrize("name", PACKAGES)
def test_each_package_is_ours(name: str) -> None:
    """The names are generic, and `validators` exists on PyPI."""
    assert Path(importlib.import_module(name).__file__ or "").is_relative_to(ROOT)


def test_top_level_holds_what_was_agreed() -> None:
    folders = {p.name for p in ROOT.iterdir() if p.is_dir() and not p.name.startswith((".", "__"))}
    assert folders - {"runs", "build", "grandmodel_gameday.egg-info"} <= TOP_LEVEL


def test_every_package_has_an_import_contract() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(settings["tool"]["importlinter"]["root_packages"]) == set(PACKAGES)


def test_library_holds_no_code() -> None:
    assert not [p for p in (ROOT / "scenarios" / "library").rglob("*") if p.is_file() and p.suffix != ".yaml"]


def test_files_and_functions_are_small() -> None:
    long = []
    for path, tree in SOURCES.items():
        if (lines := len((ROOT / path).read_text(encoding="utf-8").splitlines())) > MOST_LINES:
            long.append(f"{path}: {lines} lines")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= MOST_FUNCTION_LINES:
                long.append(f"{path}:{node.lineno} {node.name}")
    assert not long


def test_modules_say_what_they_are() -> None:
    assert not [str(p) for p, tree in SOURCES.items() if not ast.get_docstring(tree)]


def test_twin_has_no_wall_clock_and_no_global_randomness() -> None:
    """A run depends on its seed and on nothing else."""
    banned = {"time", "random", "datetime", "secrets", "uuid"}
    found = []
    for path, tree in SOURCES.items():
        if path.parts[0] != "sim":
            continue
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            found += [f"{path}:{node.lineno} {n}" for n in names if n.split(".")[0] in banned]
            if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("np.random"):
                found.append(f"{path}:{node.lineno} np.random")
    assert not found


def test_only_talkers_print() -> None:
    found = [
        f"{path}:{node.lineno}"
        for path, tree in SOURCES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        if str(path) not in TALKERS
    ]
    assert not found


def test_nothing_imports_in_a_circle() -> None:
    """Modules of our packages form no cycle (imports inside functions left out: they run later)."""
    known = {".".join(p.with_suffix("").parts).removesuffix(".__init__"): p for p in SOURCES}
    graph = {name: _imports(SOURCES[path], known) - {name} for name, path in known.items()}
    done: set[str] = set()
    for start in graph:
        _walk(start, graph, [], done)


def _imports(tree: ast.Module, known: dict[str, Path]) -> set[str]:
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            inside = {f"{node.module}.{a.name}" for a in node.names}
            found |= {n if n in known else str(node.module) for n in inside}
    return found & set(known)


def _walk(name: str, graph: dict[str, set[str]], path: list[str], done: set[str]) -> None:
    assert name not in path, " -> ".join([*path[path.index(name) :], name])
    if name in done:
        return
    for other in graph[name]:
        _walk(other, graph, [*path, name], done)
    done.add(name)


def test_what_is_committed_names_no_machine() -> None:
    """No absolute paths of a machine, no addresses of package indexes."""
    words = ["/".join(("", "root", "")), "python" + "hosted", "://pypi" + ".", "/".join(("", "work", ""))]
    found = []
    for path in [*ROOT.glob("*.*"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("**/*.py"), ROOT / "Makefile"]:
        if path.is_file() and ".venv" not in path.parts and path.name != ".git" and path.suffix != ".png":
            text = path.read_text(encoding="utf-8", errors="replace")
            found += [f"{path.relative_to(ROOT)}: {w}" for w in words if w in text]
    assert not found
