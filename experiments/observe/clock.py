"""The run's clock: CLOCK_MONOTONIC from the run's start, with a known bound to the wall clock.

All processes of a run are on one machine and share its monotonic clock. What others stamp by the wall clock is turned
into the run's time by the offset that holds now, so that a wall clock that is slewed does not drift away from the run.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

STEP_US = 5_000  # a wall clock that moves so far between two looks has been set, not slewed


@dataclass(frozen=True)
class Origin:
    """The run's start on both clocks of the machine."""

    monotonic_ns: int
    epoch_us: int

    @property
    def utc(self) -> str:
        """The start as people write it, to the millisecond."""
        return datetime.fromtimestamp(self.epoch_us / 1e6, UTC).isoformat(timespec="milliseconds")

    @staticmethod
    def soon(within_s: float = 0.0) -> "Origin":
        """The start is now, or in so many seconds."""
        return Origin(time.monotonic_ns() + round(within_s * 1e9), time.time_ns() // 1_000 + round(within_s * 1e6))


class Clock:
    """Time of the run in microseconds.

    `look` compares both clocks; call it each second. `bound_us` is the error of a time that was stamped by the wall
    clock: how far that clock has moved against the run's between two looks, and how long a look takes.
    """

    def __init__(
        self,
        origin: Origin,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        epoch_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.origin = origin
        self._monotonic_ns = monotonic_ns
        self._epoch_ns = epoch_ns
        self._offset_us, self.bound_us = self._compare()  # wall clock minus the run's clock

    def now_us(self) -> int:
        """Microseconds since the run's start."""
        return (self._monotonic_ns() - self.origin.monotonic_ns) // 1_000

    def epoch_us(self, t_us: int) -> int:
        """What the wall clock shows at an instant of the run."""
        return t_us + self._offset_us

    def of_epoch(self, epoch_us: int) -> int:
        """The run's time of a stamp of the wall clock."""
        return epoch_us - self._offset_us

    def look(self) -> int:
        """Compare the clocks. Return by how many microseconds the wall clock was set since the last look; mostly 0."""
        offset_us, error_us = self._compare()
        moved_us = offset_us - self._offset_us
        self._offset_us = offset_us
        self.bound_us = error_us + abs(moved_us)
        return moved_us if abs(moved_us) > STEP_US + error_us else 0

    def _compare(self) -> tuple[int, int]:
        """Offset of the wall clock, and how wrong it may be: the best of a few looks, since any may be interrupted."""
        best: tuple[int, int] | None = None
        for _ in range(5):
            before = self._monotonic_ns()
            epoch = self._epoch_ns()
            after = self._monotonic_ns()
            middle_us = ((before + after) // 2 - self.origin.monotonic_ns) // 1_000
            found = (epoch // 1_000 - middle_us, (after - before) // 2_000 + 1)
            best = found if best is None or found[1] < best[1] else best
        assert best is not None
        return best
