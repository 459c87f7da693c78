"""What `show` and `explain` say, as plain tables and paragraphs; the command line draws them."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scenarios.errors import Problem, UsageError
from scenarios.files.explain import MEANINGS, Meaning
from scenarios.files.load import objectives
from scenarios.files.resolved import Resolved
from scenarios.model.objective import Objective
from scenarios.model.parameters import TAGS, Parameter
from scenarios.model.scenario import Entry, Workload
from scenarios.model.units import duration


@dataclass(frozen=True)
class Section:
    """A titled table of text; a section of one column is a list."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Explanation:
    """What an objective promises, where it is promised, and how it is measured."""

    objective: str
    title: str
    limit: str
    source: str
    definition: str
    measured: str


def show(resolved: Resolved) -> list[Section]:
    """Sections of `gameday show SCENARIO`: what it is about, what happens, who answers, what is promised."""
    scenario, topology = resolved.scenario, resolved.topology
    about = [
        ("title", scenario.title),
        ("tests", scenario.tests),
        ("runbook", "; ".join(scenario.runbook)),
        ("topology", f"{topology.topology}: {topology.title}"),
        ("load", load_words(scenario.workload)),
        ("worlds", ", ".join(n for n in ("twin", "kind", "eks") if getattr(scenario.worlds, n) is not None)),
        ("digest", f"scenario {resolved.scenario_digest[:12]}, topology {resolved.topology_digest[:12]}"),
    ]
    timeline = tuple((_when(e), e.fault or f"change {e.change}", _target(e), _until(e)) for e in scenario.timeline)
    steps = tuple(
        (name, procedure.actor, str(number), step.title, ", ".join(step.needs), step.takes or "")
        for name, procedure in resolved.procedures.items()
        if name in scenario.response
        for number, step in enumerate(procedure.steps, 1)
    )
    promised = tuple(
        (o.objective, limit(o), o.runbook or f"house rule: {o.rationale}", scenario.not_judged.get(o.objective, ""))
        for o in resolved.objectives
    )
    changed = tuple((n, str(v)) for n, v in scenario.set.items())
    sections = [
        Section("Scenario", ("", ""), tuple(about)),
        Section("Timeline", ("when", "what", "target", "until"), timeline),
        Section("Response", ("procedure", "actor", "step", "does", "needs", "takes"), steps),
        Section("Changed here", ("key", "value"), changed),
        Section("Objectives", ("objective", "limit", "source", "not judged because"), promised),
    ]
    return [s for s in sections if s.rows]


def parameters(resolved: Resolved) -> Section:
    """Table of `gameday show SCENARIO --parameters`: value, range, tag and source of each default."""
    rows = tuple((p.name, value(p), held_across(p), p.tag, _source(p)) for p in resolved.parameters.by_name.values())
    return Section("Parameters", ("name", "value", "range", "tag", "source"), rows)


def tags() -> Section:
    """What the tags of parameters mean."""
    return Section("Tags", ("tag", "means"), tuple(TAGS.items()))


def explain(name: str, paths: Sequence[Path] = ()) -> Explanation:
    """Explain one objective. Raises UsageError naming what is near."""
    known = {o.objective: o for o in objectives(paths)}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean `{near[0]}`?" if near else "`gameday explain` without a name lists them."
        raise UsageError(Problem("OBJECTIVE", f"`{name[:80]}`", f"one of {', '.join(known)}", hint))
    objective = known[name]
    meaning: Meaning = MEANINGS.get(name) or MEANINGS[objective.kind]
    source = f"runbook, {objective.runbook}" if objective.runbook else f"house rule: {objective.rationale}"
    return Explanation(name, objective.title, limit(objective), source, meaning.definition, meaning.measured)


def limit(objective: Objective) -> str:
    """Return the limit as a person writes it.

    >>> limit(Objective(objective="rto.risk", kind="recovery_time", subject="risk", title="", limit_us=300_000_000))
    'at most 5 min'
    """
    if objective.limit_per_s is not None:
        lasts = f" for {duration(objective.lasts_us)}" if objective.lasts_us else ""
        return f"more than {objective.limit_per_s:,.0f}/s{lasts}"
    if objective.quantile is not None and objective.limit_us is not None:
        return f"p{objective.quantile * 100:g} below {duration(objective.limit_us)}"
    if objective.limit_us is not None:
        return f"at most {duration(objective.limit_us)}"
    return "never broken"


def value(parameter: Parameter) -> str:
    """Return a parameter's value as a person writes it."""
    numbers = [_quantity(v, parameter.unit) for v in parameter.values]
    if parameter.kind == "uniform":
        return f"{numbers[0]} to {numbers[1]}, uniform"
    if parameter.kind == "lognormal":
        return f"median {numbers[0]}, log-sd {parameter.values[1]:g}"
    return numbers[0]


def held_across(parameter: Parameter) -> str:
    """Return the range that a verdict must hold across; empty if it has none."""
    if parameter.low is None or parameter.high is None:
        return ""
    words = f"{_quantity(parameter.low, parameter.unit)} to {_quantity(parameter.high, parameter.unit)}"
    if parameter.sigma_low is not None and parameter.sigma_high is not None:
        words += f"; log-sd {parameter.sigma_low:g} to {parameter.sigma_high:g}"
    return words


def _quantity(number: float, unit: str) -> str:
    words = {"us": duration(number), "share": f"{number * 100:g} %", "1/s": f"{number:g}/s", "vCPU": f"{number:g} vCPU"}
    return ("on" if number else "off") if unit == "switch" else words.get(unit, f"{number:g}")


def _source(parameter: Parameter) -> str:
    return f"{parameter.source}; {parameter.why}" if parameter.why else parameter.source


def load_words(workload: Workload) -> str:
    """Return the offered load in words."""
    lasts = workload.duration if isinstance(workload.duration, str) else f"for {duration(workload.duration)}"
    return (
        f"{workload.profile}, {workload.rate_per_s:,.0f} new orders/s, {lasts}, at most {duration(workload.at_most_us)}"
    )


def _when(entry: Entry) -> str:
    if entry.when is not None:
        after = f" + {duration(entry.when.after_us)}" if entry.when.after_us else ""
        return f"{entry.when.mark}{f' of {entry.when.subject}' if entry.when.subject else ''}{after}"
    return duration(entry.at_us or 0)


def _target(entry: Entry) -> str:
    options = [f"{key} {option}" for key, option in entry.options.items()]
    return ", ".join([*(f"{key} {name}" for key, name in entry.target.items()), *options])


def _until(entry: Entry) -> str:
    return f"for {duration(entry.until)}" if isinstance(entry.until, int) else entry.until or ""
