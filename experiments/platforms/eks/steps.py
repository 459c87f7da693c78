"""A scenario in the verbs of EKS: for each fault and each step what would be called, or why nothing is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.platforms.eks.plans import Options, Plan, change, look
from experiments.platforms.eks.targets import Target
from experiments.platforms.eks.verbs import plan
from scenarios.errors import Problem, UsageError
from scenarios.files.resolved import Resolved
from scenarios.model.procedure import Procedure, Step
from scenarios.model.scenario import Entry
from scenarios.model.units import duration

FAULTS = {"node-loss": "stop_node", "cordon-drain": "drain_node"}  # those that hit the node of a service
BY_THE_CLUSTER = {  # those that need nothing but its API: what they change, in words and as calls
    "pod-kill": ("ends pods of {service} without warning; Kubernetes replaces them", "DELETE pods"),
    "crash-loop": ("replaces pods of {service} by ones that crash", "PATCH deployments"),
    "bad-rollout": ("rolls out a release of {service} that crashes", "PATCH deployments"),
    "redis-loss": ("takes the cache away", "PATCH deployments"),
    "prometheus-down": ("takes Prometheus away", "PATCH deployments"),
}
BY_HAND = frozenset({"notify", "wait"})
BY_THE_AUTOMATION = "the automation does it; gameday calls nothing"
VERBS = {
    "assess": "describe_database",
    "promote": "promote",
    "deploy": "scale",
    "scale": "scale",
    "restart": "restart",
    "wait_ready": "wait_ready",
    "verify": "wait_ready",
    "switch_dns": "switch_dns",
    "restore_snapshot": "restore_snapshot",
    "restore_point_in_time": "restore_point_in_time",
    "set_image": "set_image",
    "rollout_undo": "rollout_undo",
    "patch_config": "patch_config",
    "disable_trading": "disable_trading",
    "enable_trading": "enable_trading",
    "copy_models": "copy_data",
}


@dataclass(frozen=True)
class Item:
    """A fault or a step, with its plan; `instead`: why there is none."""

    group: str  # "faults", or "procedure manual-failover, by people"
    what: str
    plan: Plan | None = None
    instead: str = ""
    problems: tuple[Problem, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        found = {"group": self.group, "what": self.what, "instead": self.instead}
        return {**found, "plan": None if self.plan is None else self.plan.to_json()}


def items(resolved: Resolved, targets: Mapping[str, Target]) -> Iterator[Item]:
    """Everything that the scenario does, in order. Calls nothing.

    Args:
        resolved: the scenario.
        targets: by region.
    """
    for number, entry in enumerate(resolved.scenario.timeline):
        if entry.fault not in (None, "none"):
            yield _fault(f"timeline.{number}", entry, targets)
    changes = [entry.change for entry in resolved.scenario.timeline if entry.change is not None]
    for name in (*changes, *resolved.scenario.response):
        procedure = resolved.procedures[name]
        for step in procedure.steps:
            yield _step(resolved, procedure, step, targets)


def _fault(where: str, entry: Entry, targets: Mapping[str, Target]) -> Item:
    when = f"at {duration(entry.at_us or 0)}" if entry.when is None else f"when {entry.when.mark.replace('_', ' ')}"
    what, verb = f"{when}: {entry.fault}", FAULTS.get(str(entry.fault))
    if entry.fault in BY_THE_CLUSTER:
        words, operation = BY_THE_CLUSTER[entry.fault]
        target = targets[entry.target["region"]]
        of = entry.target.get("service", entry.fault)
        calls = (look("kubernetes", "GET pods"), change("kubernetes", operation, of=of))
        return Item("faults", what, Plan(entry.fault, target.name, words.format(**entry.target), calls))
    if verb is None:
        known = ", ".join((*FAULTS, *BY_THE_CLUSTER))
        found, expected = f"fault {entry.fault}", f"one that has a form on EKS: {known}"
        problem = Problem(where, found, expected, "Play it with `--world kind`.")
        return Item("faults", what, instead="nothing on EKS breaks this", problems=(problem,))
    return _planned("faults", what, verb, targets[entry.target["region"]], {"service": entry.target["service"]})


def _step(resolved: Resolved, procedure: Procedure, step: Step, targets: Mapping[str, Target]) -> Item:
    group, what = f"procedure {procedure.procedure}, by {procedure.actor}", f"{step.id}: {step.title}"
    if procedure.actor == "automation":
        return Item(group, what, instead=BY_THE_AUTOMATION)
    if step.verb in BY_HAND:
        return Item(group, what, instead="a person does it")
    if step.verb not in VERBS:
        where = f"procedure {procedure.procedure}, step {step.id}"
        problem = Problem(
            where, f"verb {step.verb}", f"one of {', '.join(VERBS)}", "Do it by hand, or play it on kind."
        )
        return Item(group, what, instead=f"no verb of EKS does `{step.verb}`", problems=(problem,))
    region = step.target.get("region", resolved.topology.database.home)
    if step.verb == "switch_dns" and "route53-data" in step.needs:
        left = next(name for name in targets if name != region)
        return _planned(group, what, "invert_health_check", targets[left], {})
    return _planned(group, what, VERBS[step.verb], targets[region], _options(resolved, step))


def _options(resolved: Resolved, step: Step) -> Options:
    """What the verb needs to know; what only the day itself tells stands in brackets."""
    if step.verb == "restore_point_in_time":
        return {"to": "(the moment before the mistake)", **step.options}
    if step.verb == "patch_config":
        return {"value": "(the address of the restored database)", **step.options}
    services = [step.target["service"]] if "service" in step.target else list(resolved.topology.services)
    replicas = step.options.get("replicas")
    wanted = {s: resolved.topology.services[s].replicas if replicas is None else replicas for s in services}
    return {"plan": wanted, **step.options}


def _planned(group: str, what: str, verb: str, target: Target, options: Options) -> Item:
    try:
        return Item(group, what, plan(verb, target, options))
    except UsageError as error:
        return Item(group, what, instead="not declared", problems=error.problems)
