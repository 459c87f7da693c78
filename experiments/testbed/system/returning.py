"""How a plan is lifted: when the writer's lease has gone to another region, the old primary returns fenced.

Nodes that would come back are first cut from their network and then let go on. They stay cut; whoever demotes the old
primary connects them again. So no client, and no standby, reaches a database that was the primary before.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .engine import EngineError
from .lifting import Lifter, Result, address_of, call_url
from .plan import Plan

RETURNS = ("docker-unpause", "docker-start")  # verbs that bring a node back
LEASE_TIMEOUT_S = 3.0

type Keep = Callable[[Mapping[str, str]], None]


def writer(outside_url: str, *, timeout_s: float = LEASE_TIMEOUT_S) -> str | None:
    """Region that the writer's lease is granted to now; nothing when nobody holds it or the witness is silent."""
    status, text = call_url(f"{outside_url}/lease", "GET", None, timeout_s=timeout_s)
    if status != 200:
        return None
    lease = json.loads(text)
    return None if lease.get("fenced") else lease.get("region")


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
    promoted = bool(lifts) and bool(plan.home) and writer(outside_url) != plan.home
    fenced = plan.nodes.get(plan.home, ()) if promoted else ()
    gone = dict(plan.cut)
    results = []
    for lift in lifts:
        verb, node = str(lift["verb"]), str(lift["target"])
        if node in fenced and verb == "docker-connect":
            gone[node] = str(lift["arguments"]["ip"])
            keep(gone)
            result = Result(verb, node, True, "stays cut: it was the primary's", 0.0)
        elif node in fenced and verb in RETURNS and (problem := _cut(node, plan.network, gone, lifter, keep)):
            result = Result(verb, node, False, problem, 0.0)
        else:
            result = lifter.perform_one(lift)
        results.append(result.to_json())
    return results


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
