"""All mutants of a file in one source: which of them is played is chosen by a number when the kernel runs.

A kernel takes a minute to compile and three seconds to play, so it is compiled once, with each mutated place written
twice: `(a <= b if chosen() == 7 else a < b)`. With no number chosen it is the kernel as it is.
"""

import ast
from collections.abc import Sequence

from tests.deep.mutants import Mutant

CHOOSER = "chosen"
Place = tuple[tuple[str, int | None], ...]  # fields, and places in them, from the module down to a node


def woven(source: str, mutants: Sequence[tuple[int, Mutant]]) -> str:
    """Return a source that is each of the mutants by its number, and the original by any other number."""
    tree = ast.parse(source)
    sites = [(number, *_site(ast.parse(source), ast.parse(m.applied(source)[0]))) for number, m in mutants]
    for number, place, changed in sorted(sites, key=lambda site: -len(site[1])):  # what lies inside comes first
        _either(tree, place, number, changed)
    tree.body.insert(1, ast.ImportFrom(f"sim.data.{CHOOSER}", [ast.alias(CHOOSER)], 0))
    return ast.unparse(ast.fix_missing_locations(tree))


def _site(before: ast.AST, after: ast.AST) -> tuple[Place, ast.AST]:
    """Where two trees differ: the smallest expression that is read, or the statement; and what is there after."""
    place: Place = ()
    found: tuple[Place, ast.AST] = (place, after)
    while type(before) is type(after):
        differing = [(step, a, b) for step, a, b in _children(before, after) if ast.dump(a) != ast.dump(b)]
        if len(differing) != 1:
            break
        step, before, after = differing[0]
        place = (*place, step)
        read = isinstance(before, ast.expr) and isinstance(getattr(before, "ctx", ast.Load()), ast.Load)
        called = step[0] == "func"  # of two functions of which one is called the types cannot be one
        if (read and not called) or isinstance(before, ast.stmt):
            found = place, after
    return found


def _children(before: ast.AST, after: ast.AST) -> list[tuple[tuple[str, int | None], ast.AST, ast.AST]]:
    pairs: list[tuple[tuple[str, int | None], ast.AST, ast.AST]] = []
    for name, value in ast.iter_fields(before):
        other = getattr(after, name)
        if isinstance(value, list) and len(value) == len(other):
            pairs += [((name, i), a, b) for i, (a, b) in enumerate(zip(value, other, strict=True))]
        elif isinstance(value, ast.AST):
            pairs.append(((name, None), value, other))
    return pairs


def _either(tree: ast.AST, place: Place, number: int, changed: ast.AST) -> None:
    """Put the changed node beside the one at a place."""
    node = tree
    for name, index in place[:-1]:
        node = getattr(node, name) if index is None else getattr(node, name)[index]
    name, index = place[-1]
    old = getattr(node, name) if index is None else getattr(node, name)[index]
    test = ast.parse(f"{CHOOSER}() == {number}", mode="eval").body
    both: ast.AST
    if isinstance(changed, ast.stmt):
        both = ast.If(test, [changed], [old])
    else:
        assert isinstance(changed, ast.expr)
        both = ast.IfExp(test, changed, old)
    if index is None:
        setattr(node, name, both)
    else:
        getattr(node, name)[index] = both
