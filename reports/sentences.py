"""Sentences and lists that several formats share: what was missed, what is known, what can be trusted."""

from reports.environment import checked, compared
from reports.model import PHASE_WORDS, Report, phases
from reports.view import Row, View, measured_text
from reports.words import clock, count, duration, quantity, share
from validators.model import Result

_CLOCKS = {
    "detection": "from detection",
    "declaration": "from declaration",
    "procedure_start": "from the procedure's start",
}
_LEVELS = {
    "request": "every request is played",
    "control": "capacity against load without queues; no latency and no throughput",
}
# Beside it, not merged: a word that nobody takes for the verdict.
_WOULD = {"PASS": "would meet it", "FAIL": "would miss it", "INCONCLUSIVE": "would not be decided"}
# Plain values of a measure that a reader asks for, in words; the others are in verdicts.json.
_ALSO = {
    "relapses": "relapses",
    "bad_seconds": "bad for",
    "failed_user_requests": "requests of users that failed",
    "stale_share": "clients still at the lost address when it was back",
    "acknowledged": "acknowledged writes",
    "lost": "acknowledged and lost",
    "not_read_back": "acknowledged and not read back",
    "unknown_recovered": "timed out and recovered",
    "unknown_absent": "timed out and absent",
    "failed_recovered": "refused and found all the same",
    "times_due": "times the alert was due",
}


def missed_lines(row: Row) -> list[str]:
    """Return by how much it was missed, and which stage took the time; why, when it could not be decided."""
    if row.word == "INCONCLUSIVE":
        return [row.reason]
    if row.trials:
        lines = [row.trials, _shown_met(row), row.spread, row.stage and f"In the trial shown, {row.stage}."]
    else:
        lines = [row.gap or row.reason, row.stage]
    return [line[:1].upper() + line[1:].rstrip(".") + "." for line in lines if line]


def _shown_met(row: Row) -> str:
    """Return why the trial that is drawn looks better than the verdict; "" when it does not."""
    if row.word != "FAIL" or row.single.result is not Result.PASS or "trials" not in row.verdict.detail:
        return ""
    met, undecided, trials = (row.verdict.detail[name] for name in ("met", "undecided", "trials"))
    return f"the trial shown met it; {trials - met - undecided:,} of {count(trials, 'trial')} did not"


def details(row: Row) -> list[tuple[str, object]]:
    """Return everything known of an objective: label and value, or label and list."""
    verdict, single = row.verdict, row.single
    found = phases(single)
    total = sum(found.values())
    stages = [f"{n}: {duration(s)} ({share(s / total)}), {PHASE_WORDS[n]}" for n, s in found.items()] if total else []
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
        ("Other clocks, never merged" if row.name.startswith("rto.") else "Beside it, never merged", _clocks(row)),
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
        + (f" ({_WOULD[v.result.value]})" if v.result else "")
        for v in row.beside
    ]
    return lines


def _also(row: Row) -> list[str]:
    """Return the plain values beside the measurement that have words."""
    shown = []
    for name, words in _ALSO.items():
        value = row.single.detail.get(name)
        if isinstance(value, int | float):
            unit = "s" if name.endswith("_seconds") else "share" if name.endswith("_share") else "1"
            shown.append(f"{words}: {quantity(value, unit)}")
    return shown


def instants(report: Report) -> str:
    """Return from when the instants in sentences count; "" when no fault has a clock of its own beside the run's."""
    if not report.fault_s:
        return ""
    first = "first " * (sum(m.kind == "injection_begun" for m in report.record.marks) > 1)
    return f"Instants in sentences count from the start of the run; the {first}fault came at {clock(report.fault_s)}."


def levels(seen: View) -> list[str]:
    """Return at which level of detail what was played, and what that level could not judge."""
    report = seen.report
    fidelity = str(report.head.get("fidelity") or "")
    if report.head.get("source", "simulation") != "simulation" or not fidelity:
        return []
    full = f"fidelity “{fidelity}” ({_LEVELS[fidelity]})" if fidelity in _LEVELS else f"fidelity “{fidelity}”"
    if report.ensemble is None:
        return [f"Played once at {full}."]
    level = str((report.head.get("ensemble") or {}).get("fidelity") or fidelity)
    trials = count(len(report.ensemble.trials), "trial")
    words = f" ({_LEVELS[level]})" if level in _LEVELS else ""
    shown = f"; the trial shown was played at {full}" if report.record.marks else ", and none of them is shown"
    sentences = [f"{trials} at fidelity “{level}”{words} decide{shown}."]
    sentences += kept(report)
    if alone := ", ".join(r.name for r in seen.alone):
        told = "Judged on the trial shown only, not over all trials" if report.record.marks else _MISSING
        sentences.append(f"{told}: {alone}.")
    return sentences


def kept(report: Report) -> list[str]:
    """Return which trials have a full record, in one sentence: the one asked for, the worst, the median."""
    found = report.ensemble.kept if report.ensemble else ()
    order = sorted(found, key=lambda k: min((_ROLES.index(r) for r in k.roles), default=len(_ROLES)))
    if not order:
        return []
    told = [
        f"trial {k.trial} ({', '.join(_ROLE_WORDS[r] for r in k.roles)}) {k.result}"
        + (f", everything back after {duration(k.recovery_s)}" if k.recovery_s else "")
        + f", fidelity “{k.fidelity}”"
        for k in order
    ]
    where = f"One of them by itself: gameday report {order[-1].folder}"
    return [f"Kept in full: {'; '.join(told)}.", f"{where}."]


_ROLES = ("asked", "worst", "median")
_MISSING = "Not decided, because the record of the trial in full, which alone could tell, is missing"
_ROLE_WORDS = {"asked": "asked for", "worst": "the worst", "median": "the median"}


def trust(seen: View) -> list[str]:
    """Return what a reader must know before believing a figure."""
    report = seen.report
    integrity = [r for r in seen.judged if r.name.startswith("integrity.")]
    sentences = [checked(report), compared(report), *levels(seen)]
    sentences += [f"{r.title}: {r.word}. {r.reason}" for r in integrity]
    if report.interrupted:
        sentences.append(f"The run did not come to its own end: {report.head.get('termination', 'interrupted')}.")
    gaps = sum(m.kind == "observer_gap" for m in report.record.marks)
    steps = sum(m.kind == "clock_step" for m in report.record.marks)
    sentences.append(
        f"Faults of the instrument: {count(gaps, 'gap')} in observing, {count(steps, 'step')} of the clock."
    )
    return [s[:1].upper() + s[1:] if not s.startswith("kernel") else s for s in sentences if s]
