"""When things happen in an experiment: its start, waiting until an instant, and being told to come to an end.

Durations are CLOCK_MONOTONIC's: a wall clock that is set makes nothing late. `told` is set when a person or the parent
ends the run, or the parent says that everything has settled; every wait then ends at once.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

POLL_S = 0.1


class Moments:
    """The clock of one experiment. `told`: nothing is waited for any more. `settled`: what holds to the end may end."""

    def __init__(self) -> None:
        self.origin_ns = time.monotonic_ns()
        self.told = threading.Event()
        self.settled = threading.Event()
        self.holding = threading.Event()  # nothing is left to do but to wait until it has settled
        self.parent = False  # whether a parent measures, tells facts, and says when it has settled
        self.facts: set[tuple[str, str]] = set()  # kind and subject of what the parent has told

    def now_s(self) -> float:
        """Seconds since the experiment's start."""
        return (time.monotonic_ns() - self.origin_ns) / 1e9

    def now_us(self) -> int:
        """Microseconds since the experiment's start."""
        return (time.monotonic_ns() - self.origin_ns) // 1_000

    def origin_epoch_us(self) -> int:
        """The experiment's start as the wall clock shows it now."""
        return time.time_ns() // 1_000 - round(self.now_s() * 1e6)

    def wait_until(self, at_s: float) -> bool:
        """Wait until an instant of the experiment. Returns False when the run was ended before."""
        with self.ended_by_signals():
            return not self.told.wait(max(0.0, at_s - self.now_s()))

    def poll(self, look: Callable[[], bool], within_s: float, every_s: float = POLL_S) -> bool:
        """Look until it is true. Returns whether it was, within the time and before the run was ended."""
        with self.ended_by_signals():
            return _poll(look, within_s, every_s, self.told.wait)

    def rest(self, seconds: float) -> bool:
        """Let time pass. Returns False when the run was ended before."""
        return self.wait_until(self.now_s() + seconds)

    @contextmanager
    def ended_by_signals(self) -> Iterator[None]:
        """Whatever a signal raises in the main thread ends the waits of all others too."""
        try:
            yield
        except BaseException:
            if threading.current_thread() is threading.main_thread():
                self.told.set()
            raise

    def insist(self, look: Callable[[], bool], within_s: float, every_s: float = POLL_S) -> bool:
        """Look until it is true, even after the run was ended. Returns whether it was, within the time."""
        return _poll(look, within_s, every_s, _sleep)


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _poll(look: Callable[[], bool], within_s: float, every_s: float, wait: Callable[[float], bool]) -> bool:
    """Look until it is true, the time has passed, or waiting says that it is over."""
    deadline = time.monotonic() + within_s
    while True:
        begun = time.monotonic()
        if look():
            return True
        if begun >= deadline or wait(min(every_s, max(0.0, deadline - begun))):
            return False


moments = Moments()


def start() -> float:
    """The experiment starts now, unless a parent has said when. Returns seconds since its start."""
    if not moments.parent:
        moments.origin_ns = time.monotonic_ns()
    return moments.now_s()


def wait_until(at_s: float) -> bool:
    """Wait until so many seconds after the experiment's start. Returns False when the run was ended before."""
    return moments.wait_until(at_s)
