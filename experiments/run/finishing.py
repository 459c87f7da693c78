"""An abort after a promotion finishes the failover: a process of its own does it, and the run's parent waits for it.

So whatever hangs there can be ended: by the time that it has, or by whoever stops the run a second time.
"""

from collections.abc import Callable, Mapping
from typing import Any

from experiments.observe.clock import Origin
from experiments.operate.finishing import DONE, NAME, VERBS
from experiments.platforms.site import site
from experiments.run.children import Child
from scenarios.files.resolved import Resolved

FINISHER = "finisher"
FINISHES_WITHIN_S = 300.0
GIVEN_UP = "it was given up"


def can_promote(resolved: Resolved) -> bool:
    """Whether a procedure of the scenario, or of its topology's automation, promotes a database."""
    return any(step.verb == "promote" for procedure in resolved.procedures.values() for step in procedure.steps)


class Finishing:
    """Follows the facts of a run, and knows what is to be finished when it ends."""

    def __init__(self, resolved: Resolved, start: Callable[[Mapping[str, Any]], Child] | None = None) -> None:
        self._resolved = resolved
        self._start = start or _process
        self._promoted = ""  # region that was promoted last
        self._begun = False  # whether anybody has begun a procedure
        self._failed = ""  # why a step of ours was not done

    def mark(self, mark: Mapping[str, Any]) -> None:
        """Take a fact."""
        kind, detail = mark["kind"], mark["detail"]
        if kind == "promoted":
            self._promoted = str(detail["timeline"]).partition("/")[0]
        elif kind == "procedure_started":
            self._begun = True
        elif kind == "step_finished" and mark["subject"] == NAME and not detail["ok"]:
            self._failed = str(detail.get("why", ""))

    def child(self, origin: Origin) -> Child | None:
        """The process that finishes what was begun; None: nobody was promoted, and no procedure has begun."""
        if not (self._begun or self._promoted):
            return None
        topology = self._resolved.topology
        settings = {
            "site": site().to_json(),
            "origin_ns": origin.monotonic_ns,
            "home": topology.database.home,
            "promoted": self._promoted,
            "plan": {name: service.replicas for name, service in topology.services.items()},
            "verbs": _allowed(self._resolved),
        }
        return self._start(settings)

    def left(self, code: int | None) -> str:
        """What is left, in words, when the process ended so (None: it was given up); empty: nothing."""
        if code == DONE:
            return ""
        why = GIVEN_UP if code is None else self._failed or f"it ended with {code}"
        where = f" to {self._promoted}" if self._promoted else ""
        return f"the failover{where} is not finished ({why}): `gameday undo` finishes it"


def _allowed(resolved: Resolved) -> list[str]:
    """Steps that may be done: on the testbed all; elsewhere those that people confirmed with their procedures."""
    if site().world == "kind":
        return list(VERBS)
    by_people = [procedure for procedure in resolved.procedures.values() if procedure.actor == "people"]
    named = {step.verb for p in by_people if p.procedure in resolved.scenario.response for step in p.steps}
    return [verb for verb in VERBS if verb in named and verb != "promote"]  # it has happened, and is not looked at


def _process(settings: Mapping[str, Any]) -> Child:
    return Child(FINISHER, ["experiments.operate.finishing"], settings)
