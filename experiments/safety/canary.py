"""No synthetic order reaches a market: on a production target orders need a sink, and the sink must just have said no.

The topology names a sink that is not a market. Before the first order, one canary order is sent down the whole path;
the sink must reject it by its own name. An order that is accepted, or rejected by somebody else, may have reached a
market: then no order is sent.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scenarios.errors import Problem, UsageError

FRESH_S = 60.0


class NoSinkError(UsageError):
    """Synthetic orders may not be sent to this target (exit code 2)."""


@dataclass(frozen=True)
class Answer:
    """What came back for the canary order."""

    status: int  # of HTTP; 0: nothing
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Rejected:
    """Proof that the sink has just rejected a canary order."""

    sink: str
    at_s: float  # monotonic

    def fresh(self, now_s: float | None = None) -> bool:
        """Whether it is still worth something."""
        return (time.monotonic() if now_s is None else now_s) - self.at_s <= FRESH_S


def prove(target: str, sink: str | None, send: Callable[[], Answer]) -> Rejected:
    """Send a canary order and insist that the sink rejects it.

    Args:
        target: the production target, for the error.
        sink: name of the non-market sink that the topology declares; nothing: none.
        send: sends one canary order down the path that orders take, and returns the answer.

    Raises:
        NoSinkError: there is no sink, or the canary was not rejected by it.
    """
    expected = "a canary order rejected by the topology's non-market sink"
    if not sink:
        remedy = "Name the sink in the topology, or play a scenario without orders."
        raise NoSinkError(Problem(target, "no non-market sink", expected, remedy))
    answer = send()
    rejected = 400 <= answer.status < 500 and answer.body.get("rejected_by") == sink
    if not rejected:
        by = answer.body.get("rejected_by")
        found = f"status {answer.status}" + (f", rejected by {by}" if by else ", rejected by nobody")
        raise NoSinkError(Problem(target, found, f"{expected}, {sink}", "Find out where the canary order went."))
    return Rejected(sink, time.monotonic())


def insist(proof: Rejected | None, target: str) -> None:
    """Refuse to send orders without a fresh proof. Raises NoSinkError."""
    if proof is None or not proof.fresh():
        found = "no proof" if proof is None else f"a proof older than {FRESH_S:g} s"
        raise NoSinkError(Problem(target, found, "a canary order that was just rejected", "Send a canary order again."))
