"""A service's own time by whole minutes, from the histograms of the load.

An attempt that got no work done counts as slower than all others: what is turned away makes no quantile better.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenarios.record import histogram
from validators.columns import F64, I64, histograms, quantile_ms
from validators.model import Observations
from validators.statistics.batches import half_widths
from validators.stretches import WINDOW_S, Stretch, column, counts, inside

BATCH_S = 10  # a minute's uncertainty comes from batches of this length
RESOLUTION = 0.004  # of a histogram
TOLD = 0.99  # share of the answers whose own time must be on record
RISK = 0.05  # of a bound being wrong in any of the minutes


@dataclass(frozen=True)
class Minute:
    """Quantile of one minute. `value_ms` None: it lies among the attempts without an answer."""

    stretch: Stretch
    from_s: int
    value_ms: float | None
    low_ms: float
    high_ms: float
    attempts: int
    answered: int

    @property
    def lost(self) -> float:
        """Share of the attempts that got no answer."""
        return 1 - self.answered / self.attempts


class OwnTime:
    """Histograms of own time of a service in all regions, and its attempts, second by second."""

    def __init__(self, observations: Observations, service: str, limit_ms: float) -> None:
        known = counts(observations, service)
        self.service = service
        self._second = known.second
        self._histograms = histograms(observations.tables("load"), "own", known.rows)
        self._ok = column(observations, service, "ok")
        attempts = column(observations, service, "attempts")
        self._attempts = attempts if attempts.any() else self._ok + column(observations, service, "failed")
        greatest = histogram.middle_ns(np.array([self._histograms.bins.max(initial=0)]))[0] / 1e6
        self._above_ms = max(float(greatest), _timeout_ms(observations), 2 * limit_ms)  # slower than all others

    def total(self, stretch: Stretch) -> tuple[I64, int]:
        """Histogram of a stretch, and the attempts that are not in it."""
        chosen = inside(self._second, stretch)
        counted = self._histograms.total(chosen)
        return counted, max(0, int(self._attempts[chosen].sum()) - histogram.count(counted))

    def unrecorded(self, judged: Sequence[Stretch]) -> tuple[str, ...]:
        """Answers whose own time the service did not tell, in words."""
        words = []
        for stretch in judged:
            ok = int(self._ok[inside(self._second, stretch)].sum())
            told = histogram.count(self.total(stretch)[0])
            if told < TOLD * ok:
                words.append(f"{self.service} told its own time of {told:,} of {ok:,} answers {stretch.name}")
        return tuple(words)

    def minutes(self, judged: Sequence[Stretch], share: float) -> list[Minute]:
        """Quantile of each whole minute with attempts; all their bounds hold together at 95 %, on either side."""
        windows = [s.windows(WINDOW_S) for s in judged]
        confidence = 1 - RISK / max(1, sum(map(len, windows)))
        pairs = zip(judged, windows, strict=True)
        return [m for stretch, w in pairs if w for m in self._minutes(stretch, w, share, confidence)]

    def _minutes(
        self, stretch: Stretch, windows: list[tuple[int, int]], share: float, confidence: float
    ) -> list[Minute]:
        parts = WINDOW_S // BATCH_S
        own, attempts = self._batches(windows[0][0], len(windows) * parts)
        batches = self._quantiles(own, attempts, share)[0]
        half = half_widths(batches.reshape(len(windows), parts), confidence)
        whole, each = own.reshape(len(windows), parts, -1).sum(axis=1), attempts.reshape(-1, parts).sum(axis=1)
        values, known = self._quantiles(whole, each, share)
        answered = whole.sum(axis=1)
        found = []
        for i in np.flatnonzero(each > 0).tolist():
            value, wide = float(values[i]), float(half[i])
            low, high = max(0.0, (value - wide) * (1 - RESOLUTION)), (value + wide) * (1 + RESOLUTION)
            counted = round(each[i]), round(answered[i])
            if known[i]:
                found.append(Minute(stretch, windows[i][0], value, low, high, *counted))
            else:
                found.append(Minute(stretch, windows[i][0], None, value, value, *counted))
        return found

    def _batches(self, from_s: int, batches: int) -> tuple[F64, F64]:
        """Histogram (a column for each bin) and attempts of each batch from a second on."""
        place = (self._second - from_s) // BATCH_S
        mine = (self._second >= from_s) & (place < batches)
        place = np.where(mine, place, -1)
        batch = place[self._histograms.row]
        used = batch >= 0
        width = int(self._histograms.bins.max(initial=0)) + 1
        cell = batch[used] * width + self._histograms.bins[used]
        counted = np.bincount(cell, weights=self._histograms.counts[used], minlength=batches * width)
        own = counted.reshape(batches, width)
        attempts = np.bincount(place[mine], weights=self._attempts[mine], minlength=batches)
        return own, np.maximum(attempts, own.sum(axis=1))

    def _quantiles(self, own: F64, attempts: F64, share: float) -> tuple[F64, NDArray[np.bool_]]:
        """Quantile of each row, and whether it is known: else it is above all others; NaN without attempts."""
        rank = np.maximum(1, np.ceil(share * attempts - 1e-9))
        bins = (np.cumsum(own, axis=1) < rank[:, None]).sum(axis=1)
        known = (attempts > 0) & (rank <= own.sum(axis=1))
        values = np.where(attempts > 0, self._above_ms, np.nan)
        values[known] = histogram.middle_ns(bins[known]) / 1e6
        return values, known


def _timeout_ms(observations: Observations) -> float:
    """Longest that a client waits for one attempt."""
    return max((c["timeout_us"] / 1e3 for c in observations.topology["calls"] if c["caller"] == "client"), default=0.0)


def quantile_of(found: tuple[I64, int], share: float) -> tuple[float | None, int]:
    """Quantile in ms of a histogram and the attempts missing from it, and how many attempts there were."""
    counted, missing = found
    return quantile_ms(counted, share, missing), histogram.count(counted) + missing
