"""replication-delayed: what the replica receives, it receives late."""

from typing import Any

from experiments.faults import base, replication


def plan(region: str, delay_ms: int = 5_000) -> base.Plan:
    """Plan to delay the line to the replica in a region."""
    replication.standby(region)
    radius = f"the replica in {region} is {delay_ms / 1000:g} s behind; so much may be lost."
    facts = {"region": region, "delay_ms": delay_ms}
    return base.Plan("replication-delayed", (f"{region}/database",), radius, (replication.as_before(),), facts)


def inject(fault: str, region: str, delay_ms: int = 5_000) -> dict[str, Any]:
    """Delay the line."""
    return base.inject(
        fault,
        plan(region, delay_ms),
        lambda p: replication.set_mode({"mode": "pass", "delay_ms": p.facts["delay_ms"]}),
    )


def landed(fault: str) -> bool:
    """Whether the replica is as far behind as it should be."""
    return base.look(
        fault, lambda p: replication.is_behind(p.facts["region"], p.facts["delay_ms"] / 1000), without=False
    )


def gone(fault: str) -> bool:
    """Whether it follows again."""
    return base.look(fault, lambda p: replication.follows(p.facts["region"]), without=True)


def lift(fault: str, by: str = "clean-up") -> str:
    """Let everything pass."""
    return base.lift(fault, by)
