"""CPU time of contenders, in interleaved rounds, so that what slows the machine down slows all of them."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

LEAST_S = 0.25  # a round plays a fast contender as often as it takes to fill this


@dataclass(frozen=True)
class Contender:
    """What is timed."""

    play: Callable[[], object]
    compiled: bool = False  # played once before it counts, and as often in a round as it takes to fill LEAST_S
    collects: bool = True  # whether Python's garbage collector is on
    rounds: int | None = None  # it takes part in the first so many


@dataclass(frozen=True)
class Ratio:
    """How many times longer one took than another: of the least times, and round by round."""

    of_minima: float
    median: float
    low: float
    high: float


type Times = Mapping[str, list[float]]


def interleaved(contenders: Mapping[str, Contender], rounds: int, say: Callable[[str], None]) -> Times:
    """Seconds of CPU of each contender in each round, compilation apart."""
    repeats = {name: _repeats(contender) for name, contender in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        for name, contender in contenders.items():
            if contender.rounds is None or number < contender.rounds:
                times[name].append(_timed(contender, repeats[name]))
    return times


def _repeats(contender: Contender) -> int:
    if not contender.compiled:
        return 1
    contender.play()
    once = _timed(contender, 1)
    return max(1, round(LEAST_S / once))


def _timed(contender: Contender, repeats: int) -> float:
    gc.collect()
    if not contender.collects:
        gc.disable()
    try:
        begun = time.process_time()
        for _ in range(repeats):
            contender.play()
        return (time.process_time() - begun) / repeats
    finally:
        gc.enable()


def ratio(slow: list[float], fast: list[float]) -> Ratio:
    """Of two contenders of the same rounds."""
    each = [a / b for a, b in zip(slow, fast, strict=False)]
    return Ratio(min(slow) / min(fast), statistics.median(each), min(each), max(each))


class Clock:
    """CPU seconds spent in what it wraps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            begun = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.process_time() - begun

        return timed
