"""A change that does not come to its end is taken back like a fault that is lifted: no run leaves half of one behind.

What a step is about to change is kept before: in the ledger, with the reverter, and in a plan on disk. A change that
came to its end stays, and its plans are given up.
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from experiments.faults import base, cluster, verbs
from experiments.faults.verbs import Lift
from experiments.platforms.platform import platform
from experiments.testbed.layout import NAMESPACE
from scenarios.errors import GamedayError, LeftBehindError, Problem

KIND = "change"
CONFIG = f"/api/v1/namespaces/{NAMESPACE}/configmaps/grandmodel-config"
RELEASE = "gameday/release"  # annotation of pods: on the testbed a release is the same program under this name
TRADING = {"disable_trading": "false", "enable_trading": "true"}
TAKEN_BACK = ("set_image", "patch_config", *TRADING)

_numbers = itertools.count()
_under_way: dict[str, dict[str, str]] = {}  # change: its steps that change something, and the names of their plans


def is_change(fault: str) -> bool:
    """Whether what is kept under this name is a change."""
    return fault.partition(":")[0] == KIND


def begin(change: str) -> None:
    """A change starts."""
    _under_way[change] = {}


def before(change: str, step: str, verb: str, target: Mapping[str, str], options: Mapping[str, Any]) -> None:
    """Keep how a step of a change is taken back; nothing when no change is under way, or the verb leaves nothing.

    Raises:
        KubernetesError, OSError, HTTPError: what is there now cannot be read.
        GamedayError: it cannot be kept; the step must not be done.
    """
    steps = _under_way.get(change)
    if steps is None or step in steps or verb not in TAKEN_BACK:
        return
    if not (lifts := tuple(_lifts(verb, target, options))):
        return
    fault, region = f"{KIND}:{next(_numbers)}", _region(target)
    base.store(fault, base.Plan(KIND, (region,), f"{change}, {step}: what it changes in {region}", lifts))
    steps[step] = fault


def end(change: str, *, ok: bool) -> None:
    """A change has come to its end; one that failed is taken back in the end of the run, unless people have done so."""
    if not ok:
        return
    try:
        for fault in _under_way.get(change, {}).values():
            base.release(fault)
    except GamedayError:
        return  # nobody knows whether it is still armed: it is taken back with the rest
    _under_way.pop(change, None)


def take_back() -> str:
    """Take back every step of a change that has not come to its end, the last one first; twice is as good as once.

    Raises LeftBehindError when a part of it could not be taken back.
    """
    said, problems = [], list[Problem]()
    for fault in [fault for steps in _under_way.values() for fault in steps.values()][::-1]:
        try:
            said.append(put_back(fault))
        except LeftBehindError as error:
            problems += error.problems
    if problems:
        raise LeftBehindError(*problems)
    _under_way.clear()
    return "; ".join(said) or "every change has come to its end"


def put_back(fault: str) -> str:
    """Take back one step by its plan, and forget it. Raises LeftBehindError."""
    said = base.undo(fault, "clean-up")
    base.forget(fault)
    return said


def _region(target: Mapping[str, str]) -> str:
    """Where a step works: what names no region works where the name leads to."""
    return target.get("region") or str(platform().leads_to())


def _lifts(verb: str, target: Mapping[str, str], options: Mapping[str, Any]) -> Iterator[Lift]:
    """What puts back what is there now; done twice it does no harm."""
    region = _region(target)
    if verb != "set_image":
        key = "trading_enabled" if verb in TRADING else str(options.get("key", "database_url"))
        now = cluster.get(region, CONFIG).get("data", {}).get(key)
        yield verbs.patch(region, CONFIG, {"data": {key: now}}, "merge")
        return
    for service in [target["service"]] if "service" in target else list(options.get("plan", ())):
        path = cluster.deployment_path(service)
        template = cluster.get(region, path)["spec"]["template"]
        container = template["spec"]["containers"][0]
        was = {key: container.get(key) for key in ("name", "image", "command")}
        release = template["metadata"].get("annotations", {}).get(RELEASE)
        body = {"metadata": {"annotations": {RELEASE: release}}, "spec": {"containers": [was]}}
        yield verbs.patch(region, path, {"spec": {"template": body}})
