"""The way to gameday-reverter, which keeps the lifts outside the blast radius."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from experiments.faults.verbs import Lift
from experiments.platforms.site import site
from experiments.testbed import layout
from experiments.testbed.system.lifting import call_url
from experiments.testbed.system.plan import Plan
from scenarios.errors import GamedayError, Problem

TIMEOUT_S = 5.0
LIFTING_S = 12.0  # Ctrl-C lifts within 15 s
_FIELDS = tuple(one.name for one in fields(Plan))


class ReverterError(GamedayError, RuntimeError):
    """The reverter does not answer, or refuses: nothing may be broken."""


@dataclass(frozen=True)
class Reverter:
    """gameday-reverter as seen from here. Every call raises ReverterError when it is silent or says no."""

    url: str = field(default_factory=lambda: site().reverter)

    def plan(self) -> dict[str, Any]:
        """Return what it would lift now, and what became of what it lifted."""
        return self._call("GET", "/plan")

    def put(self, plan: dict[str, Any]) -> dict[str, Any]:
        """Store a plan; return it as it was stored."""
        return self._call("PUT", "/plan", plan)

    def heartbeat(self, run: str) -> dict[str, Any]:
        """Say that the run's process is alive; return the plan."""
        return self._call("POST", "/heartbeat", {"run": run})

    def lift(self, generation: int, by: str, only: Sequence[Lift] | None = None) -> dict[str, Any]:
        """Lift all, or some; return the plan with `results` of what was tried."""
        body = {"generation": generation, "by": by}
        some = {} if only is None else {"only": [lift.to_json() for lift in only]}
        return self._call("POST", "/lift", {**body, **some}, timeout_s=LIFTING_S)

    def drop(self, generation: int) -> dict[str, Any]:
        """Make it forget everything, because the system was made whole otherwise."""
        return self._call("DELETE", "/plan", {"generation": generation})

    def _call(self, method: str, path: str, body: Any = None, *, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
        status, text = call_url(self.url + path, method, body, timeout_s=timeout_s)
        if status == 200 and (plan := _plan(text)) is not None:
            return plan
        found = f"no answer: {text}" if status == 0 else f"{status}: {_error(text)}"
        remedy = f"`{site().undo}` lifts what is left, and says what does not answer."
        raise ReverterError(Problem(f"{layout.REVERTER} {method} {path}", found, "its consent", remedy))


def _plan(text: str) -> dict[str, Any] | None:
    """A plan, as every answer is one; nothing when it is garbled."""
    try:
        found = json.loads(text)
        Plan.of({name: found[name] for name in _FIELDS})
    except (ValueError, KeyError, TypeError):
        return None
    return dict(found)


def _error(text: str) -> str:
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return text[:300]
