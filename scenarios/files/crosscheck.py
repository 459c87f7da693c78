"""Checks across files: names that must exist, times that must not overlap, limits that a kind needs."""

import math
from collections.abc import Iterable

from scenarios.errors import Problem
from scenarios.files.graph import calls, cycle
from scenarios.files.problems import unknown
from scenarios.files.resolved import Resolved
from scenarios.files.yaml import Document
from scenarios.model.faults import FAULTS
from scenarios.model.objective import Objective
from scenarios.model.procedure import Procedure
from scenarios.model.scenario import Entry
from scenarios.model.topology import Topology
from scenarios.record.kinds import KINDS

_APIS = ("kubernetes", "rds", "s3", "lambda")  # each in a region
_GLOBAL_APIS = ("route53", "route53-data")
_LIMITS = {
    "recovery_time": {"limit"},
    "data_loss": {"limit"},
    "latency": {"limit", "quantile"},
    "throughput": {"more than"},
    "detection": {"limit"},
    "response": {"limit"},
    "change": {"limit"},
    "load_test": {"more than", "lasts"},
    "house_rule": set[str](),
    "integrity": set[str](),
}


def crosscheck(resolved: Resolved, scenario: Document, topology: Document) -> list[Problem]:
    """All problems between a scenario, its topology and its procedures; none if it can be played."""
    return [
        *check_topology(resolved.topology, topology),
        *_timeline(resolved, scenario),
        *_worlds(resolved, scenario),
        *(p for name, procedure in resolved.procedures.items() for p in _procedure(resolved, name, procedure)),
        *_not_judged(resolved, scenario),
    ]


def limits(objective: Objective, document: Document, place: str) -> list[Problem]:
    """Problems of an objective whose limits are not those of its kind."""
    values = {
        "limit": objective.limit_us,
        "more than": objective.limit_per_s,
        "quantile": objective.quantile,
        "lasts": objective.lasts_us,
    }
    given, needed = {k for k, v in values.items() if v is not None}, _LIMITS[objective.kind]
    name = objective.objective
    missing = [
        Problem(
            document.where(place),
            f"no `{key}` for {name}",
            f"`{key}`: a {objective.kind} is judged by it",
            f"Add `{key}:`.",
        )
        for key in sorted(needed - given)
    ]
    return missing + [
        Problem(
            document.where(f"{place}.{key}"),
            f"`{key}` for {name}",
            f"no `{key}`: a {objective.kind} has none",
            "Remove it.",
        )
        for key in sorted(given - needed)
    ]


def check_topology(topology: Topology, document: Document) -> list[Problem]:
    """Problems of a topology alone: call graph, regions, names of alerts."""
    database = topology.database
    named = {"database.home": database.home}
    if database.replica_region:
        named["database.replica_region"] = database.replica_region
    if topology.automation:
        named["automation.region"] = topology.automation.region
    named |= {f"monitoring.regions.{i}": r for i, r in enumerate(topology.monitoring.regions)}
    problems = [
        unknown(document.where(k), "region", r, topology.regions) for k, r in named.items() if r not in topology.regions
    ]
    if database.replica_region == database.home:
        problems.append(
            Problem(
                document.where("database.replica_region"),
                "the primary's own region",
                "another region, or null",
                "Name another.",
            )
        )
    for name, region in topology.regions.items():
        if region.nodes > region.node_quota:
            problems.append(
                Problem(
                    document.where(f"regions.{name}.nodes"),
                    f"{region.nodes} nodes",
                    f"at most the quota, {region.node_quota}",
                    "Raise `node_quota`, or start with fewer nodes.",
                )
            )
    if "database" in topology.services:
        problems.append(
            Problem(
                document.where("services.database"),
                "a service `database`",
                "another name",
                "The database has its own section.",
            )
        )
    seen: set[str] = set()
    for index, rule in enumerate(topology.monitoring.alerts):
        if rule.alert in seen:
            problems.append(
                Problem(
                    document.where(f"monitoring.alerts.{index}"),
                    f"alert {rule.alert} again",
                    "each alert once",
                    "Rename one.",
                )
            )
        seen.add(rule.alert)
    return [*calls(topology, document), *problems]


def _worlds(resolved: Resolved, document: Document) -> list[Problem]:
    worlds = resolved.scenario.worlds
    if worlds.twin is None and worlds.kind is None and worlds.eks is None:
        return [
            Problem(
                document.where("worlds"), "no world", "twin, kind or eks", "Add `twin: {trials: 200, met_in: 95 %}`."
            )
        ]
    return []


def _timeline(resolved: Resolved, document: Document) -> list[Problem]:
    problems: list[Problem] = []
    scenario = resolved.scenario
    for index, entry in enumerate(scenario.timeline):
        place = f"timeline.{index}"
        where = document.where(place)
        if (entry.at_us is None) == (entry.when is None):
            problems.append(
                Problem(where, "both or none of `at` and `when`", "exactly one of them", "Say when it happens.")
            )
        if (entry.fault is None) == (entry.change is None):
            problems.append(
                Problem(where, "both or none of `fault` and `change`", "exactly one of them", "Say what happens.")
            )
        if entry.at_us is not None and entry.at_us >= scenario.workload.at_most_us:
            problems.append(
                Problem(
                    document.where(f"{place}.at"),
                    "a time after the run's end",
                    "a time before `at most` of the workload",
                    "Move it, or let the run last longer.",
                )
            )
        if entry.when and entry.when.mark not in KINDS:
            problems.append(unknown(document.where(f"{place}.when.mark"), "mark", entry.when.mark, KINDS))
        if entry.change is not None and (p := resolved.procedures.get(entry.change)) and p.change is None:
            problems.append(
                Problem(
                    document.where(f"{place}.change"),
                    f"{entry.change}, which declares no change",
                    "a procedure with `change:`",
                    "Add downtime, rollback and window to it.",
                )
            )
        if entry.fault is not None:
            problems.extend(_fault(entry, place, resolved.topology, document))
    return problems + _overlaps(scenario.timeline, document)


def _fault(entry: Entry, place: str, topology: Topology, document: Document) -> list[Problem]:
    assert entry.fault is not None
    if entry.fault not in FAULTS:
        return [unknown(document.where(f"{place}.fault"), "fault", entry.fault, FAULTS)]
    kind = FAULTS[entry.fault]
    problems = [
        Problem(document.where(f"{place}.target"), f"no {key}", f"target.{key}", f"Say which {key}.")
        for key in kind.target
        if key not in entry.target
    ]
    apis = [*(f"{a}:{r}" for a in _APIS for r in topology.regions), *_GLOBAL_APIS]
    known: dict[str, Iterable[str]] = {"region": topology.regions, "service": topology.services, "api": apis}
    for key, name in entry.target.items():
        if key not in kind.target:
            problems.append(unknown(document.where(f"{place}.target.{key}"), "target key", key, kind.target))
        elif key in known and name not in known[key]:
            problems.append(unknown(document.where(f"{place}.target.{key}"), key, name, known[key]))
    for option, value in entry.options.items():
        where = document.where(f"{place}.with.{option}")
        if option not in kind.options:
            problems.append(unknown(where, "option", option, kind.options))
        elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e6:
            problems.append(Problem(where, repr(value)[:60], "a number that is not negative", "Write a plain number."))
    if not kind.lifted and entry.until is not None:
        where = document.where(f"{place}.until")
        problems.append(
            Problem(where, f"`until` for {kind.name}", "no `until`: it happens at an instant", "Remove it.")
        )
    return problems


def _overlaps(timeline: Iterable[Entry], document: Document) -> list[Problem]:
    """The same fault on the same target twice at once cannot be told apart; in a lost region nothing else can land."""
    problems = []
    seen: list[tuple[int, Entry, float, float]] = []
    for index, entry in enumerate(timeline):
        if entry.at_us is None or entry.fault not in FAULTS:
            continue
        start, end = _interval(entry)
        for other_index, other, other_start, other_end in seen:
            if not (start == other_start or (start < other_end and other_start < end)):
                continue
            lost = "region-loss" in (entry.fault, other.fault) and entry.target.get("region") == other.target.get(
                "region"
            )
            if lost or (other.fault == entry.fault and other.target == entry.target):
                problems.append(
                    Problem(
                        document.where(f"timeline.{index}"),
                        f"{entry.fault} while {other.fault} of entry {other_index} holds the same target",
                        "times that do not overlap",
                        "Move one, or give the first an `until`.",
                    )
                )
        seen.append((index, entry, start, end))
    return problems


def _interval(entry: Entry) -> tuple[float, float]:
    """When a fault holds, half-open; without `until` one that is lifted holds until the end."""
    assert entry.at_us is not None and entry.fault is not None
    if isinstance(entry.until, int):
        return entry.at_us, entry.at_us + entry.until
    return entry.at_us, math.inf if FAULTS[entry.fault].lifted else entry.at_us


def _procedure(resolved: Resolved, name: str, procedure: Procedure) -> list[Problem]:
    topology = resolved.topology
    problems = check_steps(name, procedure)
    apis = {*(f"{a}:{r}" for a in _APIS for r in topology.regions), *_GLOBAL_APIS}
    known = {"region": set(topology.regions), "service": {*topology.services, "database"}}
    for step in procedure.steps:
        where = f"procedure {name}, step {step.id}"
        problems += [unknown(where, "API", api, apis) for api in step.needs if api not in apis]
        problems += [unknown(where, k, v, known[k]) for k, v in step.target.items() if k in known and v not in known[k]]
        problems += [unknown(where, "target key", k, known) for k in step.target if k not in known]
        if step.takes and step.takes not in resolved.parameters.by_name:
            problems.append(unknown(where, "parameter", step.takes, resolved.parameters.by_name))
    return problems


def check_steps(name: str, procedure: Procedure) -> list[Problem]:
    """Problems of a procedure alone: steps named twice, unknown or in a circle."""
    problems = []
    ids = [step.id for step in procedure.steps]
    for step in procedure.steps:
        where = f"procedure {name}, step {step.id}"
        problems += [unknown(where, "step", a, ids) for a in step.after if a not in ids]
    for again in sorted({i for i in ids if ids.count(i) > 1}):
        problems.append(Problem(f"procedure {name}", f"step {again} twice", "each step once", "Rename one."))
    if circle := cycle({step.id: set(step.after) & set(ids) for step in procedure.steps}):
        problems.append(
            Problem(
                f"procedure {name}",
                f"a cycle of steps: {' -> '.join(circle)}",
                "steps without a cycle",
                "Remove one `after`.",
            )
        )
    return problems


def _not_judged(resolved: Resolved, document: Document) -> list[Problem]:
    known = [o.objective for o in resolved.objectives]
    problems = [
        unknown(document.where(f"not_judged.{n}"), "objective", n, known)
        for n in resolved.scenario.not_judged
        if n not in known
    ]
    problems += [
        Problem(document.where(f"not_judged.{n}"), "no reason", "a reason", "Say why it is not judged.")
        for n, reason in resolved.scenario.not_judged.items()
        if not reason.strip()
    ]
    return problems
