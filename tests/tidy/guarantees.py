"""Collect `@pytest.mark.proves("...")` of all tests into docs/guarantees.md: `python -m tests.tidy.guarantees`."""

import ast
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path

from tests.conftest import PLAYS_ON_THE_TESTBED

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "guarantees.md"
HEAD = """\
# Guarantees

What the product promises, each line proven by the tests named. What is not listed here is not done.
`make test` and `make test-cluster` run these tests; where it says "by hand", neither does, only the command that is
given, on a testbed that is up.
This page is generated (`make docs`).
"""


def _proven(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Each guarantee with the name of the test that proves it."""
    for test in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for mark in filter(_is_proof, test.decorator_list):
            assert isinstance(mark, ast.Call)
            words = mark.args[0]
            assert isinstance(words, ast.Constant), "a guarantee is a plain text"
            yield str(words.value), test.name


def _is_proof(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.proves"


def of_make_test_cluster(makefile: str) -> set[str]:
    """What `make test-cluster` gives to pytest: files, or one test of a file."""
    lines = makefile.replace("\\\n", " ").splitlines()
    return set(next(line for line in lines if line.startswith("CLUSTER :=")).partition(":=")[2].split())


def runs_by_itself(file: str, test: str, cluster: Collection[str]) -> bool:
    """Whether `make test` or `make test-cluster` runs a test; the first leaves out what plays on the testbed."""
    if Path(file).parts[1] not in PLAYS_ON_THE_TESTBED:
        return True
    return file in cluster or f"{file}::{test}" in cluster


def _where(tests: Collection[tuple[str, str]], cluster: Collection[str]) -> str:
    """The tests of a guarantee, in words: their files, and the commands of those that nobody runs but a person."""
    alone = {file for file, test in tests if runs_by_itself(file, test, cluster)}
    by_hand = {file for file, _ in tests} - alone
    words = [f"`{file}`" for file in sorted(alone)] + [f"by hand: `pytest {file}`" for file in sorted(by_hand)]
    return ", ".join(words)


def page() -> str:
    """Return the page as it should be."""
    cluster = of_make_test_cluster((ROOT / "Makefile").read_text(encoding="utf-8"))
    found: dict[str, dict[str, set[tuple[str, str]]]] = defaultdict(lambda: defaultdict(set))
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        kind = path.relative_to(ROOT / "tests").parts[0]
        tree = ast.parse(path.read_text(encoding="utf-8"))
        proven = list(_proven(tree))
        assert len(proven) == sum(map(_is_proof, ast.walk(tree))), f"{path}: a guarantee stands over a test"
        for words, test in proven:
            found[kind][words].add((path.relative_to(ROOT).as_posix(), test))
    parts = [HEAD]
    for kind, guarantees in sorted(found.items()):
        parts.append(f"\n## {kind}\n\n")
        parts += [f"* {words} ({_where(guarantees[words], cluster)})\n" for words in sorted(guarantees)]
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
