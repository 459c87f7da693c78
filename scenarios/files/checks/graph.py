"""The call graph: a chain from the client that reaches every service, with policies only where somebody waits."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from scenarios.errors import Problem
from scenarios.files.problems import at, unknown
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
    callees: dict[str, str] = {}
    known = {*topology.services, "database"}
    for index, call in enumerate(topology.calls):
        place = f"calls.{index}"
        if call.caller not in known and call.caller != "client":
            problems.append(unknown(document.where(f"{place}.from"), "service", call.caller, {*known, "client"}))
        if call.callee not in known:
            problems.append(unknown(document.where(f"{place}.to"), "service", call.callee, known))
        if call.caller in callees:
            found = f"a second call from {call.caller}"
            problems.append(at(document, place, found, "one callee for each caller", "Make it a chain."))
        problems += _nobody_waits(call, place, document)
        callees.setdefault(call.caller, call.callee)
    if "database" in callees:
        found, expected = "a call from the database", "the database at the end of the chain"
        problems.append(at(document, "calls", found, expected, "Remove it."))
    if circle := cycle({caller: {callee} for caller, callee in callees.items()}):
        found = f"a cycle: {' -> '.join(reversed(circle))}"
        problems.append(at(document, "calls", found, "calls without a cycle", "Remove one of these calls."))
    if "client" not in callees:
        found = "no call from client"
        return [*problems, at(document, "calls", found, "one call from client", "Say where orders enter.")]
    return problems or _unreached(topology, callees, document)


def _unreached(topology: Topology, callees: Mapping[str, str], document: Document) -> list[Problem]:
    """Nobody can say whether a service works that no order reaches."""
    reached, name = set(), "client"
    while name in callees:
        name = callees[name]
        reached.add(name)
    return [
        at(
            document,
            f"services.{service}" if service in topology.services else service,
            f"{service}, which no order reaches",
            "a part of the chain of calls from client",
            f"Add a call to {service}, or remove it.",
        )
        for service in (*topology.services, "database")
        if service not in reached
    ]


def _nobody_waits(call: Call, place: str, document: Document) -> list[Problem]:
    """Nobody waits for an async call between services, so nothing there can time out, be retried or hold a pool."""
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
        at(
            document,
            f"{place}.{name}",
            f"`{name}` of an async call",
            f"no `{name}`: nobody waits for the answer",
            "Make the call sync, or remove it.",
        )
        for name, value in policies.items()
        if value
    ]
