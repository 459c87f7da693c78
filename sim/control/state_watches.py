"""Watches over probe classes at fidelity `control`: so many failures in a row, then so many successes.

Each probe of a watched class is looked at when it is sent, and counted when it ends.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Look = Callable[[int, int, int], tuple[bool, int]]  # class, index, intended -> whether it ends well, and when


@dataclass
class _Watch:
    failures: int
    successes: int
    index: int  # of the next probe
    due_ns: int
    row: int = 0
    fired: bool = False
    flying: list[tuple[int, int, bool]] = field(default_factory=list)  # heap of (end, index, whether it is good)

    def next_ns(self) -> int:
        """When a probe is sent or ends."""
        return min(self.due_ns, self.flying[0][0]) if self.flying else self.due_ns


class Watches:
    """All watches of a plane."""

    def __init__(self, look: Look, phase_ns: NDArray[np.int64], spacing_ns: NDArray[np.int64]) -> None:
        self._look = look
        self._phase: list[int] = phase_ns.tolist()
        self._spacing: list[int] = spacing_ns.tolist()
        self._watches: dict[int, _Watch] = {}

    def watch(self, p: int, failures: int, successes: int, now_ns: int) -> None:
        """Begin to watch a class with the next probe, or (no failures) cease to."""
        if not failures:
            self._watches.pop(p, None)
            return
        index = max(0, -(-(now_ns - self._phase[p]) // self._spacing[p]))
        self._watches[p] = _Watch(failures, successes, index, self._phase[p] + index * self._spacing[p])

    def advance(self, horizon_ns: int) -> tuple[int, int] | None:
        """Let probes be sent and end strictly before the horizon. Returns (instant, class) of the first that fires."""
        while self._watches:
            at_ns, p = min((w.next_ns(), p) for p, w in self._watches.items())
            if at_ns >= horizon_ns:
                return None
            watch = self._watches[p]
            if watch.flying and watch.flying[0][0] == at_ns:
                if self._count(watch, heapq.heappop(watch.flying)[2]):
                    return at_ns, p
                continue
            good, ends_ns = self._look(p, watch.index, at_ns)
            heapq.heappush(watch.flying, (ends_ns, watch.index, good))
            watch.index += 1
            watch.due_ns += self._spacing[p]
        return None

    @staticmethod
    def _count(watch: _Watch, good: bool) -> bool:
        """Count the end of a probe; whether the watch fires."""
        watch.row = watch.row + 1 if good == watch.fired else 0
        if watch.row < (watch.successes if watch.fired else watch.failures):
            return False
        watch.fired, watch.row = not watch.fired, 0
        return True
