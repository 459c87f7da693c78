"""What every format shows, in words: the verdicts as rows, grouped, with by how much and which stage took the time."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reports.environment import facts
from reports.model import PHASE_WORDS, Report, phases, recovered, step_title
from reports.words import count, duration, interval, quantity, share
from validators.model import Verdict
from validators.words import percent

GROUPS = (
    ("Recovery", ("rto",)),
    ("Data", ("rpo",)),
    ("Latency and load", ("kpi", "load")),
    ("Alerts and people", ("alert", "response")),
    ("Changes", ("change",)),
    ("Rules", ("rule",)),
    ("Can the figures be trusted?", ("integrity",)),
)
_MOST_OPEN = 5  # undecided objectives that are told with their reasons before all others
_AT_LEAST_KINDS = ("throughput", "load_test")


@dataclass(frozen=True)
class Row:
    """One objective as a reader sees it. `verdict` decides; `single` is that of the trial with a full record."""

    verdict: Verdict
    single: Verdict
    title: str
    group: str
    word: str  # PASS FAIL INCONCLUSIVE "not judged" "not exercised"
    limit: str
    measured: str
    bounds: str
    gap: str  # by how much it is over or under the limit
    stage: str  # which stage of the recovery took the time
    trials: str  # "met in 3 of 200 trials: 1.5 % [0.4 %, 3.8 %]"; "" when the full trial decides
    alone: str  # what stands there then: "full trial only", "full trial missing"
    spread: str  # "recovered: median 8 min 20 s, 95 % within 11 min"
    beside: tuple[Verdict, ...]  # rows that are shown and never merged
    shown: str  # what was measured of an objective that is not judged: "6.14 ms before the fault, 7 ms after recovery"
    tight: Mapping[str, str]  # limit, measured, bounds for a narrow table

    @property
    def name(self) -> str:
        """Return the name of the objective."""
        return self.verdict.objective

    @property
    def judged(self) -> bool:
        """Whether it has a verdict."""
        return self.verdict.result is not None

    @property
    def promise(self) -> str:
        """Return what was promised, as part of a sentence: "promised ≤ 5 min", "none allowed"."""
        return self.limit if self.limit.endswith("allowed") else f"promised {self.limit}"

    @property
    def reason(self) -> str:
        """Return the judge's sentence."""
        return self.verdict.reason


@dataclass(frozen=True)
class View:
    """All rows and the few sentences on top."""

    report: Report
    headline: str
    rows: tuple[Row, ...]
    facts: tuple[tuple[str, str], ...]  # environment and scope: label, value

    @property
    def word(self) -> str:
        """Return PASS, FAIL or INCONCLUSIVE."""
        return str(self.report.deciding.result.value)

    def groups(self, judged: bool = True) -> list[tuple[str, list[Row]]]:
        """Rows by group, in the order a reader asks for them."""
        titles = [title for title, _ in GROUPS] + ["Other"]
        groups = [(t, [r for r in self.rows if r.group == t and r.judged == judged]) for t in titles]
        return [(title, rows) for title, rows in groups if rows]

    def of(self, word: str) -> list[Row]:
        """Return the rows with this word."""
        return [r for r in self.rows if r.word == word]

    @property
    def first(self) -> tuple[list[Row], list[Row]]:
        """Return the rows that are told first, each with its reason, and those only named when too many are open."""
        missed, unclear = self.of("FAIL"), self.of("INCONCLUSIVE")
        return ([*missed, *unclear], []) if len(unclear) <= _MOST_OPEN else (missed, unclear)

    @property
    def judged(self) -> list[Row]:
        """Return the rows with a verdict."""
        return [r for r in self.rows if r.judged]

    @property
    def alone(self) -> list[Row]:
        """Return the rows with a verdict that no trial of many was judged for."""
        return [r for r in self.judged if not r.trials] if self.report.ensemble else []

    @property
    def summary(self) -> str:
        """Return one sentence: how many met, missed, could not be decided."""
        parts = [
            (len(self.of("FAIL")), "missed"),
            (len(self.of("INCONCLUSIVE")), "could not be decided"),
            (len(self.of("PASS")), "met"),
        ]
        words = ", ".join(f"{n} {what}" for n, what in parts if n) or "nothing was judged"
        return f"Of {count(len(self.judged), 'judged objective')}: {words}."


def view(report: Report) -> View:
    """Put a report into words."""
    titles = {o["objective"]: o for o in report.head.get("objectives", ())}
    deciding = _main(report.deciding.verdicts)
    single = _main(report.judgement.verdicts)
    names = list(dict.fromkeys([*single, *deciding]))
    beside = _beside(report, names)
    order = {name: i for i, (_, prefixes) in enumerate(GROUPS) for name in prefixes}
    rows = [
        _row(report, deciding.get(n) or single[n], single.get(n) or deciding[n], titles.get(n, {}), beside.get(n, ()))
        for n in names
    ]
    rows.sort(key=lambda r: order.get(r.name.split(".")[0], len(order)))
    return View(report, headline(report), tuple(rows), tuple(facts(report)))


def headline(report: Report) -> str:
    """Return the verdict and its scope in one line: "FAIL, 11 of 14 judged, SIMULATION, 200 trials"."""
    judgement = report.deciding
    parts = [
        judgement.result.value,
        f"{judgement.judged} of {judgement.applicable} judged",
        report.evidence_class.upper(),
    ]
    if report.head.get("scaled"):
        parts.append("scaled")
    if report.ensemble:
        parts.append(count(len(report.ensemble.trials), "trial"))
    if report.interrupted:
        parts.append(str(report.head.get("termination", "interrupted")).upper())
    return ", ".join(parts)


def _main(verdicts: Iterable[Verdict]) -> dict[str, Verdict]:
    return {v.objective: v for v in verdicts if v.merged}


def _beside(report: Report, names: list[str]) -> dict[str, tuple[Verdict, ...]]:
    """Rows never merged, under the objective whose name begins theirs."""
    found: dict[str, list[Verdict]] = {}
    for verdict in report.judgement.verdicts:
        if not verdict.merged:
            parents = [n for n in names if verdict.objective == n or verdict.objective.startswith(n + ".")]
            found.setdefault(max(parents, key=len, default=""), []).append(verdict)
    return {name: tuple(rows) for name, rows in found.items()}


def _row(
    report: Report, verdict: Verdict, single: Verdict, known: Mapping[str, Any], beside: tuple[Verdict, ...]
) -> Row:
    prefix = verdict.objective.split(".")[0]
    group = next((title for title, prefixes in GROUPS if prefix in prefixes), "Other")
    at_least = single.at_least or known.get("kind") in _AT_LEAST_KINDS
    word = verdict.result.value if verdict.result else verdict.state.replace("_", " ")
    tight = {
        "limit": limit_text(single, at_least, tight=True),
        "measured": measured_text(single, tight=True),
        "bounds": bounds_text(single, tight=True),
    }
    return Row(
        verdict=verdict,
        single=single,
        title=str(known.get("title") or verdict.objective),
        group=group,
        word=word,
        limit=limit_text(single, at_least),
        measured=measured_text(single),
        bounds=bounds_text(single),
        gap=gap_text(single, at_least),
        stage=stage_text(report, single),
        trials=_trials_text(report, verdict),
        alone="full trial only" if report.record.marks else "full trial missing",
        spread=_spread_text(report, verdict.objective, single),
        beside=beside,
        shown=shown_text(single, beside),
        tight=tight,
    )


def shown_text(verdict: Verdict, beside: Iterable[Verdict]) -> str:
    """Return what was measured although it is not judged, each stretch beside the others; "" when it was judged.

    "p95 in the worst minute 6.14 ms before the fault, 7 ms after recovery; 41 ms from the fault until it had settled".
    """
    if verdict.result is not None or verdict.value is None:
        return ""
    worst = [w for w in verdict.detail.get("worst_minutes", ()) if w["value_ms"] is not None]
    if not worst:
        return f"{measured_text(verdict)} in the least minute"
    label = f"p{verdict.detail['quantile'] * 100:g}"
    during = [v for v in beside if v.objective.startswith(f"{verdict.objective}.during_") and v.value is not None]
    rest = [f"; {measured_text(v)} {str(v.detail['label']).removeprefix(f'{label} ')}" for v in during]
    each = ", ".join(f"{quantity(w['value_ms'], 'ms')} {w['name']}" for w in worst)
    return f"{label} in the worst minute {each}{''.join(rest)}"


def limit_text(verdict: Verdict, at_least: bool = False, *, tight: bool = False) -> str:
    """Return the promise: "≤ 5 min", "> 10,000/s", "none"."""
    if verdict.limit is None:
        return "–"
    if verdict.limit == 0 and verdict.unit in ("", "1"):
        return "none" if tight else "none allowed"
    return ("> " if at_least else "≤ ") + quantity(verdict.limit, verdict.unit, tight=tight)


def measured_text(verdict: Verdict, *, tight: bool = False) -> str:
    """Return the value; when it never happened, how long it was waited for."""
    waited = _waited(verdict)
    if waited is not None:
        return "> " + quantity(waited, verdict.unit, tight=tight)
    if verdict.limit == 0 and verdict.unit in ("", "1") and verdict.value is not None:
        found = quantity(verdict.value, verdict.unit) if verdict.value else "none"
        return found if tight else f"{found} found"
    return quantity(verdict.value, verdict.unit, tight=tight)


def _waited(verdict: Verdict) -> float | None:
    """Return how long was waited for what never came, None when it came."""
    if verdict.result is None or (verdict.value is not None and recovered(verdict)):
        return None
    return verdict.value if verdict.value is not None else verdict.low


def bounds_text(verdict: Verdict, *, tight: bool = False) -> str:
    """Return the interval of the true value, nothing when it is a point or unknown."""
    if verdict.value is None or verdict.low == verdict.high or _waited(verdict) is not None:
        return ""
    text = interval(verdict.low, verdict.high, verdict.unit, tight=tight)
    ends = text.strip("[]").split(", ")
    if len(set(ends)) > 1:
        return text
    low, high, limit = verdict.low, verdict.high, verdict.limit
    if low is None or high is None or limit is None or not low < limit < high:
        return ""
    return f"[{low:.3f}, {high:.3f}] {verdict.unit}"  # the limit lies between ends that words do not tell apart


def gap_text(verdict: Verdict, at_least: bool = False) -> str:
    """Return by how much it is over or under the limit: "3 min 12 s over (64 %)"."""
    value = verdict.value if verdict.value is not None else verdict.low
    if value is None or verdict.limit is None or verdict.result is None:
        return ""
    difference = value - verdict.limit
    if verdict.limit == 0:
        return f"{quantity(value, verdict.unit)} too many" if value > 0 and verdict.unit in ("", "1") else ""
    prefix = "at least " if _waited(verdict) is not None else ""
    part = f" ({share(abs(difference / verdict.limit))})" if abs(difference) < 10 * verdict.limit else ""
    if difference == 0:
        return "exactly at the limit"
    words = ("over" if difference > 0 else "to spare") if not at_least else ("to spare" if difference > 0 else "short")
    return f"{prefix}{quantity(abs(difference), verdict.unit)} {words}{part}"


def longest_phase(verdict: Verdict) -> tuple[str, float, float] | None:
    """Return the stage that took most of the recovery: its name, its seconds, the seconds of all."""
    found = phases(verdict)
    total = sum(found.values())
    if not total:
        return None
    name = max(found, key=lambda n: found[n])
    return name, found[name], total


def stage_text(report: Report, verdict: Verdict) -> str:
    """Return which stage took the time, and which step of it.

    "act took 6 min 3 s of 8 min 12 s (74 %): carrying out the procedure, of it 5 min 6 s to “Promote the replica”".
    """
    if (longest := longest_phase(verdict)) is None:
        return ""
    name, seconds, total = longest
    part = share(round(seconds / total, 2))
    text = f"{name} took {duration(seconds)} of {duration(total)} ({part}): {PHASE_WORDS[name]}"
    if name == "act" and (step := longest_step(report, verdict)) is not None:
        text += f", of it {duration(step[1])} to “{step[0]}”"
    return text


def longest_step(report: Report, verdict: Verdict) -> tuple[str, float] | None:
    """Return the step that took longest before the recovery, and its seconds; None when no step is known."""
    steps = [s for s in verdict.detail.get("steps") or () if s.get("seconds")]
    if not steps:
        return None
    longest = max(steps, key=lambda s: float(s["seconds"]))
    return step_title(report.head, longest["procedure"], longest["step"]), float(longest["seconds"])


def _trials_text(report: Report, verdict: Verdict) -> str:
    """Return how many trials met it, and how the measured values are spread."""
    if not report.ensemble or verdict.result is None:
        return ""
    results = [r for t in report.ensemble.trials if (r := t.results.get(verdict.objective)) is not None]
    if not results:
        return ""
    met = results.count("PASS")
    bounds = trial_bounds(report, verdict.objective)
    between = f" [{percent(bounds[0], -1)}, {percent(bounds[1], 1)}]" if bounds else ""
    return f"met in {met} of {count(len(results), 'trial')}: {percent(met / len(results))}{between}"


def _spread_text(report: Report, objective: str, single: Verdict) -> str:
    """Return median and the value that the required share of trials stays within."""
    if not report.ensemble or not single.limit:  # a count of what must not be has no quantile worth a word
        return ""
    values = spread(report, objective)
    if not values:
        return ""
    middle, outer = (values[max(0, math.ceil(q * len(values)) - 1)] for q in (0.5, report.ensemble.met_in))
    words = "recovered" if single.unit == "s" and objective.startswith("rto.") else "measured"
    if math.isinf(outer):
        within = f"fewer than {share(report.ensemble.met_in)} at all"
    else:
        within = f"{share(report.ensemble.met_in)} within {quantity(outer, single.unit)}"
        if outer > single.limit:
            within += f", {quantity(outer - single.limit, single.unit)} over"
    return f"{words}: median {quantity(middle, single.unit)}, {within}"


def spread(report: Report, objective: str) -> list[float]:
    """Return measured values of an objective over the trials, ascending; a trial that never got there is infinite."""
    if not report.ensemble:
        return []
    trials = [t for t in report.ensemble.trials if t.results.get(objective) is not None]
    found = [t.values.get(objective) for t in trials]
    if all(v is None for v in found):
        return []
    return sorted(math.inf if v is None else v for v in found)


def trial_bounds(report: Report, objective: str) -> tuple[float, float] | None:
    """Return the bounds of the share of trials that met an objective, as the judge gave them."""
    if not report.ensemble:
        return None
    verdict = _main(report.ensemble.judgement.verdicts).get(objective)
    if verdict is not None and "share" in verdict.detail:
        return float(verdict.detail["low"]), float(verdict.detail["high"])
    if verdict is None or verdict.unit not in ("share", "%") or verdict.low is None or verdict.high is None:
        return None
    scale = 1.0 if verdict.unit == "share" else 100.0
    return verdict.low / scale, verdict.high / scale
