"""The report as JSON, by docs/reference/schemas/report.schema.json."""

import json
import math
from dataclasses import asdict
from typing import Any

from reports import story
from reports.environment import command
from reports.formats import document
from reports.model import Report, phases
from reports.view import Row, spread, trial_bounds, view
from reports.words import plain


def render(report: Report) -> str:
    """Return the JSON text; keys in the order of the schema, no NaN."""
    return (
        json.dumps(_plain_value(build(report).model_dump(mode="json")), indent=1, ensure_ascii=False, allow_nan=False)
        + "\n"
    )


def build(report: Report) -> document.Document:
    """Return the report as data."""
    seen, head, many = view(report), report.head, report.ensemble
    checked = head.get("checked")
    return document.Document(
        headline=seen.headline,
        result=report.deciding.result.value,
        judged=report.deciding.judged,
        applicable=report.deciding.applicable,
        title=report.title,
        scenario=report.scenario.get("scenario"),
        run_id=head.get("run_id"),
        source=head.get("source"),
        evidence_class=report.evidence_class,
        termination=head.get("termination"),
        seed=head.get("seed"),
        trials=len(many.trials) if many else None,
        met_in=many.met_in if many else None,
        kept=[document.Kept.model_validate(asdict(k) | {"roles": list(k.roles)}) for k in many.kept] if many else [],
        duration_s=report.duration_s,
        summary=seen.summary,
        objectives=[_objective(report, row) for row in seen.rows],
        story=[
            document.Moment(t_s=m.t_s, since_fault_s=_number(m.since_fault_s), words=m.words, tone=m.tone)
            for m in story.tell(report)
        ],
        checked=document.Checked(requests=checked["requests"], differing=checked.get("differing", 0))
        if checked
        else None,
        environment={label: value for label, value in seen.facts},
        command=command(report),
    )


def _objective(report: Report, row: Row) -> document.Objective:
    verdict, single = row.verdict, row.single
    return document.Objective(
        objective=row.name,
        title=row.title,
        group=row.group,
        state=verdict.state,
        result=verdict.result.value if verdict.result else None,
        value=_number(single.value),
        limit=_number(single.limit),
        unit=single.unit,
        low=_number(single.low),
        high=_number(single.high),
        samples=single.samples,
        method=single.method,
        reason=verdict.reason,
        source=verdict.source or single.source,
        gap=row.gap,
        phases_s=phases(single),
        trials=_trials(report, row),
        evidence=[document.Where(table=e.table, where=e.where, t_us=e.t_us) for e in single.evidence],
        detail={str(k): _plain_value(v) for k, v in single.detail.items()},
        beside=[
            document.Beside(
                name=v.objective, value=_number(v.value), unit=v.unit, result=v.result.value if v.result else None
            )
            for v in row.beside
        ],
    )


def _trials(report: Report, row: Row) -> document.Trials | None:
    if report.ensemble is None or not row.trials:
        return None
    results = [r for t in report.ensemble.trials if (r := t.results.get(row.name)) is not None]
    bounds = trial_bounds(report, row.name)
    return document.Trials(
        met=results.count("PASS"),
        of=len(results),
        low=bounds[0] if bounds else None,
        high=bounds[1] if bounds else None,
        values=[_number(v) for v in spread(report, row.name)],
    )


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _plain_value(value: Any) -> Any:
    """Return JSON values only: what JSON lacks becomes null or text."""
    if isinstance(value, dict):
        return {plain(k): _plain_value(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_value(v) for v in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return _number(value)
    return plain(value)
