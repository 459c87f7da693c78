"""One entry of a timeline from its beginning to its end, for those that happen beside something else."""

from collections.abc import Mapping
from typing import Any

from experiments.faults import base
from experiments.operate.moments import moments
from experiments.operate.watching import LANDS_WITHIN_S, lift_at, until_fact, until_landed


def play(
    fault: str,
    kind: str,
    arguments: Mapping[str, Any],
    at_s: float | None = None,
    when: Mapping[str, str] | None = None,
    after_s: float = 0.0,
    lasts_s: float | None = None,
    at_most_s: float = 0.0,
) -> bool:
    """Wait for an instant, or a fact, inject a fault, see it land, and lift it when it has lasted its time.

    Args:
        fault: its name in the timeline.
        kind: its kind.
        arguments: of its injection.
        at_s: when, in seconds after the experiment's start; nothing: when a fact occurs.
        when: kind and subject of that fact.
        after_s: how long after the fact.
        lasts_s: how long it lasts; nothing: until it is lifted otherwise.
        at_most_s: when the experiment ends.

    Returns:
        Whether it was injected and seen to land.
    """
    if at_s is None:
        fact = when or {"mark": "", "subject": ""}
        if not until_fact(fact["mark"], fact["subject"], at_most_s - moments.now_s()):
            return False
        at_s = moments.now_s() + after_s
    if not moments.wait_until(at_s):
        return False
    begun_s = moments.now_s()
    base.module_of(kind).inject(fault, **arguments)
    landed = until_landed(fault, kind, LANDS_WITHIN_S if lasts_s is None else min(LANDS_WITHIN_S, lasts_s))
    return landed if lasts_s is None else lift_at(fault, kind, begun_s + lasts_s) and landed
