"""What `show` and `explain` say, as plain tables and paragraphs; the command line draws them."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenarios.errors import Problem, UsageError
from scenarios.files import words
from scenarios.files.explain import meaning
from scenarios.files.load import objectives
from scenarios.files.planned import Planned
from scenarios.files.resolved import Resolved
from scenarios.model.faults import FAULTS, Option
from scenarios.model.objective import Objective
from scenarios.model.parameters import TAGS, Parameter
from scenarios.model.procedure import Procedure
from scenarios.model.scenario import Entry
from scenarios.model.topology import (
    Call,
    Database,
    DrawnTime,
    Monitoring,
    Queue,
    Region,
    Service,
    Topology,
)
from scenarios.model.units import duration

_STARTS = {
    "automation-detects": "when the automation has seen enough failures",
    "page-answered": "when the page was answered and the commander has decided",
    "change-window": "in its change window",
    "when-named": "when the timeline names it",
}


@dataclass(frozen=True)
class Section:
    """A titled table of text; without a heading for its columns it is a list."""

    title: str
    rows: tuple[tuple[str, ...], ...]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """What an objective promises, where it is promised, and how it is measured."""

    objective: str
    title: str
    limit: str
    source: str
    definition: str
    measured: str
    exercised: str
    inconclusive: str


def show(resolved: Resolved, plan: Iterable[Planned], changes: Mapping[str, Any]) -> list[Section]:
    """Sections of `gameday show SCENARIO`: what happens when, who answers, on what, and what is judged.

    `changes` are those of `--set`, which come on top of the scenario's own.
    """
    scenario = resolved.scenario
    about = [
        ("about", scenario.tests),
        *(("runbook", section) for section in scenario.runbook),
        ("worlds", ", ".join(n for n in ("twin", "kind", "eks") if getattr(scenario.worlds, n) is not None)),
        ("digests", f"scenario {resolved.scenario_digest[:12]}, topology {resolved.topology_digest[:12]}"),
    ]
    answers = [row for n in scenario.response for row in _answer(resolved, n, resolved.procedures[n])]
    changed = tuple((name, str(value)) for name, value in {**scenario.set, **changes}.items())
    happens = (("0 s", f"load: {words.load(scenario.workload)}"), *(_happens(e) for e in scenario.timeline))
    sections = [
        Section(f"{scenario.scenario}: {scenario.title}", tuple(row for row in about if row[1])),
        Section("What happens", happens),
        Section("Who answers", tuple(answers) or (("nobody", "what repairs itself does"),)),
        Section("Changed here", changed),
        Section(f"On topology {resolved.topology.topology}: {resolved.topology.title}", tuple(_topology(resolved))),
        *_objectives(plan),
    ]
    return [section for section in sections if section.rows]


def _happens(entry: Entry) -> tuple[str, str]:
    if entry.when is not None:
        subject = f" of {entry.when.subject}" if entry.when.subject else ""
        after = f"{duration(entry.when.after_us)} after " if entry.when.after_us else "when "
        when = f"{after}{entry.when.mark}{subject}"
    else:
        when = duration(entry.at_us or 0)
    if entry.fault is None:
        return when, f"change: {entry.change}"
    kind = FAULTS[entry.fault]
    sizes = {option.name: option.default for option in kind.options if isinstance(option, Option)}
    options = (
        f"{name} {value if isinstance(value, str) else f'{value:g}'}" for name, value in (sizes | entry.options).items()
    )
    details = [*entry.target.values(), *options]
    ends = {
        None: "until a procedure or the system itself ends it" if kind.lifted else "",
        "end": "until the judged interval is over",
    }
    lasts = f"for {duration(entry.until)}" if isinstance(entry.until, int) else ends[entry.until]
    return when, ", ".join(part for part in (f"{kind.name} ({', '.join(details)}): {kind.title}", lasts) if part)


def _answer(resolved: Resolved, name: str, procedure: Procedure) -> list[tuple[str, str]]:
    rows = [(name, f"{procedure.title}; {procedure.actor}, {_STARTS[procedure.starts]}")]
    for number, step in enumerate(procedure.steps, 1):
        known = resolved.parameters.by_name.get(step.takes or "")
        details = [*([f"needs {', '.join(step.needs)}"] if step.needs else [])]
        details += [f"takes {words.value(known)}"] if known else []
        rows.append((f"  step {number}", "; ".join([step.title, *details])))
    return rows


def _topology(resolved: Resolved) -> list[tuple[str, str]]:
    topology = resolved.topology
    return [
        *((name, _region(region)) for name, region in topology.regions.items()),
        ("an order", _path(topology.calls)),
        *((name, _service(service)) for name, service in topology.services.items()),
        ("database", _database(topology.database)),
        *(
            (name, f"copied each {duration(copy.interval_us)}, written each {duration(copy.write_spacing_us)}")
            for name, copy in topology.database.copies.items()
        ),
        ("clients", _clients(topology)),
        ("monitoring", _monitoring(topology.monitoring)),
        *((rule.alert, f"{rule.intended} for {duration(rule.for_us)}") for rule in topology.monitoring.alerts),
        ("automation", _automation(topology)),
        ("people", _people(topology)),
    ]


def _region(region: Region) -> str:
    stands = {
        "active": "serves users with the full plan",
        "pilot-light": "stands by without pods",
        "warm": f"stands by with {words.count(region.warm_replicas, 'pod')} of each service",
    }[region.role]
    nodes = words.count(region.nodes, "node")
    grows = "" if region.provisioner == "none" else f", up to {region.node_quota} by {region.provisioner}"
    return f"{stands}; {nodes} of {region.node_cpu:g} vCPU in {words.count(region.zones, 'zone')}{grows}"


def _path(calls: Sequence[Call]) -> str:
    next_call = {call.caller: call for call in calls}
    parts, name = ["client"], "client"
    while name in next_call:
        call = next_call[name]
        name = call.callee
        parts.append(f"-> {name} ({call.mode}, {call.balancer}{_policies(call)})")
    return " ".join(parts)


def _policies(call: Call) -> str:
    found = [
        f"timeout {duration(call.timeout_us)}" if call.timeout_us else "",
        f"at most {call.retries} retries" if call.retries else "",
        f"budget {call.budget * 100:g} %" if call.budget is not None else "",
        f"breaker at {call.breaker.threshold * 100:g} % of {call.breaker.window}" if call.breaker else "",
        f"pool of {call.pool} a pod" if call.pool else "",
    ]
    return "".join(f", {policy}" for policy in found if policy)


def _service(service: Service) -> str:
    own = f"own work {duration(service.own.mean_us)} in the mean, log-sd {service.own.sigma:g}"
    size = f"{words.count(service.replicas, 'pod')} of {service.slots} slots and {service.cpu:g} vCPU"
    serving = f"; serving: {service.probe.serving}" if service.probe.serving else ""
    return f"{size}; {own}; queue of {service.queue.capacity} for {_patience(service.queue)}{serving}"


def _patience(queue: Queue) -> str:
    match queue.patience_us:
        case int(fixed_us):
            return duration(fixed_us)
        case DrawnTime(lognormal=(median_us, sigma)):
            return f"a lognormal time, {duration(median_us)} in the median, log-sd {sigma:g}"
        case DrawnTime(exponential_us=mean_us):
            return f"an exponential time, {duration(mean_us or 0)} in the mean"


def _database(database: Database) -> str:
    standby = " with a standby in another zone" if database.multi_az else ""
    replica = f", an asynchronous replica in {database.replica_region}" if database.replica_region else ", no replica"
    size = (
        f"{database.slots} connections and {database.cpu:g} vCPU, own work {duration(database.own.mean_us)} in the mean"
    )
    backups = f"snapshot at {words.time_of_day(database.snapshot_at_s)}, logs each {duration(database.log_upload_us)}"
    return f"primary in {database.home}{standby}{replica}; {size}; {backups}"


def _clients(topology: Topology) -> str:
    ignoring = f"{topology.client.ignore_ttl * 100:g} % of {topology.client.count} ignore it"
    moves = "; a health check moves the name" if topology.dns.health_check_failover else ""
    return f"reach the system through DNS with a TTL of {duration(topology.dns.ttl_us)}; {ignoring}{moves}"


def _monitoring(monitoring: Monitoring) -> str:
    every = f"scrapes each {duration(monitoring.scrape_us)}, evaluates each {duration(monitoring.evaluation_us)}"
    where = " and in ".join(monitoring.regions)
    return f"a Prometheus in {where}, {every}, group_wait {duration(monitoring.group_wait_us)}"


def _automation(topology: Topology) -> str:
    automation = topology.automation
    if automation is None:
        return "none"
    broken = "" if automation.working else "; it is broken and nobody knows"
    watch = f"polls each {duration(automation.poll_us)}, acts after {words.count(automation.failures, 'failure')}"
    return f"runs in {automation.region}, {watch}, carries out {automation.procedure}{broken}"


def _people(topology: Topology) -> str:
    people = topology.people
    decide = words.count(people.incident_commanders, "incident commander")
    type_ = words.count(people.technical_leads, "technical lead")
    return f"{decide}, {type_}; paged in the order {', '.join(people.levels)}"


def _objectives(plan: Iterable[Planned]) -> list[Section]:
    rows = list(plan)
    titles = {
        "judged": "Judged",
        "judged if": "Judged if",
        "not judged": "Not judged",
        "not exercised": "Not exercised",
    }
    columns = ("objective", "limit", "why")
    return [
        Section(
            f"{title} ({sum(row.state == state for row in rows)} of {len(rows)} objectives)",
            tuple((r.objective.objective, words.limit(r.objective), r.reason) for r in rows if r.state == state),
            columns,
        )
        for state, title in titles.items()
    ]


def parameters(resolved: Resolved, match: str = "") -> Section:
    """Table of `gameday show SCENARIO --parameters`: value, range, tag and source of each default.

    `match`: part of a name, or a tag. Raises UsageError when nothing matches.
    """
    found = [p for p in resolved.parameters.by_name.values() if match in ("", p.tag) or match in p.name]
    if not found:
        names = difflib.get_close_matches(match, resolved.parameters.by_name, n=1)
        hint = f"Did you mean `{names[0]}`?" if names else "Leave it out to see all."
        raise UsageError(Problem("--match", f"`{match[:80]}`", "part of a parameter's name, or a tag", hint))
    rows = tuple((p.name, words.written(p), words.held_across(p), p.tag, sourced(p)) for p in found)
    return Section(f"Parameters ({len(rows)})", rows, ("name", "value", "range", "tag", "source"))


def tags() -> Section:
    """What the tags of parameters mean."""
    return Section("Tags", tuple(TAGS.items()))


def sourced(parameter: Parameter) -> str:
    """Return where a parameter comes from, and why it is what it is."""
    return f"{parameter.source}; {parameter.why}" if parameter.why else parameter.source


def promises(paths: Sequence[Path] = ()) -> Section:
    """All objectives with their limits, for `gameday explain` without a name."""
    rows = tuple((o.objective, words.limit(o), o.title) for o in objectives(paths))
    return Section(f"Objectives ({len(rows)})", rows, ("objective", "limit", "title"))


def explain(name: str, paths: Sequence[Path] = ()) -> Explanation:
    """Explain one objective. Raises UsageError naming what is near."""
    known = {o.objective: o for o in objectives(paths)}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean `{near[0]}`?" if near else "`gameday explain` without a name lists them."
        raise UsageError(Problem("OBJECTIVE", f"`{name[:80]}`", f"one of {', '.join(known)}", hint))
    return explained(known[name])


def explained(objective: Objective) -> Explanation:
    """Return what an objective means, in words."""
    told = meaning(objective)
    return Explanation(
        objective.objective,
        objective.title,
        words.limit(objective),
        words.source(objective),
        told.definition,
        told.measured,
        told.exercised,
        told.inconclusive,
    )
