"""What every measuring process has in common: its settings, its end of the pipe, and when it must end.

The first line of standard input is a JSON document. Standard input stays open for as long as the process shall work:
when it is closed, or SIGTERM comes, or nobody reads the pipe any more, the process finishes what it has begun and ends.
"""

import asyncio
import contextlib
import importlib
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from experiments.observe.clock import Clock, Origin
from experiments.observe.wire import Sender
from experiments.platforms.site import enter
from scenarios.errors import Problem, UsageError

PRIORITY = -10

type Work = Callable[[dict[str, Any], Clock, Sender, asyncio.Event], Awaitable[None]]


def main(works: Mapping[str, str], first: Collection[str] = ()) -> int:
    """Run the work that the document on standard input names by `role`; return the exit code.

    `works`: the module of each role, whose function `work` is run; the others' are not even loaded. `first`: roles
    that send at fixed instants, and go before everything else on the machine where that is allowed.
    """
    try:
        document = read_document(sys.stdin.buffer.readline(), tuple(works))
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    enter(document.get("site"))
    go_first(at_once=document["role"] in first)
    clock = Clock(Origin(document["origin_ns"], document["origin_epoch_us"]))
    wire = Sender(os.dup(sys.stdout.fileno()))
    work: Work = importlib.import_module(works[document["role"]]).work
    try:
        asyncio.run(_run(work, document, clock, wire))
    finally:
        wire.close()
    return 0


def go_first(*, at_once: bool) -> None:
    """Have the kernel prefer this process: at once when it has something to do, or else more often than others."""
    if at_once:
        with contextlib.suppress(OSError, AttributeError):  # an ordinary user may not, and macOS has no such thing
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
            return
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)


def read_document(line: bytes, roles: tuple[str, ...]) -> dict[str, Any]:
    """The settings of a process. Raises UsageError when they are none."""
    where, remedy = "standard input", "These processes are started by `gameday run`."
    expected = f"one line of JSON with a role ({', '.join(roles)}), origin_ns and origin_epoch_us"
    try:
        document = json.loads(line)
    except ValueError as error:
        raise UsageError(Problem(where, f"{line[:40]!r}", expected, remedy)) from error
    if not isinstance(document, dict) or document.get("role") not in roles:
        raise UsageError(Problem(where, "a document without a known role", expected, remedy))
    if any(type(document.get(name)) is not int for name in ("origin_ns", "origin_epoch_us")):
        raise UsageError(Problem(where, "a document without the run's start", expected, remedy))
    return document


async def _run(work: Work, document: dict[str, Any], clock: Clock, wire: Sender) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_reader(sys.stdin.fileno(), _read_on, loop, stop)
    watching = asyncio.create_task(_parent_gone(wire, stop))
    try:
        with contextlib.suppress(TimeoutError):  # the run's start is still to come: everything is loaded by then
            await asyncio.wait_for(stop.wait(), max(0.0, -clock.now_us() / 1e6))
        await work(document, clock, wire, stop)
    finally:
        watching.cancel()


def _read_on(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        loop.remove_reader(sys.stdin.fileno())
        stop.set()


async def _parent_gone(wire: Sender, stop: asyncio.Event) -> None:
    while not wire.gone.is_set():
        await asyncio.sleep(0.5)
    stop.set()
