"""The kernel with its tests of bounds compiled in: `python -m tests.deep.bounds`.

The battery must find nothing, and a kernel that leaves one of its tables must be an error.
"""

import sys
import tempfile
from pathlib import Path

from tests.deep.mutants import CALLS, Mutant
from tests.deep.workshop import battery, reference_facts, say

CHECKED = {"NUMBA_BOUNDSCHECK": "1"}
OUTSIDE = Mutant(CALLS, "issue", "inside(region", "inside(t", "a place far outside a table")
EXPECTED = "the kernel left one of its tables"


def check_bounds(facts: Path) -> bool:
    """Play the battery on the checked kernel, and on one that is wrong; say so and return whether all is well."""
    itself = battery(None, facts, CHECKED)
    say(f"bounds-checked: {itself.kind}, {itself.text} ({itself.seconds:.0f} s)")
    outside = battery(OUTSIDE, facts, CHECKED)
    seen = outside.kind == "error" and EXPECTED in outside.text
    say(f"bounds-checked, {OUTSIDE.meaning}: {outside.kind}, {outside.text} ({outside.seconds:.0f} s)")
    return itself.kind == "same" and seen


def main() -> int:
    """Run it alone."""
    with tempfile.TemporaryDirectory() as folder:
        facts = Path(folder) / "facts.pickle"
        reference_facts(facts)
        return 0 if check_bounds(facts) else 1


if __name__ == "__main__":
    sys.exit(main())
