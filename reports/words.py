"""Quantities in words. Every format writes a number the same way."""

import math
import re

SYMBOLS = {"PASS": "✓", "FAIL": "✗", "INCONCLUSIVE": "?", "not judged": "–", "not exercised": "–"}
ASCII_SYMBOLS = {"PASS": "+", "FAIL": "X", "INCONCLUSIVE": "?", "not judged": "-", "not exercised": "-"}
_ASCII = str.maketrans(
    {"≤": "<=", "≥": ">=", "–": "-", "−": "-", "…": "...", "·": "|", "✓": "+", "✗": "X", "→": "->", "µ": "u", "×": "x"}
    | {"█": "#", "▒": "=", "░": ".", "▓": "%", "─": "-", "±": "+/-"}
    | {"“": '"', "”": '"', "’": "'"}
)
# What a terminal or an XML parser would act on: C0 but tab and newline, C1, surrogates, and marks that reorder text.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain(text: object) -> str:
    """Text without control characters (escape sequences of a terminal, bytes that XML forbids)."""
    return _CONTROL.sub("", str(text))


def ascii_only(text: str) -> str:
    """Text for a terminal that cannot show our symbols."""
    return text.translate(_ASCII).encode("ascii", "replace").decode()


def _digits(value: float, digits: int = 3) -> str:
    """Return a number with so many significant digits, thousands apart, no exponent.

    >>> _digits(0.8412), _digits(12.0), _digits(10412.3)
    ('0.841', '12', '10,412')
    """
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{min(places, 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def duration(seconds: float) -> str:
    """Seconds in words.

    >>> duration(0.0415), duration(42.31), duration(300), duration(492), duration(3900), duration(0)
    ('41.5 ms', '42.3 s', '5 min', '8 min 12 s', '1 h 5 min', '0 s')
    """
    return _duration(seconds, " ")


def short(seconds: float) -> str:
    """Seconds as tight as a table needs.

    >>> short(492.4), short(300), short(42.31)
    ('8m12s', '5m', '42.3s')
    """
    return _duration(seconds, "").replace("min", "m")


def _duration(seconds: float, gap: str) -> str:
    if math.isinf(seconds):
        return "never"
    sign, seconds = ("−", -seconds) if seconds < 0 else ("", seconds)
    if seconds == 0:
        return f"0{gap}s"
    if seconds < 0.9995:
        return f"{sign}{_digits(seconds * 1000)}{gap}ms"
    if seconds < 59.95:
        return f"{sign}{_digits(round(seconds, 1))}{gap}s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    parts = [f"{hours}{gap}h"] if hours else []
    if minutes:
        parts.append(f"{minutes}{gap}min")
    if rest:
        parts.append(f"{rest}{gap}s")
    return sign + gap.join(parts)


def clock(seconds: float) -> str:
    """Seconds as the reading of a stopwatch.

    >>> clock(0), clock(65.4), clock(3725), clock(-3)
    ('0:00', '1:05', '1:02:05', '−0:03')
    """
    sign, whole = ("−", round(-seconds)) if seconds < -0.5 else ("", round(abs(seconds)))
    if whole >= 3600:
        return f"{sign}{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
    return f"{sign}{whole // 60}:{whole % 60:02d}"


def share(value: float) -> str:
    """Return a share as a percentage that never rounds up to all or down to nothing.

    >>> share(1), share(0.975), share(0.9999), share(0.0001), share(0), share(1e-9), share(2.481)
    ('100 %', '97.5 %', '99.99 %', '0.01 %', '0 %', '< 0.001 %', '248 %')
    """
    percent = value * 100
    if percent > 100:
        return f"{percent:.0f} %"
    for places in (1, 2, 3):
        text = f"{percent:.{places}f}"
        if not (0 < percent < 100 and float(text) in (0.0, 100.0)):
            break
    else:
        return "< 0.001 %" if percent < 50 else "> 99.999 %"
    return text.rstrip("0").rstrip(".") + " %"


def quantity(value: float | None, unit: str, *, tight: bool = False) -> str:
    """A value with its unit in words; a dash when there is none.

    >>> quantity(492.0, "s"), quantity(1.934, "ms"), quantity(10500, "1/s"), quantity(3, "1"), quantity(None, "s")
    ('8 min 12 s', '1.93 ms', '10,500/s', '3', '–')
    """
    if value is None or math.isnan(value):
        return "–"
    if unit == "s":
        return short(value) if tight else duration(value)
    if unit in ("ms", "us"):
        gap = "" if tight else " "
        return f"{_digits(value)}{gap}{'µs' if unit == 'us' else unit}"
    if unit == "1/s":
        return f"{_digits(value)}/s"
    if unit in ("share", "%"):
        return share(value if unit == "share" else value / 100)
    return _digits(value) if unit in ("", "1") else f"{_digits(value)} {unit}"


def interval(low: float | None, high: float | None, unit: str, *, tight: bool = False) -> str:
    """Bounds of a value, or nothing when neither is known.

    >>> interval(490.0, 492.0, "s"), interval(490.0, None, "s"), interval(None, None, "s")
    ('[8 min 10 s, 8 min 12 s]', '[8 min 10 s, unknown]', '')
    """
    if low is None and high is None:
        return ""
    ends = [quantity(v, unit, tight=tight) if v is not None else "unknown" for v in (low, high)]
    return f"[{ends[0]}, {ends[1]}]"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number of things.

    >>> count(1, "trial"), count(1200, "trial")
    ('1 trial', '1,200 trials')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


_ROUND_S = (30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)


def round_step(least: float) -> float:
    """Return the least round number of seconds that is not below: 1, 2, 5, 10 ... and their tenths, then of a clock.

    >>> round_step(0.3), round_step(7), round_step(100), round_step(4000), round_step(100_000)
    (0.5, 10.0, 120.0, 7200.0, 172800.0)
    """
    if least > 20:
        hours = next((s for s in _ROUND_S if s >= least), None)
        return float(hours if hours is not None else math.ceil(least / 86_400) * 86_400)
    power = 10.0 ** math.floor(math.log10(least) + 1e-9)
    return next(power * k for k in (1, 2, 5, 10) if power * k >= least * (1 - 1e-9))
