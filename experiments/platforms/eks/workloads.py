"""Deployments and the configuration of a region's cluster, through its API."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from experiments.operate.moments import moments
from experiments.platforms import trading as switch
from experiments.platforms.eks.aws import Aws, AwsError, answering
from experiments.platforms.eks.kube import KubeError
from experiments.platforms.eks.plans import Options, Plan, change, look, option
from experiments.platforms.eks.targets import Target
from scenarios.errors import Problem, UsageError

READY_WITHIN_S = 900.0
EVERY_S = 2.0
_REVISION = "deployment.kubernetes.io/revision"


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


def plan_set_image(target: Target, options: Options) -> Plan:
    """Roll out another image."""
    plan, image = _wanted(options, "set_image"), option(options, "image", "set_image")
    calls = tuple(change("kubernetes", "PATCH deployments", name=f"{s}-deployment", image=image) for s in plan)
    looks = look("kubernetes", "GET deployments")
    return Plan("set_image", target.name, f"rolls out {image} for {', '.join(plan)}", (looks, *calls))


def set_image(aws: Aws, options: Options) -> str:
    """Give the first container of each deployment another image."""
    plan, image = _wanted(options, "set_image"), option(options, "image", "set_image")
    for service in plan:
        container = aws.kube.get(_path(aws, service))["spec"]["template"]["spec"]["containers"][0]["name"]
        release = {"containers": [{"name": container, "image": image}]}
        aws.kube.patch(_path(aws, service), {"spec": {"template": {"spec": release}}})
    return f"{', '.join(plan)}: {image}"


def plan_rollout_undo(target: Target, options: Options) -> Plan:
    """Go back to the pods of the revision before."""
    plan = _wanted(options, "rollout_undo")
    calls = tuple(change("kubernetes", "PATCH deployments", name=f"{service}-deployment") for service in plan)
    looks = look("kubernetes", "GET deployments"), look("kubernetes", "GET replicasets")
    words = f"takes {', '.join(plan)} back to the revision before"
    return Plan("rollout_undo", target.name, words, (*looks, *calls))


def rollout_undo(aws: Aws, options: Options) -> str:
    """Go back, as `kubectl rollout undo` does. A service without a revision before stops it, before any is changed."""
    plan = _wanted(options, "rollout_undo")
    before = {service: _template_before(aws, service) for service in plan}
    for service, template in before.items():
        change_to = [{"op": "replace", "path": "/spec/template", "value": template}]
        aws.kube.patch(_path(aws, service), change_to, "json")
    return f"{', '.join(plan)}: back to the revision before"


def _template_before(aws: Aws, service: str) -> dict[str, Any]:
    uid = aws.kube.get(_path(aws, service))["metadata"]["uid"]
    sets = aws.kube.get(f"/apis/apps/v1/namespaces/{aws.target.namespace}/replicasets")["items"]
    own = [s for s in sets if any(owner["uid"] == uid for owner in s["metadata"].get("ownerReferences", []))]
    own.sort(key=lambda s: int(s["metadata"]["annotations"].get(_REVISION, "0")))
    if len(own) < 2:
        where, remedy = f"{aws.target.name}, {service}", "Nothing was changed. Use `set_image`."
        raise AwsError(Problem(where, "no revision before this one", "one to go back to", remedy))
    template = dict(own[-2]["spec"]["template"])
    labels = {key: value for key, value in template["metadata"]["labels"].items() if key != "pod-template-hash"}
    return {**template, "metadata": {**template["metadata"], "labels": labels}}


def plan_patch_config(target: Target, options: Options) -> Plan:
    """Set a key of the configuration."""
    key, value = str(options.get("key", "database_url")), option(options, "value", "patch_config")
    call = change("kubernetes", "PATCH configmaps", name=switch.CONFIG, data={key: value})
    return Plan("patch_config", target.name, f"sets {key} of {switch.CONFIG} to {value}", (call,))


def patch_config(aws: Aws, options: Options) -> str:
    """Patch the ConfigMap; pods read `database_url` only when they start."""
    key, value = str(options.get("key", "database_url")), option(options, "value", "patch_config")
    aws.kube.patch(_config(aws), {"data": {key: value}}, "merge")
    return f"{key} = {value}"


def _config(aws: Aws) -> str:
    return f"/api/v1/namespaces/{aws.target.namespace}/configmaps/{switch.CONFIG}"


def trading_off(aws: Aws) -> str:
    """Since when trading is disabled, in words; empty: it is not, or nothing there could disable it.

    Raises AwsError, KubeError: nobody knows.
    """
    try:
        with answering(f"the configuration of {aws.target.name}"):
            return switch.off_since(aws.kube.get(_config(aws)))
    except KubeError as error:
        if error.status == 404:
            return ""
        raise


def trading(value: str) -> tuple[Callable[[Target, Options], Plan], Callable[[Aws, Options], str]]:
    """Plan and act of setting `trading_enabled`."""
    options = {"key": switch.KEY, "value": value}
    return (lambda target, _: plan_patch_config(target, options)), (lambda aws, _: patch_config(aws, options))
