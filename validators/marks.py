"""Asking the marks: faults with what they hit, procedures, and the first fact of a kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scenarios.model.faults import blast_radius, data_hit
from scenarios.record.marks import Mark
from validators.model import Observations


@dataclass(frozen=True)
class Fault:
    """A fault as it was seen. `seen_us`: its landed-probe saw it; `hits`: services, "database", "page" that it hits."""

    name: str  # "region-loss:0"
    kind: str
    target: Mapping[str, str]
    begun_us: int
    seen_us: int | None
    lifted_us: int | None
    lifted_by: str
    gone_us: int | None
    hits: frozenset[str]


def of_kind(observations: Observations, *kinds: str) -> list[Mark]:
    """Facts of these kinds in order of time."""
    by_kind = observations.once("marks by kind", lambda: _by_kind(observations))
    if len(kinds) == 1:
        return by_kind.get(kinds[0], [])
    return sorted((m for k in kinds for m in by_kind.get(k, [])), key=lambda m: (m.t_us, m.seq))


def _by_kind(observations: Observations) -> dict[str, list[Mark]]:
    found: dict[str, list[Mark]] = {}
    for mark in observations.marks:
        found.setdefault(mark.kind, []).append(mark)
    return found


def first(observations: Observations, *kinds: str, since_us: int = 0, until_us: int | None = None) -> Mark | None:
    """First fact of these kinds in [since, until]; of alerts only those of the rules as intended."""
    last = until_us if until_us is not None else observations.duration_us
    inside = (m for m in of_kind(observations, *kinds) if since_us <= m.t_us <= last)
    return next((m for m in inside if m.detail.get("rules", "intended") == "intended"), None)


def planned(observations: Observations) -> list[tuple[str, Mapping[str, Any]]]:
    """Faults of the timeline with their names; "none" is no fault."""
    timeline = observations.scenario.get("timeline", ())
    return [(f"{e['fault']}:{i}", e) for i, e in enumerate(timeline) if e.get("fault") and e["fault"] != "none"]


def never_injected(observations: Observations, hits: Callable[[str, Mapping[str, str]], bool]) -> tuple[str, ...]:
    """Faults of the timeline whose kind and target hit something and that were never injected, in words."""
    begun = {f.name for f in faults(observations)}
    return tuple(
        f"{name} was planned and never injected"
        for name, entry in planned(observations)
        if name not in begun and hits(str(entry["fault"]), entry.get("target") or {})
    )


def faults(observations: Observations) -> tuple[Fault, ...]:
    """Faults whose injection began within the judged interval, in order of time."""
    return observations.once("faults", lambda: _faults(observations))


def _faults(observations: Observations) -> tuple[Fault, ...]:
    entries = dict(planned(observations))

    def stamp(kind: str, subject: str) -> Mark | None:
        return next((m for m in of_kind(observations, kind) if m.subject == subject), None)

    found = []
    for begun in of_kind(observations, "injection_begun"):
        kind = str(begun.detail["fault"])
        if kind == "none" or begun.t_us >= observations.duration_us:
            continue
        entry = entries.get(begun.subject, {})
        target = {str(k): str(v) for k, v in (entry.get("target") or {}).items()}
        seen, lifted = stamp("effect_seen", begun.subject), stamp("lifted", begun.subject)
        gone = stamp("fault_gone", begun.subject)
        found.append(
            Fault(
                begun.subject, kind, target, begun.t_us, seen.t_us if seen else None, lifted.t_us if lifted else None,
                str(lifted.detail["by"]) if lifted else "", gone.t_us if gone else None,
                blast_radius(kind, target, observations.topology),
            )
        )  # fmt: skip
    return tuple(found)


def hits_data(fault: Fault, topology: Mapping[str, Any]) -> frozenset[str]:
    """Classes of data whose region or database a fault hits."""
    return data_hit(fault.kind, fault.target, topology)


def sustain_us(observations: Observations) -> int:
    """How long good must last to be a recovery: max(60 s, 2 x DNS TTL)."""
    return max(60_000_000, 2 * int(observations.topology["dns"]["ttl_us"]))
