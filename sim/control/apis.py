"""Which control APIs a step needs, and waiting for one that does not answer.

A step names what it needs; what its verb cannot do without is added. Someone who finds an API down tries again now
and then: a person each minute, the automation each few seconds. Nobody is told when it comes back.
Source: CALIBRATION 0.3, 7.
"""

from typing import Any

from scenarios.model.procedure import Procedure, Step
from sim.control.context import Context, Wait

_KUBERNETES = ("deploy", "wait_ready", "patch_config", "restart", "scale", "set_image", "rollout_undo",
               "disable_trading", "enable_trading")  # fmt: skip
_RDS = ("promote", "restore_snapshot", "restore_point_in_time")
_S3 = ("copy_models",)


def needed(step: Step) -> tuple[str, ...]:
    """APIs that a step needs: those it names, and those of its verb.

    `switch_dns` changes a record (`route53`) unless the step names another way to move the name.
    """
    region = step.target.get("region", "")
    implied: tuple[str, ...] = ()
    for verbs, api in ((_KUBERNETES, "kubernetes"), (_RDS, "rds"), (_S3, "s3")):
        if step.verb in verbs and region:
            implied = (f"{api}:{region}",)
    if step.verb == "switch_dns" and not step.needs:
        implied = ("route53",)
    return tuple(dict.fromkeys((*step.needs, *implied)))


def again_ns(context: Context, procedure: Procedure) -> int:
    """Return how long whoever carries out a procedure waits before trying again."""
    return context.ns("automation.look_again" if procedure.actor == "automation" else "people.look_again")


def await_apis(context: Context, procedure: Procedure, step: Step, until_ns: int | None) -> Wait:
    """Wait until every API that a step needs answers to the one who asks. Returns whether it did in time."""
    names = needed(step)
    if not context.on("api_dependencies"):
        return True
    again = again_ns(context, procedure)
    said: list[str] = []
    while down := [name for name in names if not context.apis.up(name)]:
        if down != said:
            detail: dict[str, Any] = {"step": step.id, "for": down}
            context.mark("step_waiting", procedure.procedure, **detail)
            said = down
        if until_ns is not None and context.now_ns >= until_ns:
            return False
        yield context.env.timeout(again if until_ns is None else min(again, until_ns - context.now_ns))
    return True
