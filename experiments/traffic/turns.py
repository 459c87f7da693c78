"""The turns of users who wait for an answer before they send again, and what becomes of a turn meanwhile.

A closed loop sends less when the system is slow, so that it measures least where it is slowest (coordinated omission).
Therefore turns do not move: one that comes while its user waits is *held up*. It is sent late, or not at all, and
counts as intended all the same; its latency begins when it was due. Where too many were held up, the load that was
declared was not offered, and that is said: nothing is judged from there.
"""

from collections import Counter
from collections.abc import Iterator

from experiments.traffic.counts import LATE_US, SECOND_US

HELD_SHARE = 0.01  # of a minute's turns: above it the load was not offered; as with throughput, 99 % must be
MINUTE_S = 60


class Turns:
    """Turns of one user: instants a fixed time apart. Times are microseconds of the run."""

    def __init__(self, first_us: int, spacing_us: int) -> None:
        self._spacing_us = spacing_us
        self._next_us = self._due_us = first_us  # the next one to send, and to count as due
        self._free_us = first_us  # since when the user waits for no answer

    def wait_us(self, now_us: int) -> int:
        """Time until the next turn; 0: it is due."""
        return max(0, self._next_us - now_us)

    def due(self, now_us: int) -> Iterator[int]:
        """Turns that have come since this was asked last."""
        while self._due_us <= now_us:
            yield self._due_us
            self._due_us += self._spacing_us

    def take(self, now_us: int) -> tuple[int, list[int]]:
        """The turn that is sent now, and those that were held up; one that is too late is left out."""
        held = []
        while now_us - self._next_us > LATE_US:
            held.append(self._next_us)
            self._next_us += self._spacing_us
        taken = self._next_us
        self._next_us += self._spacing_us
        if taken < self._free_us:
            held.append(taken)
        return taken, held

    def ended(self, now_us: int) -> None:
        """The answer has come, or is not waited for any more."""
        self._free_us = now_us

    def unsent(self) -> Iterator[int]:
        """Turns that were held up and will not be sent, when nothing is sent any more."""
        yield from range(self._next_us, min(self._due_us, self._free_us), self._spacing_us)


class HeldUp:
    """Minutes in which too many turns were held up.

    `known_after_us`: what was held up is known at most so long after it was due.
    """

    def __init__(self, from_us: int, known_after_us: int) -> None:
        self._known_after_us = known_after_us
        self._due: Counter[int] = Counter()
        self._held: dict[int, list[int]] = {}
        self._next = from_us // SECOND_US // MINUTE_S

    def due(self, t_us: int) -> None:
        """A turn was due."""
        self._due[t_us // SECOND_US // MINUTE_S] += 1

    def held(self, t_us: int) -> None:
        """A turn was held up."""
        self._held.setdefault(max(t_us // SECOND_US // MINUTE_S, self._next), []).append(t_us)

    def stretches(self, until_us: int, *, last: bool = False) -> Iterator[tuple[int, int]]:
        """From the first to the last turn that was held up, in each such minute that is over; `last`: in all."""
        known_us = until_us if last else until_us - self._known_after_us
        end = known_us // SECOND_US // MINUTE_S + last
        while self._next < end:
            held, due = self._held.pop(self._next, []), self._due.pop(self._next, 0)
            if len(held) > HELD_SHARE * due:
                yield min(held), max(held) + 1
            self._next += 1
