"""A procedure: steps in order, each tried until it holds, each reported. Every step bears being done again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

Report = Callable[[str, str, dict[str, Any]], None]
_log = logging.getLogger(__name__)


class NotYet(Exception):
    """A step does not hold yet; the text says what is missing."""


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        id: Its name in facts.
        attempt: Does it and looks whether it holds; raises NotYet until it does.
    """

    id: str
    attempt: Callable[[], Awaitable[None]]


class FailureCount:
    """Counts failed polls in a row."""

    def __init__(self, needed: int) -> None:
        """Begin at none.

        Args:
            needed: Failures in a row that it takes to act.
        """
        self._needed = needed
        self.failures = 0

    def seen(self, good: bool) -> bool:
        """Count a poll; whether it is time to act."""
        self.failures = 0 if good else self.failures + 1
        return self.failures >= self._needed


class Procedure:
    """Plays steps and reports them."""

    def __init__(self, name: str, steps: Sequence[Step], report: Report, attempts: int, pause_s: float) -> None:
        """Put it together.

        Args:
            name: Its name in facts.
            steps: In order.
            report: Takes kind, subject and detail of a fact, and must not wait.
            attempts: How often a step is tried before the procedure ends as failed.
            pause_s: Between tries, in seconds.
        """
        self._name = name
        self._steps = tuple(steps)
        self._report = report
        self._attempts = attempts
        self._pause_s = pause_s
        self.step = ""
        self.waits_for = ""

    async def play(self) -> bool:
        """Play all steps; ends at the first that does not come to hold.

        Returns:
            Whether all did.
        """
        self._report("procedure_started", self._name, {"actor": "automation"})
        ok = True
        for step in self._steps:
            self.step = step.id
            detail = {"step": step.id, "actor": "automation"}
            self._report("step_started", self._name, detail)
            ok = await self._hold(step)
            self._report("step_finished", self._name, detail | {"ok": ok})
            if not ok:
                break
        self.step = ""
        self._report("procedure_finished", self._name, {"ok": ok})
        return ok

    async def _hold(self, step: Step) -> bool:
        for attempt in range(self._attempts):
            if attempt:
                await asyncio.sleep(self._pause_s)
            try:
                await step.attempt()
            except NotYet as error:
                if str(error) != self.waits_for:
                    _log.info("step %s: %s", step.id, error)
                self.waits_for = str(error)
                continue
            self.waits_for = ""
            return True
        return False
