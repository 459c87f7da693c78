"""The blast radius in words, before anybody is asked to agree: what breaks, what suffers, how it ends, what stays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.platforms.site import site
from experiments.safety.abort import inside_radius
from scenarios.files.resolved import Resolved

IRREVERSIBLE = {
    "promote": "promotion",
    "switch_dns": "change of DNS",
    "restore_snapshot": "restore from a snapshot",
    "restore_point_in_time": "restore to a point in time",
}


@dataclass(frozen=True)
class Injection:
    """A fault of the timeline, as it will be done."""

    fault: str  # "region-loss:0"
    when: str  # "at 5 min"
    words: str  # what it breaks
    lift: str  # "is lifted at the end", "mends itself"


def describe(
    resolved: Resolved, targets: Mapping[str, str], injections: Sequence[Injection], irreversible: Sequence[str]
) -> str:
    """Return what will be broken, in words, several lines.

    Args:
        resolved: the scenario with its topology.
        targets: what is touched, region: its identity.
        injections: faults, in their order.
        irreversible: steps that nothing lifts: a promotion, a change of DNS, a restore.
    """
    services = sorted(inside_radius(resolved))
    spared = sorted({*resolved.topology.services, "database"} - set(services))
    lines = [f"{resolved.scenario.title}", "targets:"]
    lines += [f"  {region}: {identity}" for region, identity in targets.items()]
    lines += ["what breaks:"]
    broken = [f"  {each.when}: {each.fault}: {each.words} It {each.lift}." for each in injections]
    lines += broken or ["  nothing: it is only observed"]
    lines += [f"users will feel it at: {', '.join(services) or 'nothing'}"]
    lines += [f"aborted when one of these is bad for a minute: {', '.join(spared)}"] if spared else []
    if irreversible:
        how = f"cannot be lifted, only failed back (`{site().undo}`), if it comes to that"
        lines += [f"{how}: {', '.join(irreversible)}"]
    return "\n".join(lines)


def irreversible_steps(resolved: Resolved) -> list[str]:
    """Steps of the responding procedures that nothing lifts, with the procedure's name."""
    steps = [(name, step.verb) for name, procedure in resolved.procedures.items() for step in procedure.steps]
    return list(dict.fromkeys(f"{IRREVERSIBLE[verb]} ({name})" for name, verb in steps if verb in IRREVERSIBLE))
