"""Whether a run has settled: nothing to come, nothing under way, every service good for long enough.

Settled is when every service was good for the sustain window since the last fault, lift or step, and one whole window
for throughput after it. Source: DESIGN, What is measured, exactly (*Settled*).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.run.watched import Watched
from scenarios.files.resolved import Resolved

SECOND_US = 1_000_000
LEAST_SUSTAIN_US = 60 * SECOND_US
THROUGHPUT_WINDOW_US = 60 * SECOND_US
ANSWERS_WITHIN_US = 11 * SECOND_US  # a probe that is due now has ended by then, however it ends
ORDER_SPACING_US = 500_000
PAGE_SPACING_US = 10 * SECOND_US
_ACTIONS = frozenset({"injection_begun", "lifted", "step_started", "step_finished", "procedure_finished"})


def spacings_ns(resolved: Resolved) -> dict[str, int]:
    """Spacing of the probes of each service, of orders and of test pages, in nanoseconds."""
    topology = resolved.topology
    own = {name: service.probe.spacing_us for name, service in topology.services.items()}
    every = {**own, "database": topology.database.probe.spacing_us, "order": ORDER_SPACING_US, "page": PAGE_SPACING_US}
    return {name: spacing * 1_000 for name, spacing in every.items()}


class Settling:
    """Follows the facts and probes of a run as they come in, in any order."""

    def __init__(self, resolved: Resolved) -> None:
        self._timeline = resolved.scenario.timeline
        self._watched = Watched(spacings_ns(resolved))
        self._sustain_us = max(LEAST_SUSTAIN_US, 2 * resolved.topology.dns.ttl_us)
        self._response = frozenset(resolved.scenario.response)
        self._begun: set[str] = set()
        self._lifted: set[str] = set()
        self._running: dict[str, int] = {}
        self._ended: set[str] = set()
        self._last_action_us = 0

    def mark(self, t_us: int, kind: str, subject: str) -> None:
        """Take a fact."""
        if kind in _ACTIONS:
            self._last_action_us = max(self._last_action_us, t_us)
        if kind == "injection_begun":
            self._begun.add(subject)
        elif kind in ("lifted", "left_to_failback"):
            self._lifted.add(subject)
        elif kind == "procedure_started":
            self._running[subject] = t_us
        elif kind == "procedure_finished":
            self._running.pop(subject, None)
            self._ended.add(subject)

    def probes(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Take rows of the table `probes`; only those through DNS count."""
        self._watched.probes(columns)

    @property
    def waiting_for(self) -> str | None:
        """What is still to come or under way, in words; None: nothing."""
        for number, entry in enumerate(self._timeline):
            name = f"{entry.fault}:{number}"
            if entry.fault is not None and entry.at_us is not None and name not in self._begun:
                return f"{entry.fault} to begin"
            if isinstance(entry.until, int) and name in self._begun and name not in self._lifted:
                return f"{entry.fault} to end"
        if self._running:
            return f"{min(self._running)} to finish"
        missing = self._response - self._ended
        return f"{min(missing)} to act" if missing and self._begun and self.ever_bad else None

    @property
    def ever_bad(self) -> bool:
        """Whether any service was bad so far."""
        return self._watched.bad_until_us >= 0

    def settled_us(self) -> int | None:
        """When the run will have settled if nothing more happens; None: something is to come, or is not observed."""
        if self.waiting_for is not None or self._watched.unseen:
            return None
        quiet_since = max(self._watched.bad_until_us, self._last_action_us)
        return quiet_since + self._sustain_us + THROUGHPUT_WINDOW_US

    def has_settled(self, now_us: int) -> bool:
        """Whether everything was quiet for long enough, seen by probes that have ended."""
        settled = self.settled_us()
        if settled is None or now_us < settled:
            return False
        late = 2 * PAGE_SPACING_US + ANSWERS_WITHIN_US
        return all(now_us - seen <= late for seen in self._watched.seen_to_us.values())
