"""Windows: when a production target may be broken. One must hold the whole run, and the longest undo after it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from scenarios.errors import Problem, UsageError

US = timedelta(microseconds=1)


@dataclass(frozen=True)
class Window:
    """A declared window, half-open: from its begin to before its end."""

    begin: datetime
    end: datetime

    @classmethod
    def of(cls, begin: str, end: str) -> Self:
        """Read a window. Raises UsageError for times without an offset, or a window that ends before it begins."""
        times = []
        for text in (begin, end):
            try:
                time = datetime.fromisoformat(text)
            except ValueError:
                time = datetime.min
            if time.tzinfo is None:
                expected = "a time with its offset, such as 2026-03-01T02:00:00+00:00"
                raise UsageError(Problem("window", f"`{text}`", expected, "Write the offset from UTC."))
            times.append(time.astimezone(UTC))
        if times[0] >= times[1]:
            raise UsageError(Problem("window", f"{begin} to {end}", "an end after its begin", "Mend the window."))
        return cls(*times)

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.begin.isoformat(timespec='seconds')} to {self.end.isoformat(timespec='seconds')}"


def inside(windows: Sequence[Window], now: datetime, *, run_us: int, undo_us: int) -> Window:
    """Return the declared window that holds a run that begins now, and its longest undo.

    Args:
        windows: what was declared.
        now: with its offset.
        run_us: how long the run may last, in microseconds.
        undo_us: how long the longest undo after it may last, in microseconds.

    Raises:
        UsageError: there is none.
    """
    whole = now + (run_us + undo_us) * US
    for window in windows:
        if window.begin <= now < window.end and whole <= window.end:
            return window
    open_now = [window for window in windows if window.begin <= now < window.end]
    needs = f"{timedelta(microseconds=run_us)} for the run and {timedelta(microseconds=undo_us)} for the longest undo"
    if open_now:
        left = open_now[0].end - now
        problem = Problem(
            "window", f"{left} left of {open_now[0]}", needs, "Start at its begin, or declare a longer one."
        )
    else:
        found = "; ".join(map(str, windows)) or "none declared"
        remedy = "Wait for a window, or have one declared."
        problem = Problem("window", f"{now.isoformat(timespec='seconds')} in none of: {found}", needs, remedy)
    raise UsageError(problem)
