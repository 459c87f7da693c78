"""Collect `@pytest.mark.proves("...")` of all tests into docs/guarantees.md: `python -m tests.tidy.guarantees`."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "guarantees.md"
HEAD = """\
# Guarantees

What the product promises, each line proven by the tests named. What is not listed here is not done.
This page is generated (`make docs`).
"""


def _proven(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.proves":
            words = node.args[0]
            assert isinstance(words, ast.Constant), "a guarantee is a plain text"
            yield str(words.value)


def page() -> str:
    """Return the page as it should be."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        kind = path.relative_to(ROOT / "tests").parts[0]
        for words in _proven(ast.parse(path.read_text(encoding="utf-8"))):
            found[kind][words].add(path.relative_to(ROOT).as_posix())
    parts = [HEAD]
    for kind, guarantees in sorted(found.items()):
        parts.append(f"\n## {kind}\n\n")
        parts += [
            f"* {words} ({', '.join(f'`{f}`' for f in sorted(guarantees[words]))})\n" for words in sorted(guarantees)
        ]
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
