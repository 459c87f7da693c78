"""The sentence beside a verdict: what was found, by how much it misses or meets the limit, where to look."""

from collections.abc import Sequence

from validators.model import Measurement, Result
from validators.words import at, listed, quantity


def reason(measured: Measurement, limit: float | None, result: Result | None, weak: Sequence[str]) -> str:
    """Return one sentence; `weak` says what keeps the evidence from deciding."""
    says = measured.says or _plain(measured)
    if limit is None or result is None:
        return _sentence(says)
    if result is Result.INCONCLUSIVE:
        return _sentence(_undecided(says, measured, limit, weak))
    if measured.violated or (limit == 0 and not measured.at_least):
        return _sentence(says + (_where(measured) if result is Result.FAIL else ""))
    if result is Result.PASS:
        return _sentence(f"{says}, {_wanted(measured, limit)}")
    return _sentence(f"{says}, {_missed(measured, limit)}{_where(measured)}")


def _plain(measured: Measurement) -> str:
    return "nothing was measured" if measured.value is None else f"it was {quantity(measured.value, measured.unit)}"


def _wanted(measured: Measurement, limit: float) -> str:
    text = quantity(limit, measured.unit)
    return f"more than the {text} asked for" if measured.at_least else f"within its limit of {text}"


def _missed(measured: Measurement, limit: float) -> str:
    """By how much; of what never came, at least by how much."""
    text, unit = quantity(limit, measured.unit), measured.unit
    if measured.at_least:
        short = limit - (measured.value if measured.value is not None else measured.high or 0.0)
        return f"{quantity(short, unit)} short of the {text} asked for" if short > 0 else f"not more than {text}"
    if measured.value is not None:
        return f"{quantity(measured.value - limit, unit)} over its limit of {text}"
    return f"at least {quantity((measured.low or 0.0) - limit, unit)} over its limit of {text}"


def _undecided(says: str, measured: Measurement, limit: float, weak: Sequence[str]) -> str:
    why = [w for w in weak if w != says]
    if why:
        return f"{says}; this does not decide: {listed(tuple(why))}"
    low, high, text = measured.low, measured.high, quantity(limit, measured.unit)
    if low is not None and high is not None:
        return f"{says}; the limit of {text} lies {_inside(low, high, limit, measured.unit)}"
    if measured.value is None and not measured.at_least and low is not None and low > 0:
        return f"{says} after {quantity(low, measured.unit)}, and the limit of {text} had not passed"
    return f"{says}; the limit is {text}"


def _inside(low: float, high: float, limit: float, unit: str) -> str:
    """Where the limit lies between bounds that a sentence could hardly tell apart."""
    if unit == "s":
        less, more = quantity(limit - low, unit), quantity(high - limit, unit)
        return f"between what is certain ({less} less) and what is possible ({more} more)"
    return f"between {quantity(low, unit)} and {quantity(high, unit)}"


def _where(measured: Measurement) -> str:
    place = next((e for e in measured.evidence if e.t_us is not None), None)
    return f" (see {place.table} at {at(place.t_us or 0)})" if place is not None else ""


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
