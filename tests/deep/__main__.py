"""Every mutant of the kernel must be caught, the kernel itself must not: `make test-deep`.

`python -m tests.deep [WORD ...]` plays those mutants whose file, function or meaning holds one of the words.
"""

import sys
import time

from tests.deep.bounds import check_bounds
from tests.deep.mutants import MUTANTS, Mutant
from tests.deep.workshop import Original, Verdict, battery, original, say

QUICK = {"NUMBA_OPT": "0"}  # compiles in two thirds of the time; the bounds-checked run compiles as users do


def as_expected(mutant: Mutant, verdict: Verdict) -> bool:
    """Whether the battery saw that the kernel is wrong, or could not, as the list says."""
    return (verdict.kind == "same") == bool(mutant.equivalent)


def row(mutant: Mutant, verdict: Verdict, kept: Original) -> str:
    """One line of the table."""
    _, line, (old, new) = mutant.applied(kept.source(mutant))
    place = f"{mutant.file}:{line}"
    by = verdict.kind if as_expected(mutant, verdict) else verdict.kind.upper()
    text = mutant.equivalent if verdict.kind == "same" and mutant.equivalent else verdict.text
    text = " ".join(text.split())[:90]
    return f"{place:24} {old + ' -> ' + new:24} {mutant.meaning:56} {by:10} {text}  ({verdict.seconds:.0f} s)"


def play_mutants(mutants: list[Mutant], kept: Original) -> list[Mutant]:
    """Play the kernel and its mutants; print each as it ends; return those of which nothing, or the wrong, came."""
    left = dict(enumerate(mutants, 1))
    done = 0
    for number, verdict in battery(mutants, kept, QUICK):
        if number == 0:
            say(f"the kernel itself: {verdict.kind}, {verdict.text} ({verdict.seconds:.0f} s)")
            continue
        done += 1
        mutant = left[number]
        say(f"{done:3}/{len(mutants)} {row(mutant, verdict, kept)}")
        if as_expected(mutant, verdict):
            del left[number]
    return list(left.values())


def main(words: list[str]) -> int:
    """Print the table; 0 when all is as it should be."""
    began = time.monotonic()
    chosen = [m for m in MUTANTS if not words or any(w in f"{m.file} {m.function} {m.meaning}" for w in words)]
    with original() as kept:
        left = play_mutants(chosen, kept)
        bounds = bool(words) or check_bounds(kept)
    minutes = (time.monotonic() - began) / 60
    equivalent = sum(bool(m.equivalent) for m in chosen)
    caught = len(chosen) - equivalent - len([m for m in left if not m.equivalent])
    say(f"{len(chosen)} mutants: {caught} caught, {equivalent} equivalent, {len(left)} otherwise; {minutes:.0f} min")
    for mutant in left:
        say(f"otherwise: {mutant.function}, {mutant.meaning}")
    return 0 if chosen and not left and bounds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
