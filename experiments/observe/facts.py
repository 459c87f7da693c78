"""A fact as a watcher sees it, before it has the run's time."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from experiments.observe.clock import Clock
from experiments.observe.wire import Sender


@dataclass(frozen=True)
class Fact:
    """What happened to what. `source_epoch_us`: the object's own stamp, by the wall clock."""

    kind: str
    subject: str
    detail: dict[str, Any] = field(default_factory=dict)
    source_epoch_us: int | None = None


def stamp_us(text: object) -> int | None:
    """Epoch microseconds of a stamp of Kubernetes or Prometheus; None when there is none.

    >>> stamp_us("2026-01-02T03:04:05Z")
    1767323045000000
    """
    if not isinstance(text, str):
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return round((instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp() * 1_000_000)


def tell(facts: Iterable[Fact], clock: Clock, wire: Sender) -> None:
    """Send facts, seen now."""
    for fact in facts:
        source = fact.source_epoch_us
        now_us = clock.now_us()
        source_us = None if source is None else clock.of_epoch(source)
        wire.mark(now_us, fact.kind, fact.subject, source_t_us=source_us, **fact.detail)
