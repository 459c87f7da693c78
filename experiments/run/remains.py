"""What an executor leaves behind that dies: its parent lifts it at once, in its place."""

from collections.abc import Callable
from typing import Any

from experiments.faults import base, report
from experiments.operate import changing, preparation
from experiments.operate.watching import until_gone
from scenarios.errors import GamedayError

GOES_WITHIN_S = 30.0

type Mark = Callable[..., None]  # kind, subject, and the detail by name


def lift_remains(arms: base.Safety, mark: Mark, within_s: float = GOES_WITHIN_S) -> list[str]:
    """Lift every fault that has a plan on this disk, the last one first, and then see that each is gone.

    Args:
        arms: who armed the faults, and lifts them.
        mark: records a fact of the run.
        within_s: how long a fault may take to go once it is lifted, in seconds; of each.

    Returns:
        What is left, in words; nothing: all is lifted, or the executor had left nothing.
    """

    def listener(kind: str, subject: str, detail: dict[str, Any]) -> None:
        mark(kind, subject, **detail)

    base.protect(arms)
    report.listen(listener)
    try:
        remains = base.all_kept()[::-1]
        left = {fault: words for fault in remains if (words := _lift(fault))}
        plans = {fault: plan for fault in remains if fault not in left and (plan := base.kept(fault))}
        lifted = {fault: plan.kind for fault, plan in plans.items() if plan.lifts}
        unseen = [
            f"{fault} was lifted and is not seen to be gone"
            for fault, kind in lifted.items()
            if not until_gone(fault, kind, within_s)
        ]
        return [*left.values(), *unseen]
    finally:
        report.deafen(listener)
        base.protect(None)


def _lift(fault: str) -> str:
    """Lift one; returns why it is left, or nothing."""
    plan, damage = base.found(fault)
    try:
        if fault == preparation.NAME:
            preparation.put_back()
        elif changing.is_change(fault):
            changing.put_back(fault)
        elif damage or (plan and plan.lifts):  # else it happened at an instant
            base.lift(fault, "clean-up")
    except GamedayError as error:
        return str(error)
    return ""
