"""What each verb of a procedure does: calls to the APIs of clusters, databases and DNS, and nothing else."""

from collections.abc import Callable, Mapping
from typing import Any

from scenarios.errors import Problem, UsageError
from scenarios.model.procedure import Procedure, Step
from sim.control.context import Context, Wait

INSTANT_NS = 1


def perform(context: Context, step: Step) -> Wait:
    """Do what the step's verb says, to its end. Returns False when it was refused and may be tried again."""
    return (yield from _VERBS[step.verb](context, step)) is not False


def check(procedures: Mapping[str, Procedure]) -> None:
    """Refuse a procedure with a step that the twin cannot perform. Raises UsageError."""
    problems = [
        Problem(
            f"procedure {name}, step {step.id}",
            f"the verb `{step.verb}`",
            f"one of {', '.join(_VERBS)}",
            "Leave the step out in the twin.",
        )
        for name, procedure in procedures.items()
        for step in procedure.steps
        if step.verb not in _VERBS
    ]
    if problems:
        raise UsageError(*problems)


def noted(context: Context, step: Step) -> dict[str, Any]:
    """Return what whoever did the step has read, for the record."""
    if step.verb == "assess" and (seen := context.database.observed_lag_s()) is not None:
        return {"observed_lag_s": seen}
    return {}


def _only_time(context: Context, step: Step) -> Wait:
    """Its time is all there is to it."""
    yield context.env.timeout(INSTANT_NS)


def _services(context: Context, step: Step) -> list[str]:
    return [step.target["service"]] if "service" in step.target else list(context.topology.services)


def _wait_ready(context: Context, step: Step) -> Wait:
    yield from context.clusters[step.target["region"]].wait_ready(_services(context, step))


def _switch_dns(context: Context, step: Step) -> Wait:
    yield from context.dns.submit(step.target["region"])


def _deploy(context: Context, step: Step) -> Wait:
    context.clusters[step.target["region"]].deploy()
    yield context.env.timeout(INSTANT_NS)


def _patch_config(context: Context, step: Step) -> Wait:
    key, value = str(step.options.get("key", "database_url")), str(step.options.get("value", "restored"))
    context.clusters[step.target["region"]].patch_config(key, value)
    yield context.env.timeout(INSTANT_NS)


def _trading(value: str) -> Callable[[Context, Step], Wait]:
    def verb(context: Context, step: Step) -> Wait:
        context.clusters[step.target["region"]].patch_config("trading_enabled", value)
        yield context.env.timeout(INSTANT_NS)

    return verb


def _restart(context: Context, step: Step) -> Wait:
    for service in _services(context, step):
        context.clusters[step.target["region"]].restart(service)
    yield context.env.timeout(INSTANT_NS)


def _scale(context: Context, step: Step) -> Wait:
    for service in _services(context, step):
        context.clusters[step.target["region"]].scale(service, int(step.options["replicas"]))
    yield context.env.timeout(INSTANT_NS)


def _set_image(context: Context, step: Step) -> Wait:
    crashes = bool(step.options.get("crashes", False))
    for service in _services(context, step):
        context.clusters[step.target["region"]].set_image(service, str(step.options["image"]), crashes=crashes)
    yield context.env.timeout(INSTANT_NS)


def _undo(context: Context, step: Step) -> Wait:
    for service in _services(context, step):
        context.clusters[step.target["region"]].rollout_undo(service)
    yield context.env.timeout(INSTANT_NS)


def _notify(context: Context, step: Step) -> Wait:
    context.mark("notified", "communications-lead", audience=str(step.options.get("audience", "stakeholders")))
    yield context.env.timeout(INSTANT_NS)


def _promote(context: Context, step: Step) -> Wait:
    return (yield from context.database.promote(step.target["region"]))


_VERBS: dict[str, Callable[[Context, Step], Wait]] = {
    "fence": lambda context, step: context.database.fence(step.target["region"]),
    "promote": _promote,
    "deploy": _deploy,
    "wait_ready": _wait_ready,
    "switch_dns": _switch_dns,
    "reseed": lambda context, step: context.database.reseed(step.target["region"]),
    "catch_up": lambda context, step: context.database.catch_up(step.target["region"]),
    "restore_snapshot": lambda context, _: context.database.restore_snapshot(),
    "restore_point_in_time": lambda context, _: context.database.restore_point_in_time(),
    "patch_config": _patch_config,
    "restart": _restart,
    "scale": _scale,
    "set_image": _set_image,
    "rollout_undo": _undo,
    "disable_trading": _trading("false"),
    "enable_trading": _trading("true"),
    "notify": _notify,
    "wait": _only_time,
    "assess": _only_time,
    "verify": _only_time,
    "copy_models": _only_time,
}  # fmt: skip
