"""The call graph: a chain from the client, without cycles, with policies only where somebody waits."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from scenarios.errors import Problem
from scenarios.files.problems import unknown
from scenarios.files.yaml import Document
from scenarios.model.topology import Call, Topology


def cycle(after: Mapping[str, set[str]]) -> list[str]:
    """Return the names on a cycle; none if there is none."""
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def calls(topology: Topology, document: Document) -> list[Problem]:
    """All problems of the call graph."""
    problems = []
    callees: dict[str, set[str]] = {}
    known = {*topology.services, "database"}
    for index, call in enumerate(topology.calls):
        place = f"calls.{index}"
        if call.caller not in known and call.caller != "client":
            problems.append(unknown(document.where(f"{place}.from"), "service", call.caller, {*known, "client"}))
        if call.callee not in known:
            problems.append(unknown(document.where(f"{place}.to"), "service", call.callee, known))
        if call.caller in callees:
            found = f"a second call from {call.caller}"
            problems.append(Problem(document.where(place), found, "one callee for each caller", "Make it a chain."))
        problems += _nobody_waits(call, place, document)
        callees.setdefault(call.caller, set()).add(call.callee)
    if "database" in callees:
        problems.append(
            Problem(
                document.where("calls"),
                "a call from the database",
                "the database at the end of the chain",
                "Remove it.",
            )
        )
    if "client" not in callees:
        problems.append(
            Problem(document.where("calls"), "no call from client", "one call from client", "Say where orders enter.")
        )
    if circle := cycle({caller: set(called) for caller, called in callees.items()}):
        found = f"a cycle: {' -> '.join(reversed(circle))}"
        problems.append(Problem(document.where("calls"), found, "calls without a cycle", "Remove one of these calls."))
    return problems


def _nobody_waits(call: Call, place: str, document: Document) -> list[Problem]:
    """Nobody waits for an async call between services, so nothing there can time out, be retried or hold a connection."""
    if call.mode != "async" or call.caller == "client":
        return []
    policies = {
        "timeout": call.timeout_us,
        "retries": call.retries,
        "pool": call.pool,
        "breaker": call.breaker,
        "budget": call.budget,
    }
    return [
        Problem(
            document.where(f"{place}.{name}"),
            f"`{name}` of an async call",
            f"no `{name}`: nobody waits for the answer",
            "Make the call sync, or remove it.",
        )
        for name, value in policies.items()
        if value
    ]
