"""Settings come from environment variables; what is missing or cannot be read is said by name."""

import os
from urllib.parse import urlsplit


class SettingError(Exception):
    """A variable is missing or cannot be what it says; the text names it and what is expected."""


def text(name: str, default: str | None = None) -> str:
    """Text of a variable.

    Raises:
        SettingError: It is not set and has no default.
    """
    found = os.environ.get(name, "").strip() or default
    if found is None:
        raise SettingError(f"environment variable {name} is not set; docs/explanation/game-day.md says what it holds")
    return found


def number(name: str, default: float | None = None) -> float:
    """A positive number.

    Raises:
        SettingError: It is not set, or no positive number.
    """
    found = text(name, None if default is None else str(default))
    return _positive(name, found)


def whole(name: str, default: int | None = None) -> int:
    """A positive whole number.

    Raises:
        SettingError: It is not set, or no positive whole number.
    """
    found = text(name, None if default is None else str(default))
    if not found.isdecimal() or int(found) < 1:
        raise SettingError(f"environment variable {name} is {found!r}; expected a positive whole number")
    return int(found)


def pairs(name: str, default: str | None = None) -> dict[str, str]:
    """Pairs `a=1,b=2`.

    Raises:
        SettingError: It is not set, or a part is no pair.
    """
    found = text(name, default)
    result: dict[str, str] = {}
    for part in found.split(","):
        key, sign, value = (word.strip() for word in part.partition("="))
        if not (key and sign and value):
            raise SettingError(f"environment variable {name} has {part!r}; expected pairs such as a=1,b=2")
        result[key] = value
    return result


def numbers(name: str, default: str | None = None) -> dict[str, float]:
    """Pairs whose values are positive numbers.

    Raises:
        SettingError: It is not set, a part is no pair, or a value no positive number.
    """
    return {key: _positive(name, value) for key, value in pairs(name, default).items()}


def one_of(name: str, allowed: tuple[str, ...], default: str | None = None) -> str:
    """One of a few words.

    Raises:
        SettingError: It is not set, or another word.
    """
    found = text(name, default)
    if found not in allowed:
        raise SettingError(f"environment variable {name} is {found!r}; expected one of {', '.join(allowed)}")
    return found


def address(name: str, found: str) -> tuple[str, int]:
    """Host and port of `host:port`.

    Raises:
        SettingError: It is not of that form.
    """
    host, sign, port = found.rpartition(":")
    if not (host and sign and port.isdecimal()):
        raise SettingError(f"environment variable {name} has {found!r}; expected host:port")
    return host, int(port)


def url(name: str, *schemes: str) -> str:
    """A URL with a host.

    Args:
        name: Of the variable.
        schemes: Those that can be.

    Raises:
        SettingError: It is not set, or no such URL.
    """
    found = text(name)
    try:
        parts = urlsplit(found)
        fits = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        fits = False
    if not fits:
        raise SettingError(f"environment variable {name} is no URL {schemes[0]}://host...")  # it may hold a password
    return found


def _positive(name: str, found: str) -> float:
    try:
        value = float(found)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise SettingError(f"environment variable {name} has {found!r}; expected a positive number")
    return value
