"""Latency: a service's own queue and service time at the objective's quantile, before the fault and after recovery.

An attempt that got no work done counts as slower than all others: what is turned away makes no quantile better. The
worse stretch decides; a stretch that is missing bounds nothing from above. The interval comes from batches of seconds
(Student's t on their quantiles), because requests of one run are correlated. Source: DESIGN, What is measured, exactly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scenarios.record import histogram
from validators import integrity
from validators.columns import F64, I64, Histograms, histograms, quantile_ms
from validators.model import Evidence, Measurement, Observations
from validators.statistics.batches import mean_bounds
from validators.stretches import SECOND_US, Stretch, column, counts, inside, stretches, weaknesses
from validators.words import listed, quantity, seconds

LONG_S, SHORT_S = 60, 10  # batches: minutes when there are ten of them, else ten seconds
MANY = 10
TOLD = 0.99  # share of the answers whose own time must be on record
RESOLUTION = 0.004  # of a histogram
SHOWN = (0.5, 0.99, 0.999)


@dataclass(frozen=True)
class Seen:
    """Latency of one service in one stretch. `value_ms` None: among the attempts without an answer."""

    stretch: Stretch
    value_ms: float | None
    low_ms: float
    high_ms: float
    answered: int
    missing: int

    @property
    def availability(self) -> float:
        """Share of the attempts whose work was done."""
        return self.answered / max(1, self.answered + self.missing)


def measure(observations: Observations, objective: Mapping[str, Any]) -> list[Measurement]:
    """Own latency of a service in milliseconds, then rows beside it."""
    name, service, share = str(objective["objective"]), str(objective["subject"]), float(objective["quantile"] or 0.95)
    limit_ms = float(objective["limit_us"]) / 1e3
    found = stretches(observations)
    own = _Own(observations, service, limit_ms)
    seen = [own.seen(s, share) for s in found.judged]
    seen = [s for s in seen if s.answered + s.missing > 0]
    method = f"{_label(share)} of own time, interval from batches of seconds"
    if not seen:
        words = found.missing or f"no latency of {service} was recorded"
        return [Measurement(name, None, None, None, "ms", 0, method, doubts=(words,), says=words)]
    worst = max(seen, key=lambda s: (s.value_ms is None, s.value_ms or s.low_ms))
    whole_run = len(seen) == len(found.judged) and not found.missing
    faults = (
        *weaknesses(observations, found.judged, "edge", service),
        *own.unrecorded(found.judged),
        *integrity.late_sender(observations, limit_ms * 1e3, [_us(s) for s in found.judged]),
    )
    evidence = Evidence("load", _place(service, worst.stretch), worst.stretch.from_s * SECOND_US)
    main = Measurement(
        name, worst.value_ms, max(s.low_ms for s in seen), max(s.high_ms for s in seen) if whole_run else None, "ms",
        sum(s.answered + s.missing for s in seen), method, (evidence,), _detail(seen, share), faults,
        says=_says(service, share, seen, worst, found.missing if not whole_run else ""),
    )  # fmt: skip
    return [main, *_rows(observations, own, name, share, worst, found.during)]


class _Own:
    """A service's histograms of own time and its attempts."""

    def __init__(self, observations: Observations, service: str, limit_ms: float) -> None:
        self._known = counts(observations, service)
        self._histograms = histograms(observations.tables("load"), "own", self._known.rows)
        self._service, self._ok = service, column(observations, service, "ok")
        self._attempts = np.maximum(
            column(observations, service, "attempts"), self._ok + column(observations, service, "failed")
        )
        greatest = float(histogram.middle_ns(np.array([self._histograms.bins.max(initial=0)]))[0]) / 1e6
        self._above_ms = max(greatest, _timeout_ms(observations), 2 * limit_ms)  # slower than all others

    def total(self, stretch: Stretch) -> tuple[I64, int]:
        """Histogram of a stretch, and the attempts that are not in it."""
        chosen = inside(self._known.second, stretch)
        counted = self._histograms.total(chosen)
        return counted, max(0, int(self._attempts[chosen].sum()) - histogram.count(counted))

    def unrecorded(self, judged: Sequence[Stretch]) -> tuple[str, ...]:
        """Answers whose own time the service did not tell, in words."""
        words = []
        for stretch in judged:
            ok = int(self._ok[inside(self._known.second, stretch)].sum())
            told = histogram.count(self.total(stretch)[0])
            if told < TOLD * ok:
                words.append(f"{self._service} told its own time of {told:,} of {ok:,} answers {stretch.name}")
        return tuple(words)

    def seen(self, stretch: Stretch, share: float) -> Seen:
        """Quantile of a stretch with its interval."""
        counted, missing = self.total(stretch)
        value = quantile_ms(counted, share, missing)
        middle = self._above_ms if value is None else value
        length = LONG_S if (stretch.to_s - stretch.from_s) // LONG_S >= MANY else SHORT_S
        low, high = mean_bounds(self._batches(stretch, length, share))
        low, high = min(low, middle) * (1 - RESOLUTION), max(high, middle) * (1 + RESOLUTION)
        if value is None:
            low = self._above_ms
        return Seen(stretch, value, max(0.0, low), high, histogram.count(counted), missing)

    def _batches(self, stretch: Stretch, length_s: int, share: float) -> F64:
        """Quantile of each whole batch, that of a batch without enough answers above all others."""
        windows = stretch.windows(length_s)
        place = (self._known.second - windows[0][0]) // length_s
        place = np.where((self._known.second >= windows[0][0]) & (place < len(windows)), place, -1)
        own = batched(self._histograms, place, len(windows))
        answered = own.sum(axis=1)
        mine = place >= 0
        attempts = np.bincount(place[mine], weights=self._attempts[mine], minlength=len(windows))
        every = np.maximum(answered, attempts)
        rank = np.maximum(1, np.ceil(share * every - 1e-9))
        bins = (np.cumsum(own, axis=1) < rank[:, None]).sum(axis=1)
        known = (every > 0) & (rank <= answered)
        values = np.full(len(windows), self._above_ms)
        values[known] = histogram.middle_ns(bins[known]) / 1e6
        return values[every > 0]


def batched(found: Histograms, place: I64, batches: int) -> F64:
    """Sum of histograms by batch: a row for each, a column for each bin; `place` is the batch of each row, -1: none."""
    batch = place[found.row]
    used = batch >= 0
    width = int(found.bins.max(initial=0)) + 1
    cells = np.bincount(batch[used] * width + found.bins[used], weights=found.counts[used], minlength=batches * width)
    return np.asarray(cells.reshape(batches, width), dtype=np.float64)


def _timeout_ms(observations: Observations) -> float:
    """Longest that a client waits for one attempt."""
    return max((c["timeout_us"] / 1e3 for c in observations.topology["calls"] if c["caller"] == "client"), default=0.0)


def _label(share: float) -> str:
    return f"p{share * 100:g}"


def _us(stretch: Stretch) -> tuple[int, int]:
    return stretch.from_s * SECOND_US, stretch.to_s * SECOND_US


def _place(service: str, stretch: Stretch) -> str:
    return f"own of {service}, second {stretch.from_s}..{stretch.to_s}"


def _detail(seen: Sequence[Seen], share: float) -> dict[str, Any]:
    return {
        "quantile": share,
        "stretches": [
            {
                "name": s.stretch.name,
                "from_s": s.stretch.from_s,
                "to_s": s.stretch.to_s,
                "value_ms": s.value_ms,
                "availability": s.availability,
            }
            for s in seen
        ],
    }


def _says(service: str, share: float, seen: Sequence[Seen], worst: Seen, missing: str) -> str:
    parts = [f"{_one(s)} {s.stretch.name}" for s in seen]
    lost = ""
    if worst.missing and worst.availability < share + (1 - share) / 2:
        lost = f" ({quantity(1 - worst.availability, 'share')} of the attempts got no answer and count as slowest)"
    return f"{_label(share)} of {service}'s own time was {listed(parts)}{lost}" + (f"; {missing}" if missing else "")


def _one(seen: Seen) -> str:
    return f"above {seconds(seen.low_ms / 1e3)}" if seen.value_ms is None else quantity(seen.value_ms, "ms")


def _rows(
    observations: Observations, own: _Own, name: str, share: float, worst: Seen, during: Stretch | None
) -> list[Measurement]:
    """Other quantiles, what the caller sees, the path, the time of the fault, availability: shown, never merged."""
    service = name.partition(".")[2]
    counted, missing = own.total(worst.stretch)
    where = worst.stretch.name
    rows = [_row(f"{name}.{_key(q)}", f"{_label(q)} {where}", counted, missing, q) for q in SHOWN]
    caller = _side(observations, service, "caller", worst.stretch)
    rows.append(
        _row(f"{name}.caller_{_key(share)}", f"{_label(share)} as its caller sees it {where}", caller, 0, share)
    )
    if any(c["caller"] == "client" and c["callee"] == service for c in observations.topology["calls"]):
        path = _side(observations, "edge", "path", worst.stretch)
        failed = int(
            column(observations, "edge", "failed")[inside(counts(observations, "edge").second, worst.stretch)].sum()
        )
        words = f"{_label(share)} of the whole path {where}, from the intended time"
        rows.append(_row(f"{name}.path_{_key(share)}", words, path, failed, share))
    if during is not None:
        counted, missing = own.total(during)
        rows.append(_row(f"{name}.during_{_key(share)}", f"{_label(share)} {during.name}", counted, missing, share))
    answered = worst.availability
    rows.append(
        Measurement(
            f"{name}.availability", answered, answered, answered, "share", worst.answered + worst.missing,
            "attempts whose work was done", detail={"label": f"attempts answered {where}"}, bare=True,
        )
    )  # fmt: skip
    return rows


def _key(share: float) -> str:
    return _label(share).replace(".", "")


def _side(observations: Observations, service: str, name: str, stretch: Stretch) -> I64:
    known = counts(observations, service)
    rows = known.rows[inside(known.second, stretch)]
    return histograms(observations.tables("load"), name, rows).total()


def _row(name: str, label: str, counted: I64, missing: int, share: float) -> Measurement:
    value = quantile_ms(counted, share, missing)
    samples = histogram.count(counted) + missing
    words = (
        "" if value is not None else "nothing was recorded" if not samples else "it lies among those without an answer"
    )
    return Measurement(
        name, value, value, value, "ms", samples, f"{_label(share)} of all in the stretch", detail={"label": label},
        bare=True, says=words,
    )  # fmt: skip
