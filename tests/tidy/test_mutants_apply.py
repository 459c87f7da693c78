"""The list of wrong kernels (tests/deep) fits the kernel as it is now."""

import ast

import pytest

from tests.deep.bounds import OUTSIDE
from tests.deep.mutants import DATA, MUTANTS, Mutant, Stale
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
