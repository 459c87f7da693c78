"""Where the run's orders go, and whether the canary order goes there too: else what it proves says nothing of them."""

import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from experiments.platforms.eks.targets import Outside, Target
from scenarios.errors import Problem
from scenarios.files.resolved import Resolved

PATH = "/orders"
WHERE = "gameday.toml, [outside].canary"


def entry(resolved: Resolved) -> str:
    """The service that takes orders from outside."""
    return next(call.callee for call in resolved.topology.calls if call.caller == "client")


def canary_goes(resolved: Resolved, targets: Mapping[str, Target], outside: Outside) -> str:
    """Where the canary order goes, in words, for the plan that is shown."""
    if not outside.canary:
        return f"it goes as the run's orders do: by the name, to port {outside.ports.get(entry(resolved))}"
    orders = f"the run's orders go by the name to {_edge(resolved, targets, outside)}"
    why = f", because: {outside.canary_elsewhere}" if outside.canary_elsewhere else ""
    return f"it is sent to {outside.canary}{why}; {orders}"


def canary_problems(resolved: Resolved, targets: Mapping[str, Target], outside: Outside) -> list[Problem]:
    """What is wrong with a declared address of the canary order: one that orders never take, and nobody says why."""
    if not outside.canary or outside.canary_elsewhere.strip() or _is_there(resolved, targets, outside):
        return []
    remedy = (
        "Leave `canary` out: then it goes as orders go. Or say in `canary_elsewhere` why it proves that no order "
        "reaches a market; whoever approves signs that too."
    )
    expected = f"where orders go: http://{_edge(resolved, targets, outside)}{PATH}"
    return [Problem(WHERE, outside.canary, expected, remedy)]


def _edge(resolved: Resolved, targets: Mapping[str, Target], outside: Outside) -> str:
    return f"{targets[resolved.topology.database.home].edge}:{outside.ports.get(entry(resolved))}"


def _is_there(resolved: Resolved, targets: Mapping[str, Target], outside: Outside) -> bool:
    """Whether the canary's host, port and path are those of the home region's edge, by its name or its addresses."""
    url = urlsplit(outside.canary)
    try:
        port = url.port or {"http": 80}.get(url.scheme)
    except ValueError:  # no number
        return False
    if (url.path, port) != (PATH, outside.ports.get(entry(resolved))):
        return False
    edge, host = targets[resolved.topology.database.home].edge, url.hostname or ""
    return host == edge or bool(_addresses(host) & _addresses(edge))


def _addresses(host: str) -> set[str]:
    """Addresses of a host; none when it has none, or nobody answers."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)}
    except OSError:
        return set()
