"""Little's law: as many orders are inside on average as their arrival rate times their mean time inside.

Taken at whole seconds, where it is exact: the counts of the load say how many orders are inside at the end of each
second, the ledger says when each of them was sent and when it ended. The two are written apart from each other.
A ledger that holds other orders than the load counts says nothing of it: where it ought to hold each of them, that is a
doubt about the flow.
Source: J. D. C. Little, A proof for the queuing formula L = lambda W, Operations Research 9 (1961).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from validators.ledger import SECOND_US, done, sent
from validators.model import Observations

CLASS = "transactions"
I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Inside:
    """Orders inside at the end of a second, summed over the seconds: by the counts, and by the times of each order."""

    by_counts: int
    by_times: int
    arrivals: int
    seconds: int

    @property
    def holds(self) -> bool:
        """Whether both say the same."""
        return self.by_counts == self.by_times

    @property
    def words(self) -> str:
        """Return both averages."""
        counted, timed = self.by_counts / self.seconds, self.by_times / self.seconds
        rate, stay = self.arrivals / self.seconds, self.by_times / max(1, self.arrivals)
        if self.holds:
            return f"on average {counted:,.1f} were inside, {rate:,.1f}/s times {stay:.3g} s (Little's law)"
        return f"Little's law does not hold: {counted:,.3f} were inside on average, by their times {timed:,.3f}"


def inside(observations: Observations, seconds: I64, arrived: I64, ended: I64) -> Inside | None:
    """Sum what is inside in both ways; None where the ledger does not hold the orders that were counted.

    Args:
        observations: a whole record.
        seconds: consecutive seconds of the load, from 0 or later.
        arrived: orders sent in each.
        ended: orders that ended in each, however they did.
    """
    judged = done(observations, CLASS).ended  # of each second to the run's end; what ended later was still inside then
    first, end = int(seconds[0]), min(int(seconds[-1]) + 1, len(judged))
    seconds, arrived, ended = (of_each[: end - first] for of_each in (seconds, arrived, ended))
    arrivals = stayed = 0
    for block in sent(observations, CLASS)[1].blocks():
        second = block // SECOND_US
        mine = second[(second >= first) & (second < end)]  # orders declared before the run were not sent in it
        arrivals, stayed = arrivals + len(mine), stayed - int(mine.sum())
    each = judged[:end]
    ends, stayed = int(each.sum()), stayed + int((np.arange(len(each)) * each).sum())
    if (arrivals, ends) != (int(arrived.sum()), int(ended.sum())):
        return None
    stayed += (arrivals - ends) * end  # those are inside at the end of the last second too
    return Inside(int((np.cumsum(arrived) - np.cumsum(ended)).sum()), stayed, arrivals, len(seconds))
