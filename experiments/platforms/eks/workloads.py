"""Deployments and the configuration of a region's cluster, through its API."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from experiments.operate.moments import moments
from experiments.platforms.eks.aws import Aws, AwsError
from experiments.platforms.eks.plans import Options, Plan, change, look, option
from experiments.platforms.eks.targets import Target
from scenarios.errors import Problem, UsageError

READY_WITHIN_S = 900.0
EVERY_S = 2.0
CONFIG = "grandmodel-config"


def _wanted(options: Options, verb: str) -> Mapping[str, Any]:
    """Service: pods. Raises UsageError when nothing says so."""
    plan = options.get("plan")
    if not isinstance(plan, Mapping) or not plan:
        raise UsageError(Problem(f"verb {verb}", "no `plan`", "pods of each service", "Give {service: pods}."))
    return plan


def _path(aws: Aws, service: str) -> str:
    return f"/apis/apps/v1/namespaces/{aws.target.namespace}/deployments/{service}-deployment"


def plan_scale(target: Target, options: Options) -> Plan:
    """Set how many pods each service has."""
    plan = _wanted(options, "scale")
    words = f"scales to {', '.join(f'{service} {pods}' for service, pods in plan.items())}"
    calls = tuple(
        change("kubernetes", "PATCH deployments", name=f"{s}-deployment", replicas=n) for s, n in plan.items()
    )
    return Plan("scale", target.name, words, calls)


def scale(aws: Aws, options: Options) -> str:
    """Scale the deployments."""
    plan = _wanted(options, "scale")
    for service, pods in plan.items():
        aws.kube.patch(_path(aws, service), {"spec": {"replicas": int(pods)}}, "merge")
    return f"scaled to {dict(plan)}"


def plan_restart(target: Target, options: Options) -> Plan:
    """Replace the pods of services, one after the other."""
    plan = _wanted(options, "restart")
    calls = tuple(change("kubernetes", "PATCH deployments", name=f"{service}-deployment") for service in plan)
    return Plan("restart", target.name, f"restarts {', '.join(plan)}, pod by pod", calls)


def restart(aws: Aws, options: Options) -> str:
    """Restart, as `kubectl rollout restart` does."""
    plan = _wanted(options, "restart")
    stamp = {"kubectl.kubernetes.io/restartedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    for service in plan:
        aws.kube.patch(_path(aws, service), {"spec": {"template": {"metadata": {"annotations": stamp}}}})
    return f"{', '.join(plan)} restarted"


def plan_wait_ready(target: Target, options: Options) -> Plan:
    """Wait for every pod that is wanted."""
    plan = _wanted(options, "wait_ready")
    calls = tuple(look("kubernetes", "GET deployments", name=f"{service}-deployment") for service in plan)
    return Plan("wait_ready", target.name, f"waits until every pod of {', '.join(plan)} is ready", calls)


def wait_ready(aws: Aws, options: Options) -> str:
    """Wait until the deployments have every pod that they want, of the newest template."""
    plan = _wanted(options, "wait_ready")
    within_s = float(options.get("within_s", READY_WITHIN_S))
    for service in plan:
        if not moments.poll(partial(is_ready, aws, service), within_s, EVERY_S):
            where = f"{aws.target.name}, {service}"
            raise AwsError(Problem(where, "pods that are not ready", "all that are planned", "Look at its events."))
    return f"{', '.join(plan)} ready"


def is_ready(aws: Aws, service: str) -> bool:
    """Whether a service's deployment has what it wants, of the newest template."""
    thing = aws.kube.get(_path(aws, service))
    wanted, status = thing["spec"].get("replicas", 1), thing.get("status", {})
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")]
    return status.get("observedGeneration", 0) >= thing["metadata"]["generation"] and counts == [wanted] * 3


def plan_patch_config(target: Target, options: Options) -> Plan:
    """Set a key of the configuration."""
    key, value = str(options.get("key", "database_url")), option(options, "value", "patch_config")
    call = change("kubernetes", "PATCH configmaps", name=CONFIG, data={key: value})
    return Plan("patch_config", target.name, f"sets {key} of {CONFIG} to {value}", (call,))


def patch_config(aws: Aws, options: Options) -> str:
    """Patch the ConfigMap; pods read `database_url` only when they start."""
    key, value = str(options.get("key", "database_url")), option(options, "value", "patch_config")
    path = f"/api/v1/namespaces/{aws.target.namespace}/configmaps/{CONFIG}"
    aws.kube.patch(path, {"data": {key: value}}, "merge")
    return f"{key} = {value}"


def trading(value: str) -> tuple[Callable[[Target, Options], Plan], Callable[[Aws, Options], str]]:
    """Plan and act of setting `trading_enabled`."""
    options = {"key": "trading_enabled", "value": value}
    return (lambda target, _: plan_patch_config(target, options)), (lambda aws, _: patch_config(aws, options))
