"""dns-api-down: DNS records cannot be changed; names are still answered."""

from typing import Any

from experiments.faults import base, containers, verbs
from experiments.testbed.layout import HOST, OUTSIDE_PORT

_DNS = f"http://{HOST}:{OUTSIDE_PORT}/dns"
_UNAVAILABLE = 503


def plan() -> base.Plan:
    """Plan to have every change refused."""
    lift = verbs.http(f"{_DNS}/block", "POST", {"blocked": False})
    return base.Plan("dns-api-down", ("dns",), "DNS records cannot be changed; names are still answered.", (lift,))


def inject(fault: str) -> dict[str, Any]:
    """Have every change refused."""
    return base.inject(fault, plan(), lambda _: containers.request("POST", f"{_DNS}/block", {"blocked": True}))


def landed(fault: str) -> bool:
    """Whether a change is refused; the one that is tried names no region, and changes nothing in any case."""
    return base.look(fault, lambda _: _asked() == _UNAVAILABLE, without=False)


def gone(fault: str) -> bool:
    """Whether a change is looked at again: one that names no region is found wrong, not refused."""
    return base.look(fault, lambda _: _asked() not in (0, _UNAVAILABLE), without=True)


def _asked() -> int:
    return containers.request("PUT", _DNS, {})[0]


def lift(fault: str, by: str = "clean-up") -> str:
    """Let records be changed again."""
    return base.lift(fault, by)
