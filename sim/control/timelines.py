"""What a region's database could answer at each instant, kept as steps, for the record."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim.control.lag import Lag

I64 = NDArray[np.int64]
Mode = Literal["primary", "replica", "frozen"]  # answers at once; with the lag; nothing newer than an instant


@dataclass(frozen=True)
class Step:
    """From an instant on."""

    since_us: int
    mode: Mode
    timeline: str | None = None  # that accepts writes here
    held_us: int = 0  # newest position at the beginning: all that a frozen one has
    receives_us: int = 0  # a replica receives from then on
    catch_up: float = 0.0  # seconds of log that it replays in a second while it is behind; 0: it is not behind


@dataclass
class Readable:
    """Steps of one region, in order."""

    lag: Lag
    steps: list[Step] = field(default_factory=list)

    def add(self, step: Step) -> None:
        """Take another course from an instant on."""
        self.steps.append(step)

    def _step(self, at_us: I64) -> I64:
        since = np.array([s.since_us for s in self.steps], dtype=np.int64)
        return np.asarray(np.searchsorted(since, at_us, side="right") - 1)

    def as_of_us(self, at_us: I64) -> I64:
        """Time of the newest readable position at each instant, -1: none of the run."""
        result = np.full(len(at_us), -1, dtype=np.int64)
        if not self.steps:
            return result
        which = self._step(at_us)
        first, last = (int(which.min()), int(which.max())) if len(which) else (0, -1)
        for i in range(max(first, 0), last + 1):
            here = which == i
            result[here] = np.maximum(self._of_step(self.steps[i], at_us[here]), -1)
        return result

    def leads(self, at_us: I64) -> NDArray[np.bool_]:
        """Whether the instance was a primary at each instant, or frozen after it had been one."""
        flags = [False]
        for step in self.steps:
            flags.append(step.mode == "primary" or (step.mode == "frozen" and flags[-1]))
        return np.asarray(np.array(flags)[self._step(at_us) + 1])

    def _of_step(self, step: Step, at_us: I64) -> I64:
        if step.mode == "primary":
            return at_us
        if step.mode == "frozen":
            return np.full(len(at_us), step.held_us, dtype=np.int64)
        usual = at_us - self.lag.many_ns(at_us * 1_000) // 1_000
        if not step.catch_up:
            return usual
        received_us = np.maximum(at_us - step.receives_us, 0)
        behind = step.held_us + (step.catch_up * received_us).astype(np.int64)
        return np.asarray(np.maximum(np.minimum(usual, behind), step.held_us), dtype=np.int64)

    def timeline(self, at_us: I64) -> NDArray[np.object_]:
        """Name of the timeline that takes writes at each instant, None: none."""
        names = np.array([s.timeline for s in self.steps] + [None], dtype=object)
        return np.asarray(names[self._step(at_us)], dtype=object)
