"""Throughput: new requests completed over whole 60 s windows before the fault and after recovery; the least decides.

Sent below intended is the generator's fault, completed below sent the system's. Load tests are the same over the length
of the test. Source: DESIGN, What is measured, exactly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from validators.columns import F64
from validators.model import Evidence, Measurement, Observations
from validators.stretches import SECOND_US, WINDOW_S, Stretch, column, counts, stretches, weaknesses
from validators.words import at, quantity

SENT_SHARE = 0.99  # of what was intended: below it the generator did not offer the load
METHOD = "new requests completed in the least whole 60 s window"
_COUNTS = ("intended", "sent", "ok", "attempts")


@dataclass(frozen=True)
class Window:
    """One minute of the sender's counts, a second."""

    stretch: str
    from_s: int
    intended: float
    sent: float
    ok: float
    attempts: float


def measure(observations: Observations, objective: Mapping[str, Any]) -> list[Measurement]:
    """Completed requests a second, then what was sent and retried."""
    found = stretches(observations)
    return over(observations, objective, found.judged, found.missing)


def over(
    observations: Observations, objective: Mapping[str, Any], judged: Sequence[Stretch], missing: str
) -> list[Measurement]:
    """Completed requests a second over the whole minutes of these stretches; `missing`: why there are not more."""
    name, limit = str(objective["objective"]), float(objective["limit_per_s"])
    windows = [w for stretch in judged for w in _windows(observations, stretch)]
    if not windows or not len(counts(observations, "edge").rows):
        words = missing if not windows and missing else "there are no counts of the sender"
        return [Measurement(name, None, None, None, "1/s", 0, METHOD, doubts=(words,), at_least=True, says=words)]
    least = min(windows, key=lambda w: w.ok)
    doubts = _doubts(windows, limit)
    faults = (*weaknesses(observations, judged, "edge"), *_unsent(windows))
    where = f"service=edge, second {least.from_s}..{least.from_s + WINDOW_S}"
    detail = {
        "windows": [
            {"name": w.stretch, "from_s": w.from_s, "sent": round(w.sent, 3), "completed": round(w.ok, 3)}
            for w in windows
        ]
    }
    main = Measurement(
        name, least.ok, None if missing else least.ok, least.ok, "1/s", len(windows), METHOD,
        (Evidence("load", where, least.from_s * SECOND_US),), detail, faults, doubts, at_least=True,
        says=_says(least, len(windows)) + (f"; {missing}" if missing else ""),
    )  # fmt: skip
    return [main, *_rows(name, least)]


def _windows(observations: Observations, stretch: Stretch) -> list[Window]:
    windows = stretch.windows(WINDOW_S)
    if not windows:
        return []
    second = counts(observations, "edge").second
    place = (second - windows[0][0]) // WINDOW_S
    mine = (second >= windows[0][0]) & (place < len(windows))

    def rate(name: str) -> F64:
        values = column(observations, "edge", name)[mine]
        return np.asarray(np.bincount(place[mine], weights=values, minlength=len(windows)) / WINDOW_S, dtype=np.float64)

    intended, sent, ok, attempts = (rate(name).tolist() for name in _COUNTS)
    return [Window(stretch.name, windows[i][0], intended[i], sent[i], ok[i], attempts[i]) for i in range(len(windows))]


def _doubts(windows: Sequence[Window], limit: float) -> tuple[str, ...]:
    little = min(windows, key=lambda w: w.intended)
    if little.intended > limit:
        return ()
    offered, when = quantity(little.intended, "1/s"), at(little.from_s * SECOND_US)
    return (f"{offered} were offered at {when}, and that cannot show more than {quantity(limit, '1/s')}",)


def _unsent(windows: Sequence[Window]) -> tuple[str, ...]:
    late = [w for w in windows if w.sent < SENT_SHARE * w.intended]
    if not late:
        return ()
    worst = min(late, key=lambda w: w.sent / w.intended)
    return (
        f"the generator sent {quantity(worst.sent, '1/s')} of the {quantity(worst.intended, '1/s')} intended at"
        f" {at(worst.from_s * SECOND_US)}",
    )


def _says(least: Window, windows: int) -> str:
    done, sent = quantity(least.ok, "1/s"), quantity(least.sent, "1/s")
    if windows == 1:
        return f"{done} of {sent} sent were completed {least.stretch}"
    when = f"at {at(least.from_s * SECOND_US)} {least.stretch}"
    return f"in the least of {windows} minutes, {when}, {done} of {sent} sent were completed"


def _rows(name: str, least: Window) -> list[Measurement]:
    shown = {"sent": (least.sent, "new requests sent"), "attempts": (least.attempts, "attempts, retries too")}
    return [
        Measurement(
            f"{name}.{key}", value, value, value, "1/s", WINDOW_S, words, detail={"label": f"{words}, in that minute"},
            bare=True,
        )
        for key, (value, words) in shown.items()
    ]  # fmt: skip
