"""Quantities in a sentence."""

import math


def seconds(value: float) -> str:
    """Return seconds as a tired person reads them.

    >>> seconds(492), seconds(0.0415), seconds(42.31), seconds(7200), seconds(0)
    ('8 min 12 s', '41.5 ms', '42.3 s', '2 h', '0 s')
    """
    if value < 0:
        return "-" + seconds(-value)
    if value == 0:
        return "0 s"
    if value < 0.9995:
        return f"{value * 1000:.3g} ms"
    if value < 59.95:
        return f"{value:.3g} s"
    whole = round(value)
    parts = [(whole // 3600, "h"), (whole % 3600 // 60, "min"), (whole % 60, "s")]
    return " ".join(f"{n} {unit}" for n, unit in parts if n)


def quantity(value: float, unit: str) -> str:
    """Return a value with its unit.

    >>> quantity(1.5, "ms"), quantity(10500, "1/s"), quantity(90, "s"), quantity(0.95, "share")
    ('1.5 ms', '10,500/s', '1 min 30 s', '95 %')
    """
    if not math.isfinite(value):
        return "never"
    if unit == "s":
        return seconds(value)
    if unit == "1/s":
        return f"{value:,.0f}/s"
    if unit == "share":
        return f"{value * 100:.3g} %"
    if unit == "1":
        return f"{value:,.0f}"
    return f"{value:,.3g} {unit}"


def percent(share: float, towards: int = 0) -> str:
    """Return a share in percent; `towards` -1 rounds down, 1 up, so that a bound is not shown better than it is.

    >>> percent(0.12), percent(0.9505, -1), percent(0.94951, 1), percent(0.99999), percent(0.95)
    ('12 %', '95 %', '95 %', '99.999 %', '95 %')
    """
    value = share * 100
    places = 0 if abs(value - round(value)) < 1e-9 or 2 <= value <= 98 else 1
    if 0 < share < 1 and not 0 < round(value, places) < 100:
        return f"{value:.3f} %" if 0 < round(value, 3) < 100 else f"{value:.1g} %"
    scaled = value * 10**places
    rounded = {-1: math.floor(scaled + 1e-9), 0: round(scaled), 1: math.ceil(scaled - 1e-9)}[towards] / 10**places
    return f"{rounded:.{places}f}".removesuffix(".0") + " %"


def at(t_us: int) -> str:
    """Return an instant of the run.

    >>> at(300_000_000), at(75_250_000), at(719_970_000), at(3_725_000_000), at(-45_000_000_000)
    ('5:00', '1:15.2', '12:00', '1:02:05', '12 h 30 min before the run')
    """
    if t_us < 0:
        return f"{seconds(-t_us / 1e6)} before the run"
    minutes, tenths = divmod(round(t_us / 1e5), 600)
    rest = f"{tenths / 10:04.1f}".removesuffix(".0")
    return f"{minutes // 60}:{minutes % 60:02d}:{rest}" if minutes >= 60 else f"{minutes}:{rest}"


def listed(items: list[str] | tuple[str, ...]) -> str:
    """Return a list in words.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)
