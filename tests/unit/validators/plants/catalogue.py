"""Everything planted, by what must be said of it. `python -m tests.unit.validators.plants.catalogue` lists it."""

import sys

from tests.unit.validators.plants import Plant, account, alerts, figures, losses, missing, people, recovery, rules

GROUPS = (recovery, losses, rules, account, figures, alerts, people, missing)
VIOLATIONS: tuple[Plant, ...] = tuple(p for g in GROUPS for p in g.VIOLATIONS)
WEAK: tuple[Plant, ...] = tuple(p for g in GROUPS for p in g.WEAK)
HARMLESS: tuple[Plant, ...] = tuple(p for g in GROUPS for p in g.HARMLESS)


def lines() -> list[str]:
    """One line for each plant: what must be said of it, the objective, its name."""
    return [f"{p.expected:12} {p}" for p in (*VIOLATIONS, *WEAK, *HARMLESS)]


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines()) + "\n")
