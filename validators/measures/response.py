"""Response: from the first page of an incident to acknowledging, engaging, telling stakeholders, telling them again.

Each has the severity's time; the slowest decides. A page that nobody acknowledges in that time must have been escalated
within it. Until the end of the run (or the recovery) stakeholders hear something new at least once in that time.
Source: DESIGN, What is measured, exactly (response); the runbook, Response Times.
"""

from collections.abc import Mapping
from typing import Any

from scenarios.record.marks import Mark
from validators import integrity
from validators.marks import of_kind
from validators.measures.goodness import blind
from validators.model import Evidence, Measurement, Observations
from validators.stretches import recovered_us, recovery_unseen
from validators.words import at, seconds

METHOD = "facts of the people, from the first page"
WORST = "P0"  # of an incident that nobody declared


def why_not(observations: Observations, objective: Mapping[str, Any]) -> str | None:
    """Return why this severity was not answered for, in words; None when a page was due for it."""
    page = _page(observations)
    if page is None:
        return "nobody was paged"
    severity = severity_of(observations)
    return None if severity == objective["subject"] else f"the incident was a {severity}"


def severity_of(observations: Observations) -> str:
    """Severity as declared; else that of the procedure that answers; else the worst."""
    declared = of_kind(observations, "declared")
    if declared:
        return str(declared[0].detail["severity"])
    answers = (observations.procedures.get(name, {}) for name in observations.scenario.get("response", ()))
    return next((str(p["severity"]) for p in answers if p.get("actor") == "people"), WORST)


def _page(observations: Observations) -> Mark | None:
    """First page received; where only sending is on record, sent."""
    return next(iter(of_kind(observations, "page_received") or of_kind(observations, "page_sent")), None)


def measure(observations: Observations, objective: Mapping[str, Any]) -> list[Measurement]:
    """Seconds of the slowest part of the answer, then each part."""
    name, limit = str(objective["objective"]), float(objective["limit_us"]) / 1e6
    page = _page(observations)
    assert page is not None, "judged only where somebody was paged"
    since, end = page.t_us, observations.duration_us
    parts = [
        _part(observations, f"{name}.acknowledged", "acknowledged", ("acknowledged",), since, end),
        _part(observations, f"{name}.engaged", "engaged", ("engaged",), since, end),
        _part(observations, f"{name}.notified", "stakeholders told", ("notified",), since, end),
        _updates(observations, f"{name}.updated", since, end),
    ]
    acknowledged = parts[0]
    if acknowledged.value is None or acknowledged.value > limit:
        parts.insert(1, _part(observations, f"{name}.escalated", "escalated", ("escalated",), since, end))
    slowest = max(parts, key=lambda m: (m.value is None and (m.low or 0) > limit, m.value is None, m.low or 0.0))
    main = Measurement(
        name, slowest.value, slowest.low, slowest.high, "s", len(parts), METHOD,
        (Evidence("marks", f"{page.kind} of {page.subject}", page.t_us), *slowest.evidence),
        {"slowest": slowest.name.rpartition(".")[2], "severity": severity_of(observations)},
        (*_unseen(observations, since, end), *integrity.clock_steps(observations, since, end)),
        says=f"{slowest.says}, paged at {at(since)}",
    )  # fmt: skip
    return [main, *parts]


def _unseen(observations: Observations, since_us: int, end_us: int) -> tuple[str, ...]:
    """Stretches after the page in which nobody noted what people did."""
    gaps = [(a, b) for a, b in blind(observations, "marks", "people", "pages") if a < end_us and b > since_us]
    return tuple(f"what people did was not observed from {at(a)} to {at(b)}" for a, b in gaps)


def _part(
    observations: Observations, name: str, words: str, kinds: tuple[str, ...], since_us: int, end_us: int
) -> Measurement:
    mark = next((m for m in of_kind(observations, *kinds) if since_us <= m.t_us < end_us), None)
    label = {"label": f"from the page to {words}"}
    if mark is None:
        waited = (end_us - since_us) / 1e6
        says = f"not {words} within {seconds(waited)}, when the run ended"
        return Measurement(name, None, waited, None, "s", 0, METHOD, detail=label, says=says)
    value = (mark.t_us - since_us) / 1e6
    evidence = (Evidence("marks", f"{mark.kind} of {mark.subject}", mark.t_us),)
    return Measurement(
        name, value, value, value, "s", 1, METHOD, evidence, label, says=f"{words} {seconds(value)} after the page"
    )


def _updates(observations: Observations, name: str, since_us: int, end_us: int) -> Measurement:
    """Longest that stakeholders heard nothing new, from the first time that they were told to the recovery."""
    told = [m.t_us for m in of_kind(observations, "notified", "update_sent") if since_us <= m.t_us < end_us]
    recovered = recovered_us(observations)
    until = end_us if recovered is None else min(end_us, max(recovered, since_us))
    label = {"label": "longest between two updates"}
    if not told:
        return _part(observations, name, "stakeholders updated", ("notified", "update_sent"), since_us, end_us)
    edges = [t for t in told if t < until] or told[:1]
    gaps = [(b - a, a) for a, b in zip(edges, [*edges[1:], max(until, edges[-1])], strict=True)]
    gap, at_us = max(gaps)
    value = gap / 1e6
    return Measurement(
        name, value, value, value, "s", len(told), METHOD, (Evidence("marks", "notified, update_sent", at_us),), label,
        doubts=recovery_unseen(observations)[:1],
        says=f"stakeholders heard nothing new for {seconds(value)}",
    )  # fmt: skip
