"""How a plan is lifted: when the writer's lease has gone to another region, the old primary returns fenced.

Nodes that would come back are first cut from their network and then let go on; nodes that were stopped stay stopped. So
they stay until somebody demotes the old primary: no client, and no standby, reaches a database that was it before.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .engine import EngineError
from .lifting import Lifter, Result, address_of, call_url
from .plan import Plan

RETURNS = ("docker-unpause", "docker-start")  # verbs that bring a node back
BACK = (*RETURNS, "docker-connect")
LEASE_TIMEOUT_S = 2.0
ASKED = 3  # times, before a silent witness counts

type Keep = Callable[[Mapping[str, str]], None]


def writer(outside_url: str, *, timeout_s: float = LEASE_TIMEOUT_S) -> str | None:
    """Region that the writer's lease is granted to now; nothing when nobody holds it or the witness is silent."""
    for _ in range(ASKED):
        status, text = call_url(f"{outside_url}/lease", "GET", None, timeout_s=timeout_s)
        if status == 200 and (lease := _parsed(text)) is not None:
            return None if lease.get("fenced") else lease.get("region")
    return None


def _parsed(text: str) -> dict[str, Any] | None:
    """Return an answer as an object; a garbled one is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def carry_out(
    lifts: Sequence[Mapping[str, Any]], plan: Plan, lifter: Lifter, *, outside_url: str, keep: Keep
) -> list[dict[str, Any]]:
    """Perform lifts of a plan in their order; return one result each.

    Nobody's lease, or a silent witness, counts as a promotion: a primary too many does more harm than one too few.

    Args:
        lifts: what to lift, all of the plan or some of it.
        plan: says where the primary was at the start, and which nodes and network that region has.
        lifter: does it.
        outside_url: where the witness answers.
        keep: stores the nodes that are cut with their addresses; called before one is cut, so that none is lost.
    """
    if not lifts or not plan.home:
        return [lifter.perform_one(lift).to_json() for lift in lifts]
    gone = dict(plan.cut)
    fenced = () if writer(outside_url) == plan.home else plan.nodes.get(plan.home, ())
    results = []
    for lift in lifts:
        verb, node = str(lift["verb"]), str(lift["target"])
        problem = ""
        if node in fenced and verb == "docker-connect":
            gone[node] = str(lift["arguments"]["ip"])
            keep(gone)
            results.append(Result(verb, node, True, "stays cut: it was the primary's", 0.0))
            continue
        if node in fenced and verb == "docker-start" and _is_stopped(node, lifter):
            results.append(Result(verb, node, True, "stays stopped: it was the primary's", 0.0))
            continue
        if node in fenced and verb in RETURNS:
            problem = _cut(node, plan.network, gone, lifter, keep)
        results.append(Result(verb, node, False, problem, 0.0) if problem else lifter.perform_one(lift))
    if not fenced and writer(outside_url) != plan.home:  # another took over in this very moment
        nodes = plan.nodes.get(plan.home, ())
        for at, result in enumerate(results):
            if result.verb in BACK and result.target in nodes:
                problem = _cut(result.target, plan.network, gone, lifter, keep)
                results[at] = replace(result, ok=False, detail=problem) if problem else result
    return [result.to_json() for result in results]


def _is_stopped(node: str, lifter: Lifter) -> bool:
    """Whether a node is stopped: it would not start without its network, so it comes back when it is demoted."""
    try:
        return not lifter.engine.inspect(node)["State"]["Running"]
    except EngineError:
        return False  # cutting it will say what is wrong


def _cut(node: str, network: str, gone: dict[str, str], lifter: Lifter, keep: Keep) -> str:
    """Cut a node from its network; return what went wrong, or nothing."""
    try:
        address = address_of(lifter.engine.inspect(node), network)
        if address is not None:
            gone[node] = address
            keep(gone)
            lifter.disconnect(node, network)
    except EngineError as error:
        return f"could not be cut from {network}, so it stays as it is: {error}"
    return ""


def facts(plan: Plan, before: Mapping[str, str], results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What an observer should know of a lift: nodes that came back fenced, and what could not be lifted."""
    found: list[dict[str, Any]] = []
    if new := sorted(set(plan.cut) - set(before)):
        detail = {"by": "reverter", "nodes": new, "network": plan.network}
        found.append({"kind": "fenced", "subject": f"{plan.home}/database", "detail": detail})
    failed = [f"{r['verb']} {r['target']}: {r['detail']}" for r in results if not r["ok"]]
    if failed:
        found.append({"kind": "left_behind", "subject": plan.run, "detail": {"what": failed}})
    return found
