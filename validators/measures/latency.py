"""Latency: a service's own queue and service time at the objective's quantile, before the fault and after recovery.

Each whole minute is measured, and the worst one decides; a stretch that is missing bounds nothing from above. The
interval comes from batches of seconds, because requests of one run are correlated.
Source: DESIGN, What is measured, exactly (latency).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from validators import integrity
from validators.columns import I64, histograms
from validators.measures.own_time import Minute, OwnTime, quantile_of
from validators.model import Evidence, Measurement, Observations
from validators.stretches import SECOND_US, WINDOW_S, Stretch, column, counts, inside, stretches, weaknesses
from validators.words import at, listed, quantity, seconds

SHOWN = (0.5, 0.99, 0.999)
LOST = 0.005  # share of attempts without an answer that is worth a word


def measure(observations: Observations, objective: Mapping[str, Any]) -> list[Measurement]:
    """Own latency of a service in milliseconds, then rows beside it."""
    name, service, share = str(objective["objective"]), str(objective["subject"]), float(objective["quantile"] or 0.95)
    limit_ms = float(objective["limit_us"]) / 1e3
    found = stretches(observations)
    own = OwnTime(observations, service, limit_ms)
    minutes = own.minutes(found.judged, share)
    method = f"{label(share)} of own time in the worst whole minute, interval from batches of seconds"
    if not minutes:
        words = found.missing or f"no latency of {service} was recorded"
        return [Measurement(name, None, None, None, "ms", 0, method, doubts=(words,), says=words)]
    worst = [max((m for m in minutes if m.stretch is s), key=_badness, default=None) for s in found.judged]
    seen = [m for m in worst if m is not None]
    decides = max(seen, key=_badness)
    whole = len(seen) == len(found.judged) and not found.missing
    faults = (
        *weaknesses(observations, found.judged, "edge", service),
        *own.unrecorded(found.judged),
        *integrity.late_sender(observations, limit_ms * 1e3, [_us(s) for s in found.judged]),
    )
    where = f"own of {service}, second {decides.from_s}..{decides.from_s + WINDOW_S}"
    main = Measurement(
        name, decides.value_ms, max(m.low_ms for m in minutes), max(m.high_ms for m in minutes) if whole else None,
        "ms", sum(m.attempts for m in minutes), method, (Evidence("load", where, decides.from_s * SECOND_US),),
        _detail(seen, share), faults,
        says=_says(service, share, seen, decides) + (f"; {found.missing}" if found.missing else ""),
    )  # fmt: skip
    return [main, *_rows(observations, own, name, share, decides.stretch, found.during)]


def _badness(minute: Minute) -> tuple[bool, float]:
    return minute.value_ms is None, minute.value_ms or 0.0


def label(share: float) -> str:
    """Return a quantile's name.

    >>> label(0.95), label(0.999)
    ('p95', 'p99.9')
    """
    return f"p{share * 100:g}"


def _us(stretch: Stretch) -> tuple[int, int]:
    return stretch.from_s * SECOND_US, stretch.to_s * SECOND_US


def _detail(seen: Sequence[Minute], share: float) -> dict[str, Any]:
    worst = [
        {
            "name": m.stretch.name,
            "from_s": m.from_s,
            "value_ms": m.value_ms,
            "low_ms": m.low_ms,
            "high_ms": m.high_ms,
            "lost": m.lost,
        }
        for m in seen
    ]
    return {"quantile": share, "worst_minutes": worst}


def _says(service: str, share: float, seen: Sequence[Minute], decides: Minute) -> str:
    parts = [f"{_one(m)} {m.stretch.name} (minute from {at(m.from_s * SECOND_US)})" for m in seen]
    lost = ""
    if decides.lost > LOST:
        lost = f"; {quantity(decides.lost, 'share')} of its attempts got no answer, which counts as slowest"
    return f"{label(share)} of {service}'s own time was at worst {listed(parts)}{lost}"


def _one(minute: Minute) -> str:
    return f"above {seconds(minute.low_ms / 1e3)}" if minute.value_ms is None else quantity(minute.value_ms, "ms")


def _rows(
    observations: Observations, own: OwnTime, name: str, share: float, stretch: Stretch, during: Stretch | None
) -> list[Measurement]:
    """Over the stretch that decides: quantiles, what the caller sees, the path, availability; and during the fault."""
    service, where, total = own.service, stretch.name, own.total(stretch)
    rows = [_row(f"{name}.{_key(q)}", f"{label(q)} {where}", total, q) for q in sorted({share, *SHOWN})]
    caller = _side(observations, service, "caller", stretch)
    rows.append(_row(f"{name}.caller_{_key(share)}", f"{label(share)} as its caller sees it {where}", caller, share))
    if any(c["caller"] == "client" and c["callee"] == service for c in observations.topology["calls"]):
        path = _side(observations, "edge", "path", stretch, "failed")
        words = f"{label(share)} of the whole path {where}, from the intended time"
        rows.append(_row(f"{name}.path_{_key(share)}", words, path, share))
    if during is not None:
        rows.append(_row(f"{name}.during_{_key(share)}", f"{label(share)} {during.name}", own.total(during), share))
    return [*rows, _availability(f"{name}.availability", total, where)]


def _key(share: float) -> str:
    return label(share).replace(".", "")


def _side(observations: Observations, service: str, name: str, stretch: Stretch, lost: str = "") -> tuple[I64, int]:
    """Another histogram of a stretch, and what a column counts as lost to it."""
    known = counts(observations, service)
    chosen = inside(known.second, stretch)
    counted = histograms(observations.tables("load"), name, known.rows[chosen]).total()
    return counted, int(column(observations, service, lost)[chosen].sum()) if lost else 0


def _row(name: str, words: str, found: tuple[I64, int], share: float) -> Measurement:
    value, samples = quantile_of(found, share)
    says = "" if value is not None else "nothing was recorded" if not samples else "it lies among what got no answer"
    return Measurement(
        name,
        value,
        value,
        value,
        "ms",
        samples,
        f"{label(share)} of all",
        detail={"label": words},
        bare=True,
        says=says,
    )


def _availability(name: str, found: tuple[I64, int], where: str) -> Measurement:
    counted, missing = found
    answered = int(counted[:, 1].sum())
    share = answered / (answered + missing) if answered + missing else None
    method, detail = "attempts whose work was done", {"label": f"attempts answered {where}"}
    return Measurement(name, share, share, share, "share", answered + missing, method, detail=detail, bare=True)
