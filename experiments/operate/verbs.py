"""What each verb of a procedure does on the testbed: calls to the regions' API servers, databases and the DNS API.

Whoever does a step waits until an API answers, as a person would; what is refused for good is an error.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import psycopg

from experiments.faults import cluster, containers, database
from experiments.operate import reseeding
from experiments.operate.changing import CONFIG, RELEASE, TRADING
from experiments.operate.moments import moments
from experiments.operate.watching import home
from experiments.platforms.kind import OUTSIDE_URL as OUTSIDE
from experiments.testbed.layout import NAMESPACE
from scenarios.errors import GamedayError, Problem

Target = Mapping[str, str]
Options = Mapping[str, Any]

READY_WITHIN_S = 600.0
LOOKS_FOR_S = 60.0  # how long somebody looks whether it works
PROMOTES_WITHIN_S = 60
_REVISION = "deployment.kubernetes.io/revision"
_CRASHES = ["sh", "-c", "exit 1"]  # command of a release that crashes at start


class StepError(GamedayError, RuntimeError):
    """A step was refused, or did not have the effect that it should have."""


def _failed(
    where: str, found: str, expected: str, remedy: str = "Look at the system, then do it by hand."
) -> StepError:
    return StepError(Problem(where, found, expected, remedy))


def perform(verb: str, target: Target, options: Options) -> str:
    """Do what a verb says, to its end; return what was seen.

    Raises:
        StepError: it was refused, or had no effect.
        OSError, HTTPError, psycopg.Error: an API does not answer; it may be tried again.
    """
    return _VERBS[verb](target, options)


def known() -> tuple[str, ...]:
    """Verbs that can be done here."""
    return tuple(_VERBS)


# --- looking


def _assess(target: Target, _: Options) -> str:
    region = target.get("region", "")
    answering = [service for service in containers.SERVICES if containers.answers(region, service)]
    return f"{region}: {', '.join(answering) or 'nothing'} answers; the name leads to {home() or 'nobody knows where'}"


def _verify(target: Target, _: Options) -> str:
    region = target.get("region") or home()

    def look() -> bool:
        return all(containers.answers(region, s) for s in containers.SERVICES) and database.writes(region)

    if not moments.poll(look, LOOKS_FOR_S, every_s=1.0):
        raise _failed(f"verify {region}", "a service that gives no right answer", "all of them, and a row written")
    return f"every service of {region} answers, and a row is written"


def _wait_ready(target: Target, options: Options) -> str:
    services = _services(target, options)
    for service in services:
        if not moments.poll(partial(cluster.is_settled, target["region"], service), READY_WITHIN_S, every_s=0.5):
            raise _failed(f"{target['region']}/{service}", "pods that are not ready", "all that are planned")
    return f"{', '.join(services)} ready"


def _nothing(_: Target, __: Options) -> str:
    return "done"


# --- databases, lease, DNS


def _ask(method: str, path: str, body: Any, expected: str) -> Any:
    """Call the outside's control interface. Raises StepError for a refusal, OSError for silence."""
    status, found = containers.request(method, OUTSIDE + path, body, timeout_s=30.0)
    if status == 503:
        raise ConnectionError(f"{path}: not available now")
    if status >= 300:
        raise _failed(f"{method} {path}", f"{status} {found}", expected)
    return found


def _fence(target: Target, _: Options) -> str:
    region = target.get("region") or home()
    _ask("POST", "/lease/fence", {"region": region}, f"{region} fenced")
    return f"{region} can commit no longer"


def _promote(target: Target, _: Options) -> str:
    """Ask for the lease, which is granted once nobody else holds it, and only then promote the standby.

    So a database that is out of recovery and holds the lease is the primary, whenever somebody was stopped half-way.
    """
    region = target["region"]
    with database.connect(region, "operator") as connection:  # before the lease: one that is silent gets none
        row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
        _grant(region)
        if row is not None and row[0]:
            done = connection.execute("SELECT pg_promote(true, %s)", (PROMOTES_WITHIN_S,)).fetchone()
            if done is None or not done[0]:
                raise _failed(f"promote {region}", f"no promotion within {PROMOTES_WITHIN_S} s", "a primary")
    return f"{region} is the primary and may write"


def _grant(region: str) -> None:
    deadline = time.monotonic() + LOOKS_FOR_S
    while True:
        status, found = containers.request("POST", f"{OUTSIDE}/lease/grant", {"region": region})
        if status == 200:
            return
        if status != 409 or time.monotonic() > deadline or moments.told.wait(0.5):
            raise _failed(f"lease for {region}", f"{status} {found}", "the lease, which the old primary still holds")


def _switch_dns(target: Target, _: Options) -> str:
    region = target["region"]
    _ask("PUT", "/dns", {"region": region}, f"the name leading to {region}")
    if not moments.poll(lambda: home() == region, LOOKS_FOR_S, every_s=0.5):
        raise _failed("dns", home() or "no answer", region)
    return f"the name leads to {region}"


# --- deployments and configuration


def _services(target: Target, options: Options) -> list[str]:
    return [target["service"]] if "service" in target else list(options["plan"])


def _scale_to(region: str, service: str, replicas: int) -> None:
    cluster.patch(region, cluster.deployment_path(service), {"spec": {"replicas": replicas}}, "merge")


def _deploy(target: Target, options: Options) -> str:
    for service, replicas in options["plan"].items():
        _scale_to(target["region"], service, replicas)
    return f"scaled to {dict(options['plan'])}"


def _scale(target: Target, options: Options) -> str:
    for service in _services(target, options):
        _scale_to(target["region"], service, int(options["replicas"]))
    return f"{', '.join(_services(target, options))} scaled to {options['replicas']}"


def _restart(target: Target, options: Options) -> str:
    stamp = {"kubectl.kubernetes.io/restartedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    body = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
    for service in _services(target, options):
        cluster.patch(target["region"], cluster.deployment_path(service), body)
    return f"{', '.join(_services(target, options))} restarted"


def _set_image(target: Target, options: Options) -> str:
    """Roll out another release.

    The testbed has one image: a release is the same program under the image's name, one that crashes ends at once.
    """
    for service in _services(target, options):
        path = cluster.deployment_path(service)
        template: dict[str, Any] = {"metadata": {"annotations": {RELEASE: str(options["image"])}}}
        if options.get("crashes"):
            container = cluster.get(target["region"], path)["spec"]["template"]["spec"]["containers"][0]
            template["spec"] = {"containers": [{"name": container["name"], "command": _CRASHES}]}
        cluster.patch(target["region"], path, {"spec": {"template": template}})
    return f"{', '.join(_services(target, options))}: {options['image']}"


def _rollout_undo(target: Target, options: Options) -> str:
    """Go back to the pods of the revision before, as `kubectl rollout undo` does."""
    region = target["region"]
    for service in _services(target, options):
        path = cluster.deployment_path(service)
        deployment = cluster.get(region, path)
        sets = cluster.get(region, f"/apis/apps/v1/namespaces/{NAMESPACE}/replicasets")["items"]
        own = [s for s in sets if any(o["uid"] == cluster.uid_of(deployment) for o in s["metadata"]["ownerReferences"])]
        own.sort(key=lambda s: int(s["metadata"]["annotations"].get(_REVISION, "0")))
        if len(own) < 2:
            raise _failed(f"{region}/{service}", "no revision before this one", "one to go back to")
        template = dict(own[-2]["spec"]["template"])
        labels = {k: v for k, v in template["metadata"]["labels"].items() if k != "pod-template-hash"}
        template["metadata"] = {**template["metadata"], "labels": labels}
        cluster.patch(region, path, [{"op": "replace", "path": "/spec/template", "value": template}], "json")
    return f"{', '.join(_services(target, options))}: back to the revision before"


def _patch_config(target: Target, options: Options) -> str:
    key, value = str(options.get("key", "database_url")), options.get("value")
    if value is None:
        raise _failed("patch_config", "no value", "the value of the key", "Give `with: {value: ...}`.")
    cluster.patch(target["region"], CONFIG, {"data": {key: str(value)}}, "merge")
    return f"{key} = {value}"


def _trading(verb: str) -> Callable[[Target, Options], str]:
    value = TRADING[verb]
    return lambda target, _: _patch_config(target, {"key": "trading_enabled", "value": value})


_VERBS: dict[str, Callable[[Target, Options], str]] = {
    "fence": _fence,
    "promote": _promote,
    "deploy": _deploy,
    "wait_ready": _wait_ready,
    "switch_dns": _switch_dns,
    "verify": _verify,
    "assess": _assess,
    "patch_config": _patch_config,
    "restart": _restart,
    "scale": _scale,
    "set_image": _set_image,
    "rollout_undo": _rollout_undo,
    "disable_trading": _trading("disable_trading"),
    "enable_trading": _trading("enable_trading"),
    "reseed": lambda target, _: reseeding.reseed(target["region"]),
    "catch_up": lambda target, _: reseeding.catch_up(target["region"]),
    "notify": _nothing,
    "wait": _nothing,
}
UNANSWERED = (OSError, psycopg.OperationalError)  # an API that does not answer; with urllib3's, see steps
