"""A closed table of units. A quantity without a unit, or with an unknown one, is an error that says so."""

import math
import re

_TIME_US = {"us": 1, "ms": 1_000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_PER_S = {"s": 1, "min": 60, "h": 3600}
LONGEST_US = 10 * 366 * _TIME_US["d"]
GREATEST = 1e15

NUMBER = r"[+-]?(?:[0-9][0-9_]*(?:\.[0-9]+)?|\.[0-9]+)"
DURATION = rf"({NUMBER})\s*({'|'.join(_TIME_US)})"
RATE = rf"({NUMBER})\s*/\s*({'|'.join(_PER_S)})"
SHARE = rf"({NUMBER})\s*%"
CPU = rf"({NUMBER})\s*vCPU"
TIME_OF_DAY = r"([01][0-9]|2[0-3]):([0-5][0-9])"


class UnusableError(ValueError):
    """A value that cannot be used: what was expected in its place, and how to mend it."""

    def __init__(self, expected: str, remedy: str) -> None:
        super().__init__(expected)
        self.expected = expected
        self.remedy = remedy


def _match(pattern: str, value: object, expected: str, example: str) -> re.Match[str]:
    match = re.fullmatch(pattern, value.strip()) if isinstance(value, str) else None
    if match is None:
        raise UnusableError(f"{expected}, e.g. {example}", _remedy(value, example))
    return match


def _remedy(value: object, example: str) -> str:
    """How to mend what is no number with its unit."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"Add the unit, as in `{example}`."
    text = value.strip() if isinstance(value, str) else ""
    if re.match(rf"{NUMBER}[eE][+-]?[0-9]", text):
        return "Write all digits of the number: a power of ten (1e3) is not taken."
    if re.match(rf"{NUMBER}\s*[a-zA-Z]+\s*{NUMBER}", text):
        return f"Write it in one unit, as `{example}`."
    return f"Write a number and its unit, as `{example}`."


def _number(text: str) -> float:
    return finite(float(text.replace("_", "")))


def finite(value: float) -> float:
    """Return the number itself if it is one that can be counted with."""
    if not math.isfinite(value) or abs(value) > GREATEST:
        raise UnusableError(f"a number up to {GREATEST:g}", "Give a smaller value.")
    return value


def duration_us(value: object) -> int:
    """Microseconds of "5 min".

    >>> duration_us("5 min"), duration_us("0.5 ms")
    (300000000, 500)
    """
    match = _match(DURATION, value, f"a duration with a unit ({', '.join(_TIME_US)})", "5 min")
    exact = _number(match[1]) * _TIME_US[match[2]]
    if exact < 0:
        raise UnusableError("a duration that is not negative", "Give a number of 0 or more.")
    if exact > LONGEST_US:
        raise UnusableError("a duration of at most ten years", "Give a smaller value.")
    return round(exact)


def rate_per_s(value: object) -> float:
    """Per second of "10500/s"."""
    match = _match(RATE, value, "a rate with a unit (/s, /min, /h)", "10500/s")
    return _number(match[1]) / _PER_S[match[2]]


def share(value: object) -> float:
    """Fraction of "95 %"."""
    return _number(_match(SHARE, value, "a percentage", "95 %")[1]) / 100


def cpu(value: object) -> float:
    """Return vCPU of "2 vCPU"."""
    return _number(_match(CPU, value, "a CPU size with its unit", "2 vCPU")[1])


def time_of_day_s(value: object) -> int:
    """Seconds after 00:00 UTC of "02:00"."""
    match = re.fullmatch(TIME_OF_DAY, value.strip()) if isinstance(value, str) else None
    if match is None:
        raise UnusableError("a time of day in UTC, e.g. 02:00", "Write hours and minutes from 00:00 to 23:59.")
    return int(match[1]) * 3600 + int(match[2]) * 60


def duration(value_us: float) -> str:
    """Return a duration as a person writes it, exact to the microsecond.

    >>> duration(90_000_000), duration(1_500), duration(500), duration(24 * 3_600_000_000)
    ('90 s', '1.5 ms', '0.5 ms', '24 h')
    """
    if value_us == 0:
        return "0 s"
    for unit, least in (("d", 2), ("h", 1), ("min", 1), ("s", 1)):
        if value_us >= least * _TIME_US[unit] and value_us % _TIME_US[unit] == 0:
            return f"{round(value_us // _TIME_US[unit])} {unit}"
    for unit, least_us, digits in (("s", 1_000_000, 6), ("ms", 100, 3)):
        if value_us >= least_us:
            return f"{value_us / _TIME_US[unit]:.{digits}f}".rstrip("0").rstrip(".") + f" {unit}"
    return f"{value_us:g} us"
