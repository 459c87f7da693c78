"""replication-stalled: the replica receives nothing; its connection stays open."""

from typing import Any

from experiments.faults import base, replication

BEHIND_S = 4.0


def plan(region: str) -> base.Plan:
    """Plan to stall the line to the replica in a region."""
    replication.standby(region)
    radius = f"the replica in {region} receives nothing; what is written meanwhile is on the primary only."
    return base.Plan(
        "replication-stalled", (f"{region}/database",), radius, (replication.as_before(),), {"region": region}
    )


def inject(fault: str, region: str) -> dict[str, Any]:
    """Stall the line."""
    return base.inject(fault, plan(region), lambda _: replication.set_mode({"mode": "stall"}))


def landed(fault: str) -> bool:
    """Whether the replica is behind."""
    return base.look(fault, lambda p: replication.is_behind(p.facts["region"], BEHIND_S), without=False)


def gone(fault: str) -> bool:
    """Whether it follows again."""
    return base.look(fault, lambda p: replication.follows(p.facts["region"]), without=True)


def lift(fault: str, by: str = "clean-up") -> str:
    """Let everything pass."""
    return base.lift(fault, by)
