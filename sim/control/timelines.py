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
    as_of_us: int  # of a frozen one
    timeline: str | None  # that accepts writes here


@dataclass
class Readable:
    """Steps of one region, in order."""

    steps: list[Step] = field(default_factory=list)

    def add(self, now_ns: int, mode: Mode, *, as_of_us: int = -1, timeline: str | None = None) -> None:
        """Take another course from now on."""
        self.steps.append(Step(now_ns // 1_000, mode, as_of_us, timeline))

    def _step(self, at_us: I64) -> I64:
        since = np.array([s.since_us for s in self.steps], dtype=np.int64)
        return np.asarray(np.searchsorted(since, at_us, side="right") - 1)

    def as_of_us(self, at_us: I64, lag: Lag) -> I64:
        """Time of the newest readable position at each instant, -1: none."""
        if not self.steps:
            return np.full(len(at_us), -1, dtype=np.int64)
        which = self._step(at_us)
        result = np.full(len(at_us), -1, dtype=np.int64)
        for i, step in enumerate(self.steps):
            here = which == i
            if not here.any():
                continue
            if step.mode == "primary":
                result[here] = at_us[here]
            elif step.mode == "replica":
                result[here] = np.maximum(at_us[here] - lag.many_ns(at_us[here] * 1_000) // 1_000, -1)
            else:
                result[here] = step.as_of_us
        return result

    def timeline(self, at_us: I64) -> NDArray[np.object_]:
        """Name of the timeline that takes writes at each instant, None: none."""
        if not self.steps:
            return np.full(len(at_us), None, dtype=object)
        names = np.array([s.timeline for s in self.steps] + [None], dtype=object)
        return np.asarray(names[self._step(at_us)], dtype=object)
