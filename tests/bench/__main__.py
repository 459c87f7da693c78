"""`python -m tests.bench`: the whole table and docs/performance.md; with `--gates` the gated rows on short runs.

The exit code is 1 when a gate is missed, or the two sides of a comparison differ.
"""

import argparse
import json
import sys
from dataclasses import replace

from rich.console import Console

from tests.bench import rows, table


def main() -> int:
    """Measure; print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--gates", action="store_true", help="only the rows with a gate, on short runs; no page")
    parser.add_argument("--seconds", type=float, help="simulated seconds of each system, instead of the plan's")
    parser.add_argument("--rounds", type=int, help="rounds, instead of 7")
    parser.add_argument("--only", default="", help="only groups whose names contain this; no page")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON to stdout")
    options = parser.parse_args()
    plan = rows.GATES if options.gates else rows.BENCH
    if options.seconds:
        plan = replace(plan, simple_s=options.seconds, product_s=options.seconds)
    if options.rounds:
        plan = replace(plan, rounds=options.rounds)
    talk = Console(stderr=True)
    found = []
    for row in rows.rows(plan, lambda words: talk.print(words, style="dim", highlight=False), options.only):
        found.append(row)
        talk.print(table.gate_line(row), highlight=False, soft_wrap=True)
        talk.print(f"       {row.detail}", style="dim", highlight=False, soft_wrap=True)
    if options.json:
        json.dump([rows.as_json(row) for row in found], sys.stdout, indent=1)
    if not options.gates:
        table.show(found, Console())
        if not options.only:
            table.write_page(found, plan)
    return 1 if any(row.stops for row in found) else 0


if __name__ == "__main__":
    sys.exit(main())
