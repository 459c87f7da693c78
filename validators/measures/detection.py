"""Detection: from the instant at which an alert's condition holds to the page that is sent, by the rules as intended.

The limit is `for` + scrape + evaluation + group_wait: the runbook's `for:` as this monitoring can keep it; an alert
that never fired is missed after `for` + scrape + evaluation. Missed, late, spurious and stuck alerts are FAIL. One that
is expected and fired before the fault, or whose server had begun to count before the run, decides nothing, nor does one
that fired where the record cannot tell whether it should have; one that only what was before the run can explain is not
exercised. The rules as written are rows beside it.
Source: DESIGN, What is measured, exactly (detection).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from validators import integrity
from validators.alerts import VISIBLE_US, Alert, Span, Story, alert, fired, rule
from validators.columns import names, whole
from validators.conditions import metrics, stations
from validators.marks import faults, of_kind
from validators.measures.goodness import blind
from validators.model import Evidence, Measurement, Observations
from validators.recorded import COUNTED, SECOND_US
from validators.words import at, listed, seconds

_ALERT = ("alert_pending", "alert_firing", "alert_resolved")
METHOD = "the rule's condition computed from the record, against facts of its alert and page"


def why_not(observations: Observations, objective: Mapping[str, Any]) -> str | None:
    """Return why an alert is not exercised, in words; None when it was due, or fired when it should not have."""
    name = str(objective["subject"])
    if rule(observations, name) is None:
        return f"the topology has no alert {name}"
    found = alert(observations, name)
    if found.stories or found.spurious or found.undecided or found.stuck:
        return None
    if found.unknown and (found.spans or found.lacking):
        return None
    if found.unknown:
        return f"it did not fire, and {found.unknown}"
    if older := [s for s in found.spans if s.older]:
        return f"it {_counting(older)}, for a reason that the record does not hold, and nothing in the run made it due"
    if found.carried:
        return f"it {_carried(found.carried)}, and nothing in the run made it due"
    due = seconds(found.timing.due_us / 1e6)
    words = f"its condition never held for {due}" if found.held else "its condition never held"
    return words + _unanswered(observations, name)


def _unanswered(observations: Observations, name: str) -> str:
    """Why a rule on answers stays quiet while users see nothing but errors; "" when it reads none, or they do not.

    Source: a server that is gone counts nothing; its clients see that nobody answers.
    """
    declared, table = rule(observations, name), observations.tables("load")
    if declared is None or COUNTED not in metrics(str(declared["intended"])):
        return ""
    mine = names(table, "service").equal("edge")
    _, place = np.unique(whole(table, "second")[mine], return_inverse=True)
    ended, ok = (
        sum(np.bincount(place, weights=whole(table, column)[mine]) for column in columns)
        for columns in (("ok", "failed", "unknown"), ("ok",))
    )
    if not np.any((np.asarray(ended) > 0) & (np.asarray(ok) == 0)):
        return ""
    return "; requests failed all the same: servers that are gone answer no 5xx, and the rule counts answers"


def _counting(older: Sequence[Span]) -> str:
    """Since when a server counted towards an alert that began before the record."""
    first = min(older, key=lambda s: s.since_us)
    return f"was pending in {first.region} from {seconds(-first.since_us / 1e6)} before the run on"


def _carried(spans: Sequence[Span]) -> str:
    """When an alert fired whose condition held when the record began."""
    first = spans[0]
    return f"fired at {at(first.from_us)} in {first.region} for what servers had counted before the run"


def measure(observations: Observations, objective: Mapping[str, Any]) -> list[Measurement]:
    """Seconds from the condition to the page, then rows beside it."""
    name, subject = str(objective["objective"]), str(objective["subject"])
    found = alert(observations, subject)
    main = _decided(observations, name, subject, found)
    return [main, *_rows(observations, name, subject, found)]


def _decided(observations: Observations, name: str, subject: str, found: Alert) -> Measurement:
    if found.unknown:
        words = f"{subject} fired at {at(found.spans[0].from_us)}" if found.spans else f"{subject} did not fire"
        return Measurement(name, None, None, None, "s", 0, METHOD, doubts=(found.unknown,), says=words)
    wrong = [
        (s, f"{subject} fired at {at(s.from_us)} in {s.region} although its condition did not hold")
        for s in found.spurious
    ]
    wrong += [(s, f"{subject} fired on in {s.region} after its condition had ceased") for s in found.stuck]
    doubts, problems = _doubts(observations, subject, found), _faults(observations, found)
    if wrong:
        span, words = wrong[0]
        evidence = (Evidence("marks", f"alert_firing of {subject}", span.from_us),)
        return Measurement(
            name, None, None, None, "s", len(found.spans), METHOD, evidence,
            {"spurious": len(found.spurious), "stuck": len(found.stuck)}, problems, doubts,
            limit=found.timing.late_us / 1e6, violated=True, says=words,
        )  # fmt: skip
    if not found.stories:
        return _without_answer(name, subject, found, doubts, problems)
    worst = max(found.stories, key=lambda s: _taken(s, observations.duration_us))
    limit = (found.timing.due_us if worst.fired_us is None else found.timing.late_us) / 1e6
    value, low, high, words = _times(observations, subject, worst)
    if high is not None and high <= limit:  # one that was missed or late stays so
        doubts += _cannot_tell(found)
    evidence = (
        Evidence("samples", f"condition of {subject}", worst.from_us),
        *((Evidence("marks", f"alert_firing of {subject}", worst.fired_us),) if worst.fired_us is not None else ()),
    )
    detail = {
        "condition_from_us": worst.from_us, "condition_to_us": worst.to_us, "fired_us": worst.fired_us,
        "paged_us": worst.paged_us, "due_seconds": found.timing.due_us / 1e6, "times_due": len(found.stories),
    }  # fmt: skip
    return Measurement(
        name,
        value,
        low,
        high,
        "s",
        len(found.stories),
        METHOD,
        evidence,
        detail,
        problems,
        doubts,
        limit=limit,
        says=words,
    )


def _without_answer(
    name: str, subject: str, found: Alert, doubts: tuple[str, ...], problems: tuple[str, ...]
) -> Measurement:
    """Of an alert that fired where the record cannot tell whether it should have, and that nothing else made due."""
    first = found.undecided[0][0]
    evidence = (Evidence("marks", f"alert_firing of {subject}", first.from_us),)
    return Measurement(
        name, None, None, None, "s", len(found.spans), METHOD, evidence, {}, problems, (*doubts, *_cannot_tell(found)),
        limit=found.timing.late_us / 1e6, says=f"{subject} fired at {at(first.from_us)} in {first.region}",
    )  # fmt: skip


def _end_us(story: Story) -> int | None:
    """When it was noticed: the page, or the alert where no page was due yet when it was resolved, or the run ended."""
    return story.paged_us if story.paged_us is not None or story.page_due else story.fired_us


def _taken(story: Story, end_us: int) -> tuple[bool, int]:
    noticed = _end_us(story)
    return noticed is None, (noticed if noticed is not None else end_us) - story.from_us


def _times(observations: Observations, subject: str, story: Story) -> tuple[float | None, float, float | None, str]:
    """Value, bounds and words. The condition began within the second before it was seen to hold."""
    noticed, since = _end_us(story), f"at {at(story.from_us)}"
    if noticed is not None:
        value, sure = (noticed - story.from_us) / 1e6, (noticed - story.sure_us) / 1e6
        ended = "the run ended" if story.open_at_end else "was resolved"
        what = "was paged" if story.paged_us is not None else f"fired, and {ended} before a page was due,"
        bound = integrity.clock_bound_us(observations) / 1e6
        words = f"{subject} {what} {seconds(value)} after its condition held, {since}"
        if story.fired_us == story.from_us:
            words = f"{subject} was firing already when its condition held, {since}"
        return value, max(0.0, sure - bound), value + SECOND_US / 1e6 + bound, words
    if story.fired_us is None:
        held, sure = (story.to_us - story.from_us) / 1e6, story.sure_for_us / 1e6
        words = f"{subject} never fired although its condition held for {seconds(held)}, {since}"
        return None, sure, None, words
    waited = (observations.duration_us - story.sure_us) / 1e6
    return None, waited, None, f"{subject} fired at {at(story.fired_us)} and nobody was paged"


def _doubts(observations: Observations, subject: str, found: Alert) -> tuple[str, ...]:
    doubts = [*_early(subject, found)]
    if any(s.fired_us is None for s in found.stories) and not of_kind(observations, *_ALERT):
        doubts.append("nothing of any alert is on record, so that nobody may have looked")
    if any(s.open_at_end and s.fired_us is not None and s.paged_us is None and not s.page_due for s in found.stories):
        doubts.append("the run ended before its page was due")
    unpaged = any(s.fired_us is not None and s.paged_us is None and s.page_due for s in found.stories)
    if unpaged and not of_kind(observations, "page_received"):
        doubts.append("no page is on record at all, so that nobody may have looked")
    return tuple(doubts)


def _cannot_tell(found: Alert) -> tuple[str, ...]:
    """Why it is not known whether an alert that fired should have."""
    whether = "whether its condition held when it fired"
    return tuple(f"{whether} at {at(s.from_us)} in {s.region} cannot be told: {why}" for s, why in found.undecided)


def _early(subject: str, found: Alert) -> tuple[str, ...]:
    if not found.stories or not found.early:
        return ()
    if older := [s for s in found.early if s.older]:
        return (f"{subject} {_counting(older)}",)
    if found.carried:
        return (f"{subject} {_carried(found.carried)}",)
    return (f"{subject} had fired before the fault, at {at(found.early[0].from_us)}",)


def _faults(observations: Observations, found: Alert) -> tuple[str, ...]:
    """Stretches in which the samples, load or facts behind an alert were not observed, and jumps of the clock."""
    gaps = _joined([*blind(observations, "samples", "load", "marks", "alerts"), *found.unseen])
    back = found.timing.due_us + VISIBLE_US
    end = observations.duration_us
    windows = [(s.from_us, s.to_us) for s in found.stories]
    windows += [(s.from_us - back, end if s.until_us is None else s.until_us) for s in (*found.spurious, *found.stuck)]
    words: list[str] = []
    for from_us, to_us in windows:
        shown = (
            f"its condition was not observed from {at(a)} to {at(b)}" for a, b in gaps if a < to_us and b > from_us
        )
        words += [*shown, *integrity.clock_steps(observations, from_us, to_us)]
    return tuple(dict.fromkeys(words))


def _joined(gaps: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Gaps that overlap as one."""
    joined: list[tuple[int, int]] = []
    for from_us, to_us in sorted(gaps):
        if joined and from_us <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], to_us)
        else:
            joined.append((from_us, to_us))
    return joined


def _rows(observations: Observations, name: str, subject: str, found: Alert) -> list[Measurement]:
    """From the fault to pending, firing, page received; and the rules as written."""
    begun = min((f.begun_us for f in faults(observations)), default=None)
    written = fired(observations, subject, "written")
    rows = []
    if begun is not None:
        for key, kind in (("pending", "alert_pending"), ("firing", "alert_firing"), ("paged", "page_received")):
            rows.append(_row(observations, f"{name}.{key}", subject, kind, begun))
    start = next((s.from_us for s in written if begun is None or s.from_us >= begun), None)
    since = begun or 0
    value = None if start is None else (start - since) / 1e6
    words = _as_written(observations, rule(observations, subject), written, begun, found)
    detail = {"label": "as written, from the fault to firing", "fired": len(written)}
    rows.append(
        Measurement(
            f"{name}.as_written", value, value, value, "s", len(written), "the rule as the runbook writes it",
            detail=detail, bare=True, says=words,
        )
    )  # fmt: skip
    return rows


def _as_written(
    observations: Observations, declared: Mapping[str, Any] | None, spans: Sequence[Span], begun_us: int | None,
    found: Alert,
) -> str:  # fmt: skip
    """How often the rule as written fired; why it did so before anything happened, or never did."""
    expression = str(declared["written"]) if declared is not None else ""
    if not spans:
        gone = found.spans and "absent" not in expression and stations(observations, expression)
        return "as written it did not fire" + (", because pods that are gone have no `up` that could be 0" * bool(gone))
    times = "once" if len(spans) == 1 else f"{len(spans):,} times"
    words, first = f"as written it fired {times}", spans[0]
    if not first.older and (begun_us is None or first.from_us >= begun_us):
        return words
    when = (
        f"in {first.region} since before the run" if first.older else f"first at {at(first.from_us)}, before the fault"
    )
    idle = sorted({s.partition("/")[0] for s in stations(observations, expression) if _stands_by(observations, s)})
    if not idle:
        return f"{words}, {when}"
    return f"{words}, {when}; it takes {listed(idle)}, which stands by without these pods, for a region that is down"


def _stands_by(observations: Observations, station: str) -> bool:
    """Whether a station was planned without pods when the run began."""
    _, planned = integrity.sample(observations, "replicas_planned", station)
    return len(planned) > 0 and planned[0] == 0


def _row(observations: Observations, name: str, subject: str, kind: str, begun_us: int) -> Measurement:
    label = kind.replace("_", " ")
    mark = next(
        (
            m
            for m in of_kind(observations, kind)
            if begun_us <= m.t_us < observations.duration_us
            and m.detail.get("alert", m.subject) == subject
            and m.detail.get("rules", "intended") == "intended"
        ),
        None,
    )
    value = None if mark is None else (mark.t_us - begun_us) / 1e6
    return Measurement(
        name, value, value, value, "s", int(mark is not None), f"first {label}",
        (Evidence("marks", f"{kind} of {subject}", mark.t_us),) if mark is not None else (),
        {"label": f"from the fault to {label}"}, bare=True, says="" if mark is not None else f"no {label}",
    )  # fmt: skip
