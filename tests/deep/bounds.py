"""The kernel with its tests of bounds compiled in: `python -m tests.deep.bounds`.

The battery must find nothing, and a kernel that leaves one of its tables must be an error.
"""

import sys

from tests.deep.mutants import CALLS, Mutant
from tests.deep.workshop import Original, battery, original, say

CHECKED = {"NUMBA_BOUNDSCHECK": "1"}
OUTSIDE = Mutant(
    CALLS, "issue_from_client", "_entry_station(g, region)", "_entry_station(g, t)", "a place far outside a table"
)
EXPECTED = "the kernel left its table"


def check_bounds(kept: Original) -> bool:
    """Play the battery on the checked kernel, and on one that is wrong; say so and return whether all is well."""
    played = dict(battery([OUTSIDE], kept, CHECKED))
    for number, meaning in enumerate(("the kernel itself", OUTSIDE.meaning)):
        if number in played:
            verdict = played[number]
            say(f"bounds-checked, {meaning}: {verdict.kind}, {verdict.text} ({verdict.seconds:.0f} s)")
    itself, outside = played.get(0), played.get(1)
    seen = outside is not None and outside.kind == "error" and EXPECTED in outside.text
    return itself is not None and itself.kind == "same" and seen


def main() -> int:
    """Run it alone."""
    with original() as kept:
        return 0 if check_bounds(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
