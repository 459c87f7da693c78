"""The list of wrong kernels (tests/deep) fits the kernel as it is now."""

import ast
import re
from collections import Counter
from typing import Any

import pytest

from tests.deep.bounds import OUTSIDE
from tests.deep.mutants import DATA, MUTANTS, Mutant, Stale
from tests.deep.weaving import woven
from tests.deep.workshop import ROOT


@pytest.mark.parametrize("mutant", [*MUTANTS, OUTSIDE], ids=lambda mutant: f"{mutant.function}: {mutant.meaning}")
def test_applies(mutant: Mutant) -> None:
    """Its text occurs once in its function, and one token changes to another, in a file that still parses."""
    mutated, line, (old, new) = mutant.applied((ROOT / DATA / mutant.file).read_text())
    ast.parse(mutated)
    assert line > 0
    assert old != new


def test_enough_and_all_different() -> None:
    assert len(MUTANTS) >= 30
    assert len(set(MUTANTS)) == len(MUTANTS)
    assert len({m.meaning for m in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("\ndef f(a):\n    return a < 1\n\ndef g(a):\n    return a > 1\n", "occurs 0 times"),
        ("\ndef g(a):\n    return a < 1 or a < 1\n", "occurs 2 times"),
        ("\ndef h(a):\n    return a < 1\n", "no function g"),
    ],
)
def test_a_stale_mutant_is_named(source: str, says: str) -> None:
    with pytest.raises(Stale, match=says):
        Mutant("kernel_x.py", "g", "a < 1", "a > 1", "x").applied(source)


def test_more_than_one_token_is_refused() -> None:
    with pytest.raises(Stale, match="2 tokens"):
        Mutant("kernel_x.py", "g", "a < 1", "a > 2", "x").applied("\ndef g(a):\n    return a < 1\n")


SOURCE = '''"""A module."""


def f(g, a, n):
    total = 0
    for i in range(n):
        if a < i and (i & 1) == 0:
            total += max(i, a)
    g.kept = total
    return total - a if n > 3 else a
'''
PLANTED = [
    Mutant("kernel_x.py", "f", "range(n)", "range(a)", "an argument"),
    Mutant("kernel_x.py", "f", "a < i", "a > i", "a comparison"),
    Mutant("kernel_x.py", "f", "a < i and", "a < i or", "the whole condition, around the comparison"),
    Mutant("kernel_x.py", "f", "(i & 1) == 0", "(i & 1) == 1", "a constant within it"),
    Mutant("kernel_x.py", "f", "total += ", "total -= ", "a statement"),
    Mutant("kernel_x.py", "f", "max(", "min(", "which function is called"),
    Mutant("kernel_x.py", "f", "g.kept", "g.lost", "where is written"),
    Mutant("kernel_x.py", "f", "total - a", "total - n", "a name"),
]


class Kept:
    """What the function writes to."""


def _played(source: str, chosen: int) -> list[object]:
    names: dict[str, Any] = {}
    exec(source.replace("from sim.data.chosen import chosen", ""), {"chosen": lambda: chosen}, names)
    found: list[object] = []
    for a, n in ((1, 2), (2, 7), (5, 4), (3, 9), (0, 6)):
        kept = Kept()
        found.append((names["f"](kept, a, n), vars(kept)))
    return found


def test_woven_source_is_each_mutant_by_its_number() -> None:
    """And the original by any other number; the mutants differ, so none is taken for another."""
    together = woven(SOURCE, list(enumerate(PLANTED, 1)))
    alone = [_played(mutant.applied(SOURCE)[0], 0) for mutant in PLANTED]
    assert [_played(together, number) for number in range(1, len(PLANTED) + 1)] == alone
    assert _played(together, 0) == _played(together, 99) == _played(SOURCE, 0)
    assert all(played != _played(SOURCE, 0) for played in alone)


def test_all_mutants_of_the_kernel_can_be_woven() -> None:
    by_file: dict[str, list[tuple[int, Mutant]]] = {}
    for number, mutant in enumerate(MUTANTS, 1):
        by_file.setdefault(mutant.file, []).append((number, mutant))
    for file, mutants in by_file.items():
        source = woven((ROOT / DATA / file).read_text(), mutants)
        ast.parse(source)
        found = Counter(int(number) for number in re.findall(r"chosen\(\) == (\d+)", source))
        assert found == Counter(number for number, _ in mutants), file
