"""How a run is stopped: by hand, by a signal, or by a condition; and how its end is let come to its end."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stop:
    """Set by Ctrl-C, SIGTERM or an abort condition; the first reason counts."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self.by_hand = False
        self.signals = 0

    def hand(self, reason: str) -> None:
        """A person or the machine stops it, by a signal."""
        self.signals += 1
        self.by_hand = self.by_hand or self.reason is None
        self(reason)

    def __call__(self, reason: str) -> None:
        """Stop for this reason, unless there is one already."""
        self.reason = self.reason or reason


@contextmanager
def stopping(stop: Stop) -> Iterator[None]:
    """Within it Ctrl-C and SIGTERM stop the run in order; they end nothing by themselves."""
    names = {signal.SIGINT: "stopped by hand", signal.SIGTERM: "asked to end", signal.SIGHUP: "its terminal is gone"}
    before = {number: signal.signal(number, lambda n, _: stop.hand(names[signal.Signals(n)])) for number in names}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def deferring(say: Callable[[str], None]) -> Iterator[None]:
    """Within it the first Ctrl-C or SIGTERM only says that the record is being closed; the second ends the process."""
    number_of = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in number_of}

    def later(*_: object) -> None:
        say("the run has ended and its record is being closed: wait, or press Ctrl-C again to leave it as it is")
        for number in number_of:
            signal.signal(number, before[number])

    for number in number_of:
        signal.signal(number, later)
    try:
        yield
    finally:
        for number in number_of:
            signal.signal(number, before[number])
