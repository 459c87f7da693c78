"""A fact (mark)."""

import json
from dataclasses import dataclass, field
from typing import Any

from scenarios.record.kinds import KINDS


@dataclass(frozen=True, slots=True)
class Mark:
    """One fact. `t_us` is when the observer saw it, `source_t_us` the object's own stamp (None: has none)."""

    t_us: int
    seq: int
    kind: str
    subject: str
    detail: dict[str, Any] = field(default_factory=dict)
    source_t_us: int | None = None

    def __post_init__(self) -> None:
        assert isinstance(self.t_us, int), f"mark {self.kind} of {self.subject}: {self.t_us!r} is no whole microsecond"
        missing = [name for name in KINDS[self.kind] if name not in self.detail]
        assert not missing, f"mark {self.kind} of {self.subject} lacks {missing}"


def mark_line(mark: Mark) -> str:
    """Return a mark as its line of marks.jsonl."""
    return json.dumps({n: getattr(mark, n) for n in Mark.__slots__}, sort_keys=True, separators=(",", ":"))


def parse_mark(line: str) -> Mark:
    """Inverse of mark_line. Raises ValueError for a line that is no mark.

    >>> parse_mark(mark_line(Mark(5, 0, "load_started", "client"))).t_us
    5
    """
    fields = json.loads(line)
    if not isinstance(fields, dict) or set(fields) != set(Mark.__slots__):
        raise ValueError("a line that is not a fact")
    kind, detail = fields["kind"], fields["detail"]
    times = [fields["t_us"], fields["seq"], fields["source_t_us"] or 0]
    if any(type(t) is not int for t in times) or not isinstance(fields["subject"], str):
        raise ValueError("a fact without a whole time, or without a subject")
    if kind not in KINDS or not isinstance(detail, dict) or any(name not in detail for name in KINDS[kind]):
        raise ValueError(f"no fact of the kind {str(kind)[:80]!r}, or one that does not say what it must")
    return Mark(**fields)
