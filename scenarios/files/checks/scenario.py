"""Checks of a scenario against its topology and procedures: names, times, options, reasons."""

import math
from collections.abc import Iterable, Mapping

from scenarios.errors import Problem
from scenarios.files.checks.procedure import apis, check_procedure
from scenarios.files.checks.topology import check_topology
from scenarios.files.checks.trigger import check_trigger
from scenarios.files.problems import at, unknown
from scenarios.files.resolved import Resolved
from scenarios.files.yaml import Document
from scenarios.model.faults import FAULTS, Choice, FaultKind, World
from scenarios.model.scenario import Entry, Workload, Worlds
from scenarios.model.topology import Topology
from scenarios.model.units import duration

HISTORY_MOST = 1_000_000  # writes
_ON_THE_LINE = {"replication-stalled", "replication-delayed"}


def crosscheck(
    resolved: Resolved, scenario: Document, topology: Document, procedures: Mapping[str, Document]
) -> list[Problem]:
    """All problems between a scenario, its topology and its procedures; none if it can be played."""
    return [
        *check_topology(resolved.topology, topology),
        *_workload(resolved.scenario.workload, scenario),
        *_timeline(resolved, scenario),
        *_worlds(resolved, scenario),
        *(
            problem
            for name, procedure in resolved.procedures.items()
            for problem in check_procedure(resolved, procedure, procedures[name])
        ),
        *_response(resolved, scenario),
        *_not_judged(resolved, scenario),
    ]


def _workload(workload: Workload, document: Document) -> list[Problem]:
    problems = []
    if isinstance(workload.duration, int) and workload.duration > workload.at_most_us:
        expected, remedy = "a time up to `at most`", "Raise `at most`, or shorten `duration`."
        problems.append(at(document, "workload.duration", "more than `at most`", expected, remedy))
    history = workload.history
    if history is not None and history.covers_us > history.spacing_us * HISTORY_MOST:
        found = f"{history.covers_us // history.spacing_us:,} writes"
        remedy = "Space them wider; a tenth of the objective is enough."
        problems.append(at(document, "workload.history.spacing", found, f"at most {HISTORY_MOST:,}", remedy))
    return problems


def _worlds(resolved: Resolved, document: Document) -> list[Problem]:
    worlds = resolved.scenario.worlds
    if worlds.twin is None and worlds.kind is None and worlds.eks is None:
        remedy = "Add `twin: {trials: 200, met_in: 95 %}`."
        return [at(document, "worlds", "no world", "twin, kind or eks", remedy)]
    profile = resolved.scenario.workload.profile
    clusters = {"kind": worlds.kind, "eks": worlds.eks}
    named = [world for world, section in clusters.items() if section is not None and section.users is not None]
    remedy = "Leave `users` out: orders are then sent when they are due; or take `profile: steady`."
    expected = "a steady profile: each user sends at a pace of its own"
    return [
        at(document, f"worlds.{world}.users", f"users with the profile {profile}", expected, remedy)
        for world in named
        if profile != "steady"
    ]


def _timeline(resolved: Resolved, document: Document) -> list[Problem]:
    problems: list[Problem] = []
    scenario = resolved.scenario
    for index, entry in enumerate(scenario.timeline):
        place = f"timeline.{index}"
        if (entry.at_us is None) == (entry.when is None):
            found = "both `at` and `when`" if entry.when else "neither `at` nor `when`"
            problems.append(at(document, place, found, "exactly one of them", "Say when it happens."))
        if (entry.fault is None) == (entry.change is None):
            found = "both `fault` and `change`" if entry.fault else "neither `fault` nor `change`"
            problems.append(at(document, place, found, "exactly one of them", "Say what happens."))
        if entry.at_us is not None and entry.at_us >= _longest(scenario.workload)[0]:
            expected = f"a time before `{_longest(scenario.workload)[1]}` of the workload"
            remedy = "Move it, or let the run last longer."
            problems.append(at(document, f"{place}.at", "a time after the run's end", expected, remedy))
        problems += _ends(entry, scenario.workload, place, document)
        if entry.when:
            problems += check_trigger(resolved, entry.when, place, document)
        if entry.change is not None:
            problems += _change(resolved, entry, place, document)
        if entry.fault is not None and entry.fault not in FAULTS:
            problems.append(unknown(document.where(f"{place}.fault"), "fault", entry.fault, FAULTS))
        elif entry.fault is not None:
            kind = FAULTS[entry.fault]
            problems += _target(kind, entry, place, resolved.topology, document)
            problems += _options(kind, entry, place, document)
            problems += _pods(entry, place, resolved.topology, document)
            problems += _played(kind, resolved.scenario.worlds, place, document)
    return problems + _overlaps(scenario.timeline, document)


def _longest(workload: Workload) -> tuple[int, str]:
    """When the run ends at the latest, and the key that says so."""
    fixed = workload.duration if isinstance(workload.duration, int) else workload.at_most_us
    return min((workload.at_most_us, "at most"), (fixed, "duration"))


def _ends(entry: Entry, workload: Workload, place: str, document: Document) -> list[Problem]:
    """A fault that is to be lifted after the run's end never would be."""
    longest_us, key = _longest(workload)
    if entry.at_us is None or not isinstance(entry.until, int) or entry.at_us + entry.until <= longest_us:
        return []
    found = f"{duration(entry.until)} from {duration(entry.at_us)} on, after the run's end"
    expected = f"a time that is over by `{key}` of the workload, {duration(longest_us)}"
    remedy = "Shorten it, let the run last longer, or write `until: end`."
    return [at(document, f"{place}.until", found, expected, remedy)]


def _played(kind: FaultKind, worlds: Worlds, place: str, document: Document) -> list[Problem]:
    """Every world that is to play the scenario must be able to play the fault."""
    named: list[tuple[World, object]] = [("twin", worlds.twin), ("kind", worlds.kind)]
    return [
        at(
            document,
            f"{place}.fault",
            f"{kind.name}, which {world} cannot play",
            f"a fault that every world under `worlds` can play; {kind.name}: {', '.join(kind.worlds)}",
            f"Leave `{world}` out of `worlds`, or take another fault.",
        )
        for world, section in named
        if section is not None and world not in kind.worlds
    ]


def _change(resolved: Resolved, entry: Entry, place: str, document: Document) -> list[Problem]:
    procedure = resolved.procedures.get(entry.change or "")
    problems = []
    if procedure is not None and procedure.change is None:
        found, remedy = f"{entry.change}, which declares no change", "Add downtime, rollback and window to it."
        problems.append(at(document, f"{place}.change", found, "a procedure with `change:`", remedy))
    for key, given in (("until", entry.until is not None), ("target", entry.target), ("with", entry.options)):
        if given:
            expected = f"no `{key}`: the procedure of a change says it"
            problems.append(at(document, f"{place}.{key}", f"`{key}` for a change", expected, "Remove it."))
    return problems


def _target(kind: FaultKind, entry: Entry, place: str, topology: Topology, document: Document) -> list[Problem]:
    problems = [
        at(document, f"{place}.target", f"no {key} for {kind.name}", f"target.{key}", f"Say which {key}.")
        for key in kind.target
        if key not in entry.target
    ]
    known: dict[str, Iterable[str]] = {
        "region": topology.regions,
        "service": _services_of(kind, topology),
        "api": apis(topology),
    }
    for key, name in entry.target.items():
        where = document.where(f"{place}.target.{key}")
        if key not in kind.target:
            problems.append(unknown(where, f"target of {kind.name}", key, kind.target))
        elif key in known and name not in known[key]:
            problems.append(unknown(where, key, name, known[key]))
        elif key == "region" and name not in (there := _regions_of(kind, topology)):
            expected = f"one of {', '.join(there) or 'none: the topology has none'}"
            found = f"{name}, where {kind.name} finds nothing to hit"
            problems.append(Problem(where, found, expected, "Name a region that has it."))
    return problems


def _services_of(kind: FaultKind, topology: Topology) -> list[str]:
    """Services in which a kind of fault finds what it hits."""
    shown = [name for name, service in topology.services.items() if service.value_at_risk is not None]
    return shown if kind.name == "var-shock" else list(topology.services)


def _regions_of(kind: FaultKind, topology: Topology) -> list[str]:
    """Regions in which a kind of fault finds what it hits."""
    database = topology.database
    if kind.name in ("replication-stalled", "replication-delayed"):
        return [database.replica_region] if database.replica_region else []
    if kind.hits in ("database", "data"):
        return [database.home, *([database.replica_region] if database.replica_region else [])]
    return list(topology.monitoring.regions if kind.hits == "monitoring" else topology.regions)


def _options(kind: FaultKind, entry: Entry, place: str, document: Document) -> list[Problem]:
    problems = []
    known = {option.name: option for option in kind.options}
    for name, value in entry.options.items():
        where = document.where(f"{place}.with.{name}")
        if name not in known:
            problems.append(unknown(where, f"option of {kind.name}", name, known))
            continue
        option = known[name]
        if isinstance(option, Choice):
            if value not in option.words:
                problems.append(unknown(where, name, str(value), option.words))
            continue
        if (
            isinstance(value, str)
            or not option.least <= value <= option.most
            or (option.whole and value != round(value))
        ):
            what = "a whole number" if option.whole else "a number"
            expected = f"{what} from {option.least:g} to {option.most:g}: {option.title}"
            found = value if isinstance(value, str) else f"{value:g}"
            problems.append(Problem(where, found, expected, "Give one in this range."))
    if not kind.lifted and entry.until is not None:
        expected = "no `until`: it happens at an instant"
        problems.append(at(document, f"{place}.until", f"`until` for {kind.name}", expected, "Remove it."))
    if entry.until == 0:
        problems.append(at(document, f"{place}.until", "no time at all", "a time, or end", "Say how long it lasts."))
    return problems


def _pods(entry: Entry, place: str, topology: Topology, document: Document) -> list[Problem]:
    """A fault cannot hit more pods of a service than its plan has."""
    count, service = entry.options.get("count"), topology.services.get(entry.target.get("service", ""))
    if service is None or not isinstance(count, int | float) or count <= service.replicas:
        return []
    expected = f"at most {service.replicas}, the plan of {entry.target['service']}"
    return [at(document, f"{place}.with.count", f"{count:g} pods", expected, "Name fewer.")]


def _overlaps(timeline: Iterable[Entry], document: Document) -> list[Problem]:
    """Of two faults at once that share what they break, the second cannot be told apart, land, or be lifted alone."""
    problems = []
    seen: list[tuple[int, Entry, float, float]] = []
    for index, entry in enumerate(timeline):
        if entry.at_us is None or entry.fault not in FAULTS:
            continue
        start, end = _interval(entry)
        for other_index, other, other_start, other_end in seen:
            together = start == other_start or (start < other_end and other_start < end)
            if together and (shared := _shared(entry, other)):
                found = f"{entry.fault} while {other.fault} of entry {other_index} holds {shared}"
                remedy = "Move one, or give the first an `until`."
                problems.append(at(document, f"timeline.{index}", found, "times that do not overlap", remedy))
        seen.append((index, entry, start, end))
    return problems


def _shared(entry: Entry, other: Entry) -> str:
    """What two faults both break, in words; empty: they do not get into each other's way."""
    kinds = {entry.fault, other.fault}
    in_one_region = entry.target.get("region") == other.target.get("region")
    if len(kinds) == 1 and entry.target == other.target:
        return "the same target"
    if in_one_region and "region-loss" in kinds:
        return "the same target"
    if kinds <= _ON_THE_LINE:
        return "the one line that replication goes through"
    if in_one_region and kinds == {"cordon-drain"}:
        return "a node of that region, maybe the same"
    return ""


def _interval(entry: Entry) -> tuple[float, float]:
    """When a fault holds, half-open; without `until` one that is lifted holds until the end."""
    assert entry.at_us is not None, "an entry with a time"
    if isinstance(entry.until, int):
        return entry.at_us, entry.at_us + entry.until
    return entry.at_us, math.inf if FAULTS[entry.fault or "none"].lifted else entry.at_us


def _response(resolved: Resolved, document: Document) -> list[Problem]:
    """A procedure that nobody would start answers nothing."""
    automation = resolved.topology.automation
    problems = []
    for index, name in enumerate(resolved.scenario.response):
        if name in resolved.scenario.response[:index]:
            problems.append(at(document, f"response.{index}", f"{name} again", "each procedure once", "Remove one."))
        starts = resolved.procedures[name].starts
        if starts == "automation-detects" and (automation is None or automation.procedure != name):
            found = f"{name}, which no automation starts"
            expected = "the procedure that the topology's `automation` names"
            problems.append(at(document, f"response.{index}", found, expected, "Name it there, or leave it out."))
    return problems


def _not_judged(resolved: Resolved, document: Document) -> list[Problem]:
    known = [objective.objective for objective in resolved.objectives]
    problems = []
    for name, reason in resolved.scenario.not_judged.items():
        place = f"not_judged.{name}"
        if name not in known:
            problems.append(unknown(document.where(place), "objective", name, known))
        elif not reason.strip():
            problems.append(at(document, place, "no reason", "a reason", "Say why it is not judged."))
    return problems
