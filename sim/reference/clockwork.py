"""A SimPy environment whose occurrences happen in the order (time, kind, id) of the data plane's page, section 5."""

from collections import deque
from collections.abc import Callable
from enum import IntEnum
from heapq import heappush
from itertools import count
from typing import Any

import simpy


class Kind(IntEnum):
    """Kinds of occurrences; at one instant they happen in this order."""

    OWN_WORK_DONE = 0
    POOL_PATIENCE_ENDS = 1
    QUEUE_PATIENCE_ENDS = 2
    TIMEOUT = 3
    BACK_OFF_ENDS = 4
    ARRIVAL = 5


class Occurrence(simpy.Event):
    """Something planned for an instant: a SimPy event, triggered when it was planned, that can be called off."""

    def __init__(self, env: "Clockwork", action: Callable[..., None], args: tuple[Any, ...]) -> None:
        super().__init__(env)
        self._ok = True
        self._value = None
        self.action = action
        self.args = args
        self.callbacks = [env.perform]

    def call_off(self) -> None:
        """Let the instant pass without doing anything; no effect on an occurrence that has happened."""
        if self.callbacks is not None:
            self.callbacks = []


class Clockwork(simpy.Environment):
    """Integer nanoseconds, occurrences ordered by (time, kind, id), and an agenda for what follows from each."""

    def __init__(self) -> None:
        super().__init__(initial_time=0)
        self._serial = count()
        self._agenda: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()

    @property
    def now_ns(self) -> int:
        """The clock."""
        return int(self._now)

    def plan(
        self, time_ns: int, kind: Kind, identity: tuple[int, ...], action: Callable[..., None], *args: Any
    ) -> Occurrence:
        """Plan `action(*args)` for an instant. A serial number tells apart what was called off and planned again."""
        occurrence = Occurrence(self, action, args)
        queue: list[Any] = self._queue  # SimPy's own entries have a number where this has a kind
        heappush(queue, (time_ns, kind, (*identity, next(self._serial)), occurrence))
        return occurrence

    def perform(self, occurrence: simpy.Event) -> None:
        """Do what was planned, then work off the agenda (SimPy calls this when the instant has come)."""
        assert isinstance(occurrence, Occurrence)
        occurrence.action(*occurrence.args)
        self.work_off()

    def add(self, action: Callable[..., None], *args: Any) -> None:
        """Put a consequence at the end of the agenda."""
        self._agenda.append((action, args))

    def work_off(self) -> None:
        """Do what is on the agenda, first in first out, with what comes on it meanwhile."""
        while self._agenda:
            action, args = self._agenda.popleft()
            action(*args)

    def set_clock(self, time_ns: int) -> None:
        """Move the clock forward to a horizon; everything before it has happened."""
        assert self._now <= time_ns <= self.peek()
        self._now = time_ns
