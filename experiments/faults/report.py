"""Facts that faults and steps report as they happen. Under a game day they go into the record; else nobody listens."""

from collections.abc import Callable
from typing import Any

Listener = Callable[[str, str, dict[str, Any]], None]  # kind, subject, detail

_listeners: list[Listener] = []


def listen(listener: Listener) -> None:
    """Have every fact told to a listener, at once and in the thread that reports it."""
    _listeners.append(listener)


def deafen(listener: Listener) -> None:
    """Tell a listener no more."""
    _listeners.remove(listener)


def fact(kind: str, subject: str, **detail: Any) -> None:
    """Report a fact; its kind is one of `scenarios.record.kinds`."""
    for listener in tuple(_listeners):
        listener(kind, subject, detail)
