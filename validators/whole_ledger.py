"""Whether the ledger of orders is whole: what it does not hold can be lost, doubled or misplaced without being seen.

What it should hold is told by others than itself: by the load, which counts the orders of each second apart from it,
and by the workload, which goes on from the first order to the end of the run.
Source: DESIGN, What is measured, exactly (data loss, house rules, integrity).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from validators.ledger import SECOND_US, sent
from validators.marks import of_kind
from validators.model import Observations
from validators.stretches import column, counts
from validators.words import at, quantity

CLASS = "transactions"
LONGEST_S = 10  # without an order, at a load of several a second
ORDERS = 30  # that as many are due and none comes does not happen by chance
I64 = NDArray[np.int64]


def doubts(observations: Observations, longest_s: float | None = None) -> tuple[str, ...]:
    """What the ledger should hold and does not, in words. A run that was cut short has no end to hold it against.

    Args:
        observations: the record.
        longest_s: longest time without an order that is no hole; None: what the rate of the load makes likely.
    """
    rate_per_s = float(observations.scenario["workload"]["rate_per_s"])
    if not observations.complete or rate_per_s <= 0:
        return ()
    longest_s = max(LONGEST_S, ORDERS / rate_per_s) if longest_s is None else longest_s
    holes = [(a, b) for a, b in _empty(observations) if b - a > longest_s]
    words = [f"no order is on record from {at(a * SECOND_US)} to {at(b * SECOND_US)}" for a, b in holes[:3]]
    return (*observations.once("lacking orders", lambda: _lacking(observations)), *words)


def seconds_of_load(observations: Observations) -> tuple[int, int]:
    """Whole seconds [from, to) in which orders were to come: from the first one on to the end of the run."""
    started = of_kind(observations, "load_started")
    first_us = started[0].t_us if started else 0
    return -(-first_us // SECOND_US), observations.duration_us // SECOND_US


def _empty(observations: Observations) -> list[tuple[int, int]]:
    """Stretches [from, to) of whole seconds of the load in which no order was sent."""
    first, end = seconds_of_load(observations)
    if end <= first:
        return []
    none = np.concatenate([[False], _each_second(observations)[first:end] == 0, [False]]).astype(np.int8)
    edges = np.diff(none)
    starts, ends = np.flatnonzero(edges == 1) + first, np.flatnonzero(edges == -1) + first
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def _each_second(observations: Observations) -> I64:
    """Orders of the ledger by the second of the run in which they were sent."""

    def count() -> I64:
        found = np.zeros(observations.duration_us // SECOND_US + 1, dtype=np.int64)
        for block in sent(observations, CLASS)[1].blocks():
            second = block // SECOND_US
            found += np.bincount(second[(second >= 0) & (second < len(found))], minlength=len(found))
        return found

    return observations.once("orders by second", count)


def _lacking(observations: Observations) -> tuple[str, ...]:
    """Orders that the load counts and the ledger does not hold."""
    there = _each_second(observations)
    second: Any = counts(observations, "edge").second
    mine = (second >= 0) & (second < len(there))
    sent_each = np.bincount(second[mine], weights=column(observations, "edge", "sent")[mine], minlength=len(there))
    lacking = np.maximum(sent_each.astype(np.int64) - there, 0)
    if not lacking.any():
        return ()
    first = at(int(lacking.argmax()) * SECOND_US)
    shown = f"{quantity(float(lacking.sum()), '1')} of {quantity(float(sent_each.sum()), '1')}"
    return (f"the ledger lacks {shown} orders that the load counts, most at {first}",)
