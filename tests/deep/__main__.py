"""Every mutant of the kernel must be caught, the kernel itself must not: `make test-deep`.

`python -m tests.deep [WORD ...]` plays those mutants whose function or meaning holds one of the words.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.deep.bounds import check_bounds
from tests.deep.mutants import MUTANTS, Mutant
from tests.deep.workshop import Original, Verdict, battery, original, say

WORKERS = 2
QUICK = {"NUMBA_OPT": "0"}  # compiles in two thirds of the time; the bounds-checked run compiles as users do


def row(mutant: Mutant, verdict: Verdict, kept: Original) -> str:
    """One line of the table."""
    _, line, (old, new) = mutant.applied(kept.source(mutant))
    place = f"{mutant.file}:{line}"
    by = verdict.kind.upper() if not verdict.caught else verdict.kind
    text = " ".join(verdict.text.split())[:90]
    return f"{place:24} {old + ' -> ' + new:24} {mutant.meaning:56} {by:10} {text}  ({verdict.seconds:.0f} s)"


def play_mutants(mutants: list[Mutant], kept: Original) -> list[tuple[Mutant, Verdict]]:
    """Play them two at a time; print each as it ends; return those that were not caught."""
    left = []
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting = {pool.submit(battery, mutant, kept, QUICK): mutant for mutant in mutants}
        for number, future in enumerate(as_completed(waiting), start=1):
            mutant, verdict = waiting[future], future.result()
            say(f"{number:3}/{len(mutants)} {row(mutant, verdict, kept)}")
            if not verdict.caught:
                left.append((mutant, verdict))
    return left


def main(words: list[str]) -> int:
    """Print the table; 0 when all is as it should be."""
    began = time.monotonic()
    chosen = [m for m in MUTANTS if not words or any(w in f"{m.function} {m.meaning}" for w in words)]
    with original() as kept:
        itself = battery(None, kept, QUICK)
        say(f"the kernel itself: {itself.kind}, {itself.text} ({itself.seconds:.0f} s)")
        if itself.kind != "same":
            return 1
        left = play_mutants(chosen, kept)
        bounds = bool(words) or check_bounds(kept)
    minutes = (time.monotonic() - began) / 60
    say(f"{len(chosen)} mutants, {len(chosen) - len(left)} caught, {len(left)} not; {minutes:.0f} min")
    return 0 if chosen and not left and bounds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
