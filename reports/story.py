"""The story of a recovery, from the facts of the record."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from reports.model import Report, recovered, step_title
from reports.words import duration
from scenarios.record.marks import Mark

MOST = 60  # lines of a story


@dataclass(frozen=True)
class Moment:
    """One line of the story. `tone`: fault, alert, people, act, system, back, run."""

    t_s: float
    since_fault_s: float | None
    words: str
    tone: str
    key: str = ""  # the mark drawn in the plots, "" when it is not drawn
    number: int = 0  # of the mark, the same in every plot


_ENDS = {"at most": "the longest time it was given is over"}


def _fault(m: Mark) -> str:
    target = m.detail["target"]
    named = [str(t) for t in target] if isinstance(target, list) else [str(target)]
    # what lies in a region that is named anyway is not named again
    outer = [t for t in named if not any(t.startswith(f"{other}/") for other in named)]
    return f"{m.detail['fault']} begins in {', '.join(outer)}"


def _joins(m: Mark) -> str:
    role = m.detail["role"]
    return f"{m.subject} joins" if m.subject == role else f"{m.subject} joins as {role}"


def _page(m: Mark) -> str:
    alert, severity = m.detail["alert"], m.detail["severity"]
    return f"a page for {alert} arrives ({severity})" if m.subject == alert else f"{m.subject} is paged for {alert}"


_WORDS: dict[str, tuple[str, Callable[[Mark], str]]] = {
    "injection_begun": ("fault", _fault),
    "effect_seen": ("fault", lambda m: f"{m.detail['fault']}: its effect is seen"),
    "lift_begun": ("system", lambda m: f"{m.detail['fault']} is being lifted"),
    "lifted": ("system", lambda m: f"{m.detail['fault']} is lifted by {m.detail['by']}"),
    "fault_gone": ("system", lambda m: f"{m.detail['fault']} is gone"),
    "left_to_failback": ("system", lambda m: f"{m.detail['fault']} is left to the failback: {m.detail['what']}"),
    "alert_pending": ("alert", lambda m: f"alert {m.subject} pending in {m.detail['region']}"),
    "alert_firing": ("alert", lambda m: f"alert {m.subject} fires in {m.detail['region']}"),
    "alert_resolved": ("alert", lambda m: f"alert {m.subject} resolved in {m.detail['region']}"),
    "page_sent": ("alert", lambda m: f"page for {m.detail['alert']} sent"),
    "page_received": ("alert", _page),
    "acknowledged": ("people", lambda m: f"{m.subject} acknowledges {m.detail['alert']}"),
    "escalated": ("people", lambda m: f"escalated to {m.detail['to']}"),
    "engaged": ("people", _joins),
    "declared": ("people", lambda m: f"{m.subject} declares {m.detail['severity']}"),
    "decided": ("people", lambda m: f"{m.subject} decides: {m.detail['procedure']}"),
    "automation_detected": (
        "people",
        lambda m: f"the {m.subject} sees {m.detail['failures']} failures in a row",
    ),
    "procedure_started": ("act", lambda m: f"{m.subject} starts ({m.detail['actor']})"),
    "step_waiting": ("act", lambda m: f"step “{m.detail['step']}” waits for {m.detail['for']}"),
    "procedure_finished": ("act", lambda m: f"{m.subject} {'is done' if m.detail['ok'] else 'fails'}"),
    "promotion_begun": ("act", lambda m: f"promotion of {m.subject} begins"),
    "promoted": ("act", lambda m: f"{m.subject} is promoted to timeline {m.detail['timeline']}"),
    "promotion_refused": ("act", lambda m: f"promotion of {m.subject} is refused: {m.detail['reason']}"),
    "fenced": ("act", lambda m: f"{m.subject} is fenced by {m.detail['by']}"),
    "database_failed": ("system", lambda m: f"{m.subject} fails"),
    "database_available": ("system", lambda m: f"{m.subject} is available on timeline {m.detail['timeline']}"),
    "standby_streaming": ("system", lambda m: f"standby {m.subject} is streaming"),
    "redundancy_restored": ("system", lambda m: f"redundancy is back: {m.detail['what']}"),
    "restore_begun": ("act", lambda m: f"restore of {m.subject} from {m.detail['source']} begins"),
    "restored": ("act", lambda m: f"{m.subject} is restored on timeline {m.detail['timeline']}"),
    "data_dropped": ("fault", lambda m: f"data is dropped from {m.subject}"),
    "dns_change_submitted": ("act", lambda m: f"DNS is to lead to {m.detail['region']}"),
    "dns_switched": ("act", lambda m: f"DNS now leads to {m.detail['region']}"),
    "health_check_failed": ("system", lambda m: f"health check of {m.detail['region']} fails"),
    "health_check_passed": ("system", lambda m: f"health check of {m.detail['region']} passes"),
    "trading_disabled": ("act", lambda m: "trading is stopped"),
    "trading_enabled": ("act", lambda m: "trading is allowed again"),
    "change_started": ("act", lambda m: f"change {m.detail['change']} starts"),
    "change_finished": ("act", lambda m: f"change {m.detail['change']} {'is done' if m.detail['ok'] else 'fails'}"),
    "rollback_started": ("act", lambda m: f"roll back of {m.detail['change']} starts"),
    "rollback_finished": ("act", lambda m: f"{m.detail['change']} is rolled back"),
    "breaker_changed": ("system", lambda m: f"breaker of {m.subject} is {m.detail['state']}"),
    "node_not_ready": ("system", lambda m: f"{m.subject} is not ready"),
    "node_ready": ("system", lambda m: f"{m.subject} is ready"),
    "settled": ("run", lambda m: "everything is settled"),
    "run_ended": ("run", lambda m: f"the run ends: {_ENDS.get(m.detail['reason'], m.detail['reason'])}"),
    "observer_gap": ("run", lambda m: f"the instrument was blind: {m.detail['what']}"),
    "clock_step": ("run", lambda m: f"the clock jumped by {m.detail['step_us']:,} µs"),
    "left_behind": ("run", lambda m: f"left behind: {m.detail['what']}"),
}
# Pods and crashes come in dozens: one line for each kind and station.
_CROWDS = {
    "pod_ready": ("system", "pod ready", "pods ready"),
    "pod_unready": ("system", "pod not ready", "pods not ready"),
    "pod_lost": ("fault", "pod lost", "pods lost"),
    "crashed": ("fault", "crash", "crashes"),
}
_DRAWN = {
    "injection_begun": "fault",
    "alert_firing": "alert fires",
    "page_received": "page",
    "acknowledged": "acknowledged",
    "decided": "decided",
    "promoted": "promoted",
    "restored": "restored",
    "dns_switched": "DNS switched",
}


def tell(report: Report) -> list[Moment]:
    """Return the moments in order of time; crowds of pods are one line each; at most `MOST` lines."""
    fault_s = report.fault_s
    shown = [_titled(report, m) for m in report.record.marks if m.detail.get("rules") != "written"]
    moments = [_moment(m, fault_s) for m in _thinned(shown)]
    moments += _steps(shown, fault_s)
    moments += _crowds(shown, fault_s)
    moments += _recoveries(report)
    moments.sort(key=lambda m: m.t_s)
    moments = _number(moments)
    if len(moments) <= MOST:
        return moments
    drawn = [m for m in moments if m.key or m.tone == "back"]
    others = [m for m in moments if not m.key and m.tone != "back"][: MOST - len(drawn)]
    left_out = len(moments) - len(drawn) - len(others)
    words = f"… {left_out} more facts of the procedure and the system are in marks.jsonl"
    last = moments[-1]
    return [*sorted([*drawn, *others], key=lambda m: m.t_s), Moment(last.t_s, last.since_fault_s, words, "run")]


def _titled(report: Report, mark: Mark) -> Mark:
    """Put the title of a step in place of its id, where the procedure is known."""
    if "step" not in mark.detail:
        return mark
    title = step_title(report.head, mark.subject, mark.detail["step"])
    return replace(mark, detail={**mark.detail, "step": title})


def _since(t_s: float, fault_s: float | None) -> float | None:
    return None if fault_s is None else t_s - fault_s


def _moment(mark: Mark, fault_s: float | None) -> Moment:
    tone, words = _WORDS[mark.kind]
    t_s = mark.t_us / 1e6
    return Moment(t_s, _since(t_s, fault_s), words(mark), tone, _DRAWN.get(mark.kind, ""))


def _thinned(marks: Iterable[Mark], most: int = 3) -> list[Mark]:
    """Marks of the story; the same kind of the same subject at most `most` times."""
    seen: dict[tuple[str, str, object], int] = {}
    kept = []
    for mark in marks:
        if mark.kind in _WORDS:
            key = (mark.kind, mark.subject, mark.detail.get("step"))
            seen[key] = seen.get(key, 0) + 1
            if seen[key] <= most:
                kept.append(mark)
    return kept


def _steps(marks: list[Mark], fault_s: float | None) -> list[Moment]:
    """One line a step, where it begins: how long it took, or that it failed or never ended."""
    moments = []
    for i, begun in enumerate(marks):
        if begun.kind != "step_started":
            continue
        same = (begun.subject, begun.detail["step"])
        later = (m for m in marks[i + 1 :] if m.kind.startswith("step_") and (m.subject, m.detail["step"]) == same)
        ended = next((m for m in later if m.kind in ("step_started", "step_finished")), None)
        t_s = begun.t_us / 1e6
        words = f"{begun.detail['actor']}: “{begun.detail['step']}”"
        if ended is None or ended.kind == "step_started":
            words += " does not end"
        else:
            took = duration((ended.t_us - begun.t_us) / 1e6)
            words += f", done in {took}" if ended.detail["ok"] else f" fails after {took}"
        moments.append(Moment(t_s, _since(t_s, fault_s), words, "act"))
    return moments


def _crowds(marks: Iterable[Mark], fault_s: float | None) -> list[Moment]:
    found: dict[tuple[str, str], list[Mark]] = {}
    for mark in marks:
        if mark.kind in _CROWDS and (fault_s is None or mark.t_us / 1e6 >= fault_s):
            station = "/".join(mark.subject.split("/")[:2])
            found.setdefault((mark.kind, station), []).append(mark)
    moments = []
    for (kind, station), group in found.items():
        tone, one, many = _CROWDS[kind]
        first, last = group[0].t_us / 1e6, group[-1].t_us / 1e6
        within = f", the last {duration(last - first)} later" if last > first else ""
        moments.append(
            Moment(
                first,
                _since(first, fault_s),
                f"{station}: {len(group)} {many if len(group) > 1 else one}{within}",
                tone,
            )
        )
    return moments


def _recoveries(report: Report) -> list[Moment]:
    """When users were served again, by the judge's clock."""
    moments = []
    fault_s, subjects = report.fault_s, {*report.services, "database", "complete"}
    for verdict in report.judgement.verdicts:
        prefix, _, subject = verdict.objective.partition(".")
        at = verdict.high if verdict.high is not None else verdict.value
        if (
            fault_s is None
            or not verdict.merged
            or not recovered(verdict)
            or prefix != "rto"
            or subject not in subjects
            or not at
            or verdict.value is None
        ):
            continue
        limit = "" if verdict.limit is None else f", promised within {duration(verdict.limit)}"
        what = "the complete system serves" if subject == "complete" else f"{subject} serves"
        words = f"{what} again, {duration(at)} after the fault{limit}"
        begun_us = verdict.detail.get("begun_us")  # of the fault it recovers from, which need not be the first
        t_s = (fault_s if begun_us is None else begun_us / 1e6) + at
        moments.append(Moment(t_s, _since(t_s, fault_s), words, "back", "recovered"))
    last = max(reversed(moments), key=lambda m: m.t_s, default=None)  # the complete system, which comes last, if it is
    return [m if m is last else replace(m, key="") for m in moments]


def _number(moments: list[Moment]) -> list[Moment]:
    """Only the first of each drawn kind keeps its key; those are numbered."""
    seen: set[str] = set()
    result = []
    for m in moments:
        first = m.key not in seen and bool(m.key)
        seen.add(m.key)
        result.append(replace(m, key=m.key, number=len(seen - {""})) if first else replace(m, key=""))
    return result


def drawn(story: Iterable[Moment]) -> list[Moment]:
    """Return the moments that plots mark, in order."""
    return [m for m in story if m.key]
