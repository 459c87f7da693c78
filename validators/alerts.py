"""What became of one alert of the rules as intended: when it was due, fired and was paged, and whether it should have.

An alert is expected when its condition, computed from the record, held longer than `for` + scrape + evaluation, and is
late after that + group_wait. One whose server had begun to count before the record began is neither spurious nor an
answer to what happened in it, nor is one whose condition held when the record began, by what servers had counted before
it. One that fired where the record cannot tell whether its condition held is undecided: a rule that looks back to
before what is on record, or servers that may have counted what nobody knows the end of.
Source: DESIGN, What is measured, exactly (detection).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from scenarios.model.faults import FAULTS
from validators import before
from validators.columns import Bool, names, whole
from validators.conditions import holds, may_hold, reach_s, scraped, stretches, unseen, window_us
from validators.marks import faults, of_kind
from validators.model import Observations
from validators.recorded import SECOND_US, NotOnRecordError, NotSampledError
from validators.words import listed, quantity, seconds

# What a Prometheus saw stays visible to its rules for so long (its lookback).
VISIBLE_US = 300_000_000
# A page that is this late does not arrive any more: somebody else would have been paged by now.
PAGE_LOST_US = 300_000_000


@dataclass(frozen=True)
class Timing:
    """How long one rule needs. `due_us`: it fires by then; `late_us`: the page is sent by then."""

    for_us: int
    due_us: int
    late_us: int


@dataclass(frozen=True)
class Span:
    """One stretch in which a server said that the alert fires; `until_us` None: to the end.

    `since_us`: when the server began to count `for`, by its own stamp; below zero: before the record begins.
    """

    region: str
    from_us: int
    until_us: int | None
    since_us: int

    @property
    def older(self) -> bool:
        """Whether its reason lies before the record, which cannot tell whether it was a good one."""
        return self.since_us < 0


@dataclass(frozen=True)
class Story:
    """One stretch [from, to) of the condition that made the alert due, and what followed.

    By `sure_us` any Prometheus saw it hold, and it did so for at least `sure_for_us` (0: perhaps none ever did).
    `fired_us` is `from_us` when it was firing already. `paged_us`: the page was sent (received, where sending is not on
    record); None with `page_due`: there was time for a page and none came. `open_at_end`: the run ended while it fired.
    """

    from_us: int
    to_us: int
    sure_us: int
    sure_for_us: int
    fired_us: int | None
    paged_us: int | None
    page_due: bool
    open_at_end: bool = False


@dataclass(frozen=True)
class Alert:
    """All about one alert. `unknown`: why its condition cannot be computed, "" when it can.

    `lacking`: it cannot because something that ought to be on record is not.
    """

    timing: Timing
    stories: tuple[Story, ...]
    spans: tuple[Span, ...]
    spurious: tuple[Span, ...]
    undecided: tuple[tuple[Span, str], ...]  # fired, and why the record cannot tell whether it should have
    stuck: tuple[Span, ...]  # up to when they should have ended at the latest
    early: tuple[Span, ...]  # fired before the first fault, or for a reason older than the record
    carried: tuple[Span, ...]  # those of them whose condition held when the record began
    held: bool  # whether the condition ever held
    unknown: str
    lacking: bool = False
    unseen: tuple[tuple[int, int], ...] = ()  # stretches in which what the rule reads was not recorded


def rule(observations: Observations, alert: str) -> Mapping[str, Any] | None:
    """Return the rule of an alert as the topology declares it."""
    rules = observations.topology["monitoring"]["alerts"]
    return next((r for r in rules if r["alert"] == alert), None)


def alert(observations: Observations, name: str) -> Alert:
    """Return what became of an alert that the topology declares."""
    return observations.once(("alert", name), lambda: _alert(observations, name))


def timing(observations: Observations, alert_rule: Mapping[str, Any]) -> Timing:
    """Times of a rule; one whose `for` is shorter than the evaluation is evaluated fast."""
    monitoring = observations.topology["monitoring"]
    for_us = int(alert_rule["for_us"])
    fast = for_us < int(monitoring["evaluation_us"])
    evaluation = int(monitoring["fast_evaluation_us"] if fast else monitoring["evaluation_us"])
    due = for_us + int(monitoring["scrape_us"]) + evaluation
    return Timing(for_us, due, due + int(monitoring["group_wait_us"]))


def _alert(observations: Observations, name: str) -> Alert:
    declared = rule(observations, name)
    assert declared is not None, f"{name} is judged only where the topology declares it"
    times = timing(observations, declared)
    spans = fired(observations, name, "intended")
    first_fault = min((f.begun_us for f in faults(observations)), default=None)
    early = tuple(s for s in spans if s.older or (first_fault is not None and s.from_us < first_fault))
    try:
        held = holds(observations, str(declared["intended"]))
    except NotOnRecordError as missing:
        return Alert(
            times, (), spans, (), (), (), early, (), held=False, unknown=str(missing),
            lacking=isinstance(missing, NotSampledError),
        )  # fmt: skip
    expression, scrape_us = str(declared["intended"]), int(observations.topology["monitoring"]["scrape_us"])
    true, perhaps = _in_us(held), _in_us(may_hold(observations, expression))
    seen = scraped(observations, expression, scrape_us)
    due = [(a, b, *_surely(seen, a, b)) for a, b in true if b - a > times.due_us]
    from_before = [(a, b) for a, b in true if a == 0] if reach_s(observations, expression) else []
    told = (_story(observations, name, times, spans, stretch) for stretch in due)
    stories = tuple(s for s in told if not from_before or s.from_us > 0 or s.fired_us is None)  # since when: unknown
    fresh = [stretch for stretch in true if stretch not in from_before]
    carried = tuple(s for s in spans if _held_before(from_before, times, s) and not _held_before(fresh, times, s))
    early = tuple(s for s in spans if s in early or s in carried)
    groundless = [s for s in spans if not s.older and not _held_before(true, times, s)]
    reasons = [(s, _undecided(observations, expression, perhaps, times, s)) for s in groundless]
    spurious = tuple(s for s, why in reasons if not why)
    undecided = tuple((s, why) for s, why in reasons if why)
    stuck = tuple(part for s in spans if (part := _stuck(observations, times, perhaps, s)) is not None)
    gaps = tuple(unseen(observations, expression))
    return Alert(
        times, stories, spans, spurious, undecided, stuck, early, carried, held=bool(true), unknown="", unseen=gaps
    )


def _undecided(
    observations: Observations, expression: str, perhaps: list[tuple[int, int]], times: Timing, span: Span
) -> str:
    """Why the record cannot tell whether an alert without a reason on record had one; "" when it had none."""
    if span.since_us < (window := window_us(expression)) and not reach_s(observations, expression):
        return f"its rule looks back {seconds(window / 1e6)}, to before the run{_not_known(observations, window)}"
    if _held_before(perhaps, times, span):
        load = observations.tables("load")
        sent = names(load, "service").equal("edge") & (whole(load, "second") * SECOND_US < span.from_us)
        if unanswered := float(whole(load, "unknown")[sent].sum()):
            return (
                f"{quantity(unanswered, '1')} requests had got no answer, and servers may have counted them as errors"
            )
        return "servers may have counted more than the orders of the run: its probes, and what came just before it"
    return ""


def _not_known(observations: Observations, window: int) -> str:
    """Of whom it is not on record what they had counted before the run; "" when nobody was looked at."""
    every = [f"{r}/{s}" for r in observations.topology["regions"] for s in observations.topology["services"]]
    silent = before.lacking(observations, window)
    return "" if len(silent) == len(every) else f", and what {listed(silent)} had counted then is not on record"


def _in_us(held: Bool) -> list[tuple[int, int]]:
    return [(a * SECOND_US, b * SECOND_US) for a, b in stretches(held)]


def fired(observations: Observations, name: str, rules: str) -> tuple[Span, ...]:
    """Spans in which an alert fires by one reading of the rules, in order of time."""
    spans: list[Span] = []
    pending: dict[str, int] = {}
    open_: dict[str, tuple[int, int]] = {}
    for mark in of_kind(observations, "alert_pending", "alert_firing", "alert_resolved"):
        if mark.subject != name or mark.detail["rules"] != rules or mark.t_us >= observations.duration_us:
            continue
        region = str(mark.detail["region"])
        if mark.kind == "alert_pending":
            pending[region] = mark.t_us if mark.source_t_us is None else mark.source_t_us
        elif mark.kind == "alert_firing":
            open_.setdefault(region, (mark.t_us, pending.pop(region, mark.t_us)))
        elif region in open_:
            from_us, since_us = open_.pop(region)
            spans.append(Span(region, from_us, mark.t_us, since_us))
    spans += [Span(region, from_us, None, since_us) for region, (from_us, since_us) in open_.items()]
    return tuple(sorted(spans, key=lambda s: s.from_us))


def _held_before(true: list[tuple[int, int]], times: Timing, span: Span) -> bool:
    """Whether a condition held when its alert fired, or so shortly before that a Prometheus may still have seen it."""
    return any(a <= span.from_us and b >= span.from_us - times.due_us - VISIBLE_US for a, b in true)


def _surely(seen: list[Bool], from_us: int, to_us: int) -> tuple[int, int]:
    """From when, and for how long at least, a condition held whatever the instants of the scrapes."""
    begun, lasted = [from_us], [to_us - from_us]
    for held in seen:
        inside = [(max(a, from_us), b) for a, b in _in_us(held) if b > from_us and a < to_us]
        longest = max(inside, key=lambda s: s[1] - s[0], default=(to_us, to_us))
        begun.append(longest[0])
        lasted.append(longest[1] - longest[0])
    return max(begun), min(lasted)


def _story(
    observations: Observations, name: str, times: Timing, spans: tuple[Span, ...], due: tuple[int, int, int, int]
) -> Story:
    from_us, to_us = due[:2]
    end = observations.duration_us
    visible_to = to_us + times.due_us
    mine = [s for s in spans if s.from_us <= visible_to and (s.until_us is None or s.until_us > from_us)]
    if not mine:
        return Story(*due, None, None, page_due=False)
    first = mine[0]
    if first.from_us <= from_us:
        return Story(*due, from_us, from_us, page_due=True)
    open_at_end = any(s.until_us is None for s in mine)
    until = end if open_at_end else max(s.until_us or 0 for s in mine)
    paged = _paged(observations, name, first.from_us, until)
    wait = times.late_us - times.due_us
    return Story(*due, first.from_us, paged, page_due=until - first.from_us > wait, open_at_end=open_at_end)


def _paged(observations: Observations, name: str, fired_us: int, until_us: int) -> int | None:
    """When the page of an alert that fires was sent, if it arrived; where sending is not on record, when it arrived."""
    end = observations.duration_us

    def after(kind: str, since_us: int) -> int | None:
        mine = (m.t_us for m in of_kind(observations, kind) if m.detail["alert"] == name)
        return next((t for t in mine if since_us <= t < end), None)

    sent = after("page_sent", fired_us)
    if sent is None or sent > until_us:
        return after("page_received", fired_us)
    lost = after("page_received", sent) is None and end - sent > PAGE_LOST_US
    return None if lost else sent


def _stuck(observations: Observations, times: Timing, true: list[tuple[int, int]], span: Span) -> Span | None:
    """The part of a span by the end of which a server that was not lost itself should have said that it is over."""
    if span.until_us is None and _lost(observations, span.region):
        return None
    until = span.until_us if span.until_us is not None else observations.duration_us
    inside = [(a, b) for a, b in true if a <= until and b >= span.from_us - times.due_us - VISIBLE_US]
    allowed = VISIBLE_US + times.due_us - times.for_us
    for (_, over), (again, _) in pairwise([*inside, (until, until)]):
        if again - over > allowed:
            return replace(span, until_us=over + allowed)
    return None


def _lost(observations: Observations, region: str) -> bool:
    hits = ("region", "monitoring")
    return any(
        f.target.get("region") == region and f.kind in FAULTS and FAULTS[f.kind].hits in hits
        for f in faults(observations)
    )
