"""Sentences and lists that several formats share: what was missed, what is known, what can be trusted."""

from reports.model import PHASE_WORDS, phases
from reports.view import Row, View, checked, compared, measured_text
from reports.words import count, duration, share

_CLOCKS = {
    "detection": "from detection",
    "declaration": "from declaration",
    "procedure_start": "from the procedure's start",
}
_SHOWN_ELSEWHERE = {"phases", "clocks", "recovered", "label"}


def missed_lines(row: Row) -> list[str]:
    """Return by how much it was missed, and which stage took the time; why, when it could not be decided."""
    if row.word == "INCONCLUSIVE":
        return [row.reason]
    if row.trials:
        lines = [row.trials, row.spread, row.stage and f"In the trial shown, {row.stage}."]
    else:
        lines = [row.gap or row.reason, row.stage]
    return [line[:1].upper() + line[1:].rstrip(".") + "." for line in lines if line]


def details(row: Row) -> list[tuple[str, object]]:
    """Return everything known of an objective: label and value, or label and list."""
    verdict, single = row.verdict, row.single
    found = phases(single)
    total = sum(found.values())
    stages = (
        [f"{n}: {duration(s)} ({share(round(s / total, 3))}), {PHASE_WORDS[n]}" for n, s in found.items()]
        if total
        else []
    )
    rows: list[tuple[str, object]] = [
        ("Objective", row.name),
        (
            "Promised",
            f"{row.limit}, {verdict.source or single.source}" if verdict.source or single.source else row.limit,
        ),
        ("Measured", " ".join(part for part in (row.measured, row.bounds) if part)),
        ("Against the limit", row.gap),
        ("Over all trials", [part for part in (row.trials, row.spread) if part]),
        ("Stages", stages),
        ("Other clocks, never merged", _clocks(row)),
        ("How it was measured", single.method),
        ("Samples", f"{single.samples:,}" if single.samples else ""),
        ("How trials were judged", verdict.method if row.trials and verdict.method != single.method else ""),
        ("Also", _also(row)),
        ("In the full trial", single.reason if row.trials and single.reason != verdict.reason else ""),
        (
            "Evidence in the record",
            [f"{e.table}: {e.where}" + (f", at {e.t_us:,} µs" if e.t_us is not None else "") for e in single.evidence],
        ),
    ]
    return [(label, value) for label, value in rows if value]


def _clocks(row: Row) -> list[str]:
    clocks = row.single.detail.get("clocks") or {}
    lines = [f"{_CLOCKS.get(n, n)}: {'–' if s is None else duration(s)}" for n, s in clocks.items()]
    lines += [
        f"{v.detail.get('label') or v.objective.removeprefix(row.name).strip('.') or v.method}: {measured_text(v)}"
        + (f" ({v.result.value})" if v.result else "")
        for v in row.beside
    ]
    return lines


def _also(row: Row) -> list[str]:
    """Return the plain values beside the measurement."""
    shown = []
    for name, value in row.single.detail.items():
        if name in _SHOWN_ELSEWHERE or isinstance(value, list | dict) or value is None:
            continue
        text = f"{value:,.6g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
        shown.append(f"{name.replace('_', ' ')}: {text}")
    return shown


def trust(seen: View) -> list[str]:
    """Return what a reader must know before believing a figure."""
    report = seen.report
    integrity = [r for r in seen.judged if r.name.startswith("integrity.")]
    sentences = [checked(report), compared(report)]
    sentences += [f"{r.title}: {r.word}. {r.reason}" for r in integrity]
    if report.interrupted:
        sentences.append(f"The run did not come to its own end: {report.head.get('termination', 'interrupted')}.")
    gaps = sum(m.kind == "observer_gap" for m in report.record.marks)
    steps = sum(m.kind == "clock_step" for m in report.record.marks)
    sentences.append(
        f"Faults of the instrument: {count(gaps, 'gap')} in observing, {count(steps, 'step')} of the clock."
    )
    if report.ensemble:
        alone = [r.name for r in seen.judged if not r.trials]
        if alone:
            sentences.append(f"Judged on the full trial only, not over all trials: {', '.join(alone)}.")
    return [s[:1].upper() + s[1:] if not s.startswith("kernel") else s for s in sentences if s]
