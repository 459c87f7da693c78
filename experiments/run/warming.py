"""Before a run's clock starts: its own load is sent until every service has been good for a while.

A system that was just brought up answers late for some time, and so does one whose machine still has other things to
do: what is bad before a fault proves nothing about what comes after it. Nothing that is sent here is on record.
"""

import queue
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from experiments.run.children import Child, Message
from experiments.run.settling import spacings_ns
from experiments.run.watched import Watched
from scenarios.files.resolved import Resolved

SECOND_US = 1_000_000
GOOD_FOR_US = 30 * SECOND_US
WITHIN_S = 180.0
LOOK_S = 0.2
UNJUDGED = "page"  # whether pages come says nothing of the services


@dataclass(frozen=True)
class Warm:
    """How it went. `load_s`: for how long the load was sent; `bad`: what was not good, in words; empty: all was."""

    load_s: float
    bad: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"load_s": round(self.load_s, 1), "bad": self.bad}


def followed(resolved: Resolved) -> Watched:
    """What is watched meanwhile: all that users ask."""
    return Watched({name: spacing for name, spacing in spacings_ns(resolved).items() if name != UNJUDGED})


def warm_up(
    children: Collection[Child], watched: Watched, told: Callable[[float, str], None], *,
    within_s: float = WITHIN_S, good_for_us: int = GOOD_FOR_US,
) -> Warm:  # fmt: skip
    """Have the load sent until everything was good for so long, or the time is over; then end those who sent it.

    Args:
        children: who sends and who probes; they are started here.
        watched: what must be good.
        told: is given the share of what is waited for, and words.
        within_s: how long it may take.
        good_for_us: how long everything must have been good.
    """
    messages: queue.Queue[Message] = queue.Queue()
    began_s, bad = time.monotonic(), "nothing was asked"
    try:
        for child in children:
            child.start(messages)
        while bad and time.monotonic() - began_s <= within_s:
            if gone := _take(messages, watched):
                bad = gone
                break
            bad = _bad(watched, good_for_us)
            share = min(1.0, _good_us(watched) / good_for_us)
            told(share, f"the load of the run is sent until all is good: {bad or 'it is'}")
        return Warm(time.monotonic() - began_s, bad)
    finally:
        for child in children:
            child.finish()  # all at once; then each is waited for
        for child in children:
            child.stop()


def _take(messages: "queue.Queue[Message]", watched: Watched) -> str:
    """Take the messages that are there, wait a little when there is none; return who has ended, in words."""
    try:
        message = messages.get(timeout=LOOK_S)
        while True:
            if message.ended is not None:
                return f"the {message.child} ended with {message.ended}"
            if message.body.get("table") == "probes":
                watched.probes(message.body["columns"])
            message = messages.get_nowait()
    except queue.Empty:
        return ""


def _good_us(watched: Watched) -> int:
    """For how long everything has been good; 0 as long as something was not even asked."""
    if watched.unseen:
        return 0
    since_us = max(watched.bad_until_us, *watched.seen_from_us.values())
    return max(0, min(watched.seen_to_us.values()) - since_us)


def _bad(watched: Watched, good_for_us: int) -> str:
    """What was not good for long enough, in words; empty: everything was."""
    if watched.unseen:
        return f"no answer about {', '.join(sorted(watched.unseen))} yet"
    good_us = _good_us(watched)
    if good_us >= good_for_us:
        return ""
    last = max(watched.last_bad_us, key=watched.last_bad_us.__getitem__)
    since = f" since {last} was bad" if watched.bad_until_us >= 0 else ""
    return f"all good for {good_us / SECOND_US:.0f} s of {good_for_us / SECOND_US:.0f} s{since}"
