"""Steps of people on EKS: each verb of a procedure is a verb of EKS on the target of the step's region.

Whoever confirmed the run confirmed its steps: they were shown, each with the calls that it makes.
"""

from collections.abc import Mapping
from typing import Any

from experiments.platforms.eks.aws import Aws
from experiments.platforms.eks.plans import Confirmation
from experiments.platforms.eks.platform import target_of
from experiments.platforms.eks.steps import BY_HAND, VERBS
from experiments.platforms.eks.verbs import do
from experiments.platforms.platform import platform


def known() -> tuple[str, ...]:
    """Verbs of procedures that can be done here."""
    return (*VERBS, *BY_HAND)


def perform(verb: str, target: Mapping[str, str], options: Mapping[str, Any]) -> str:
    """Do what a verb says, to its end; return what was seen.

    Raises:
        UsageError: something of the target is not declared.
        AwsError, KubeError, WrongTargetError: it was refused, or had no effect.
    """
    if verb in BY_HAND:
        return "done"
    there = target_of(target.get("region") or platform().leads_to())
    confirmed = Confirmation(frozenset({there.name}))
    return do(VERBS[verb], Aws(there), {**options, "plan": wanted(target, options)}, confirmed)


def wanted(target: Mapping[str, str], options: Mapping[str, Any]) -> dict[str, int]:
    """Pods of each service that a step is about: those that it names, else those of the plan.

    >>> wanted({"service": "risk"}, {"plan": {"risk": 8, "tactical": 4}, "replicas": 2})
    {'risk': 2}
    """
    plan: Mapping[str, int] = options.get("plan", {})
    services = [target["service"]] if "service" in target else list(plan)
    return {service: int(options.get("replicas", plan.get(service, 0))) for service in services}
