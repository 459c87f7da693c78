"""Checks of objectives: a source, the limits of their kind, a subject that the judge knows."""

from collections.abc import Iterable

from scenarios.errors import Problem
from scenarios.files.problems import at, unknown
from scenarios.files.yaml import Document
from scenarios.model.objective import LIMITS, SUBJECTS, Objective, ObjectiveKind
from scenarios.model.topology import Topology


def check_objectives(objectives: Iterable[Objective], document: Document, known: Iterable[str]) -> list[Problem]:
    """Problems of a file of objectives, given the names of those in other files."""
    problems: list[Problem] = []
    seen = set(known)
    for index, objective in enumerate(objectives):
        place = f"objectives.{index}"
        if objective.objective in seen:
            found = f"`{objective.objective}` again"
            problems.append(at(document, f"{place}.objective", found, "each objective once", "Rename one."))
        seen.add(objective.objective)
        problems += [*_source(objective, document, place), *_limits(objective, document, place)]
        subjects = SUBJECTS.get(objective.kind)
        if subjects is not None and objective.subject not in subjects:
            problems.append(unknown(document.where(f"{place}.subject"), "subject", objective.subject, subjects))
    return problems


def check_subjects(
    objectives: Iterable[Objective], document: Document, topologies: Iterable[Topology]
) -> list[Problem]:
    """Problems of subjects that no topology has: such an objective could never be judged."""
    services, copies, alerts = set[str](), set[str](), set[str]()
    for topology in topologies:
        services |= set(topology.services)
        copies |= set(topology.database.copies)
        alerts |= {rule.alert for rule in topology.monitoring.alerts}
    parts: dict[ObjectiveKind, set[str]] = {
        "recovery_time": services | {"database", "page", "complete"},
        "data_loss": copies | {"transactions"},
        "latency": services | {"database"},
        "detection": alerts,
    }
    return [
        unknown(document.where(f"objectives.{index}.subject"), "subject", objective.subject, parts[objective.kind])
        for index, objective in enumerate(objectives)
        if objective.kind in parts and objective.subject not in parts[objective.kind]
    ]


def _source(objective: Objective, document: Document, place: str) -> list[Problem]:
    if (objective.runbook is None) != (objective.rationale is None):
        return []
    found = "no source" if objective.runbook is None else "two sources"
    return [
        at(
            document,
            place,
            f"{found} for {objective.objective}",
            "exactly one of `runbook` (a section) and `rationale`",
            "Say who promises it, or why we ask for it.",
        )
    ]


def _limits(objective: Objective, document: Document, place: str) -> list[Problem]:
    values = {
        "limit": objective.limit_us,
        "more than": objective.limit_per_s,
        "quantile": objective.quantile,
        "lasts": objective.lasts_us,
    }
    given, needed, kind = {k for k, v in values.items() if v is not None}, LIMITS[objective.kind], objective.kind
    missing = [
        at(document, place, f"no `{k}` for {objective.objective}", f"`{k}`: a {kind} is judged by it", f"Add `{k}:`.")
        for k in sorted(needed - given)
    ]
    return missing + [
        at(document, f"{place}.{k}", f"`{k}` for {objective.objective}", f"no `{k}`: a {kind} has none", "Remove it.")
        for k in sorted(given - needed)
    ]
