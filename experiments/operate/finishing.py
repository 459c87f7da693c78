"""A failover that a run has begun is brought to its end: pods, name and users follow the promoted database.

    python -m experiments.operate.finishing

A process of the run's parent, which may end it at any moment: what it does can be done again, and `gameday undo` does.
Its settings are one line of JSON on stdin: `site`, `origin_ns`, `home`, `promoted` (the region promoted last; empty:
none was seen), `plan` (pods of each service), `verbs` (those that may be done). When stdin ends it stops. Facts go up
stdout (`experiments.observe.wire`).
"""

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from experiments.faults import database, report
from experiments.observe.wire import Sender
from experiments.operate import steps
from experiments.operate.moments import moments
from experiments.operate.watching import home as leads_to
from experiments.operate.watching import serves
from experiments.platforms.platform import platform
from experiments.platforms.site import enter
from scenarios.errors import GamedayError, Problem

NAME, ACTOR = "finish-failover", "gameday"
FOLLOWS = ("deploy", "wait_ready", "switch_dns")  # what follows a promotion, wherever it is finished
VERBS = ("promote", *FOLLOWS, "verify")  # the first looks, and asks for the lease
ENDS_WITHIN_S = 180.0  # a procedure of the automation
TRIES_FOR_S = 120.0  # an API that does not answer
PROMOTED_WITHIN_S = 10.0  # a promotion that was just asked for
DONE, NOT_DONE = 0, 5

type Perform = Callable[[str, Mapping[str, str], Mapping[str, Any]], object]  # verb, target, options


class NobodyWritesError(GamedayError, RuntimeError):
    """No database may write: there is no promotion that could be followed."""


def follow(region: str, plan: Mapping[str, int], perform: Perform) -> None:
    """Have services and name follow a primary. Raises what `perform` raises; done twice it does no harm."""
    for verb in FOLLOWS:
        perform(verb, {"region": region}, {"plan": plan})


def finish(home: str, promoted: str, plan: Mapping[str, int], verbs: tuple[str, ...]) -> None:
    """Wait for what the automation has begun, then do what is missing, each step a fact. Nothing, when nothing is.

    Args:
        home: region of the primary when the run began.
        promoted: region that was promoted last, as the observers saw it; empty: they saw none.
        plan: pods of each service.
        verbs: those of `VERBS` that may be done.

    Raises:
        NobodyWritesError: nobody was promoted, and home may not write.
        NotDoneError: a step was refused, or the run's parent gave it up.
    """
    moments.poll(lambda: not platform().failing_over(), ENDS_WITHIN_S, every_s=1.0)
    region = promoted or _writer()
    if leads_to() == region and (region == home or all(serves(service) for service in (*plan, "database"))):
        return
    steps.begin(NAME, ACTOR)
    try:
        for verb in verbs:
            steps.step(
                NAME, verb, verb, target={"region": region}, options={"plan": plan}, within_s=TRIES_FOR_S, actor=ACTOR
            )
    finally:
        steps.end(NAME)


def _writer() -> str:
    """Region whose database may write: it is out of recovery, and was granted what allows it."""
    granted: list[str] = []

    def writes() -> bool:
        granted[:] = [region for region in (platform().writer(),) if region]
        return bool(granted) and database.writes(granted[0])

    if not moments.poll(writes, PROMOTED_WITHIN_S, every_s=0.5):
        here = f"{granted[0]}, whose database takes no row" if granted else "nobody"
        raise NobodyWritesError(Problem("the writer", here, "a region whose database may write", "Run `gameday undo`."))
    return granted[0]


def main() -> int:
    """Finish what stdin says. Returns the exit code: 0 done, 5 something is not done; why is said on standard error."""
    settings = json.loads(sys.stdin.readline())
    enter(settings["site"])
    descriptor = os.dup(1)
    os.dup2(2, 1)  # what others print is no message
    sender = Sender(descriptor)

    def fact(kind: str, subject: str, detail: dict[str, Any]) -> None:
        sender.mark(moments.now_us(), kind, subject, **detail)
        sender.now()

    def listen() -> None:
        sys.stdin.read()
        moments.told.set()  # the parent gives it up, or is gone

    moments.origin_ns = settings["origin_ns"]
    report.listen(fact)
    threading.Thread(target=listen, daemon=True, name="parent").start()
    try:
        finish(settings["home"], settings["promoted"], settings["plan"], tuple(settings["verbs"]))
    except (GamedayError, OSError) as error:
        sys.stderr.write(f"finishing the failover: {error}\n")
        return NOT_DONE
    finally:
        sender.close()
    return DONE


if __name__ == "__main__":
    sys.exit(main())
