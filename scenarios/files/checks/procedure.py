"""Checks of procedures: steps that can be carried out in order, on what the topology has."""

from scenarios.errors import Problem
from scenarios.files.checks.graph import cycle
from scenarios.files.findings import short
from scenarios.files.problems import at, unknown
from scenarios.files.resolved import Resolved
from scenarios.files.yaml import Document
from scenarios.model.faults import World
from scenarios.model.procedure import VERBS, Procedure, Step
from scenarios.model.topology import Topology

_APIS = ("kubernetes", "rds", "s3", "lambda")  # each in a region
_GLOBAL_APIS = ("route53", "route53-data")
_MOST = 1000
_OPTIONS = {"whole": f"a whole number from 0 to {_MOST}", "text": "text", "flag": "true or false"}


def apis(topology: Topology) -> list[str]:
    """Names of the control APIs that there are: those of each region, and the global ones."""
    return [*(f"{api}:{region}" for api in _APIS for region in topology.regions), *_GLOBAL_APIS]


def check_steps(procedure: Procedure, document: Document) -> list[Problem]:
    """Problems of a procedure alone: steps named twice, unknown or in a circle, and what their verbs take."""
    problems: list[Problem] = []
    ids = [step.id for step in procedure.steps]
    for index, step in enumerate(procedure.steps):
        place = f"steps.{index}"
        if step.id in ids[:index]:
            problems.append(at(document, f"{place}.id", f"step {step.id} again", "each step once", "Rename one."))
        for number, name in enumerate(step.after):
            if name not in ids:
                problems.append(unknown(document.where(f"{place}.after.{number}"), "step", name, ids))
        problems += _verb(step, place, document)
    return problems or _order(procedure, document)


def _order(procedure: Procedure, document: Document) -> list[Problem]:
    """Steps stand in the order in which they can be done; one that names no `after` follows the one above it."""
    steps = procedure.steps
    above = [(), *((step.id,) for step in steps)]
    after = {step.id: set(step.after or above[index]) for index, step in enumerate(steps)}
    if circle := cycle(after):
        found = f"a cycle of steps: {' -> '.join(circle)}"
        return [at(document, "steps", found, "steps without a cycle", "Remove one `after`.")]
    return [
        at(
            document,
            f"steps.{index}.after.{number}",
            f"{name}, which stands below {step.id}",
            "a step above it",
            "Move the step below those it waits for.",
        )
        for index, step in enumerate(steps)
        for number, name in enumerate(step.after)
        if name not in [s.id for s in steps[:index]]
    ]


def _verb(step: Step, place: str, document: Document) -> list[Problem]:
    kind = VERBS[step.verb]
    known = [name for name, taken in (("region", True), ("service", kind.service)) if taken]
    problems = [
        unknown(document.where(f"{place}.target.{key}"), f"target of {step.verb}", key, known)
        for key in step.target
        if key not in known
    ]
    if kind.region and "region" not in step.target:
        problems.append(
            at(document, place, f"no target for {step.verb}", "target.region", "Add `target: {region: ...}`.")
        )
    options = {option.name: option for option in kind.options}
    for name, value in step.options.items():
        where = f"{place}.with.{name}"
        if name not in options:
            problems.append(unknown(document.where(where), f"option of {step.verb}", name, options))
            continue
        if not _fits(value, options[name].kind):
            expected = _OPTIONS[options[name].kind]
            problems.append(at(document, where, short(value), expected, f"Write {expected}."))
    problems += [
        at(
            document,
            place,
            f"no `{name}` for {step.verb}",
            f"with.{name}: {option.title}",
            f"Add `with: {{{name}: ...}}`.",
        )
        for name, option in options.items()
        if option.needed and name not in step.options
    ]
    return problems


def _fits(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "flag"
    if isinstance(value, int):
        return kind == "whole" and 0 <= value <= _MOST
    return isinstance(value, str) and kind == "text"


def _played(resolved: Resolved, step: Step, place: str, document: Document) -> list[Problem]:
    """Every world that is to play the scenario must be able to do the step."""
    named: list[tuple[World, object]] = [
        ("twin", resolved.scenario.worlds.twin),
        ("kind", resolved.scenario.worlds.kind),
    ]
    return [
        at(
            document,
            f"{place}.verb",
            f"{step.verb}, which {world} cannot do",
            f"a verb that every world under `worlds` can do; {step.verb}: {', '.join(VERBS[step.verb].worlds)}",
            f"Leave `{world}` out of the scenario's `worlds`, or the step out.",
        )
        for world, section in named
        if section is not None and world not in VERBS[step.verb].worlds
    ]


def check_procedure(resolved: Resolved, procedure: Procedure, document: Document) -> list[Problem]:
    """Problems between a procedure and the topology and parameters it is carried out with."""
    topology, problems = resolved.topology, check_steps(procedure, document)
    there = apis(topology)
    known = {"region": set(topology.regions), "service": set(topology.services)}
    for index, step in enumerate(procedure.steps):
        place = f"steps.{index}"
        problems += _played(resolved, step, place, document)
        problems += [
            unknown(document.where(f"{place}.needs.{number}"), "API", api, there)
            for number, api in enumerate(step.needs)
            if api not in there
        ]
        problems += [
            unknown(document.where(f"{place}.target.{key}"), key, name, known[key])
            for key, name in step.target.items()
            if key in known and name not in known[key]
        ]
        if step.takes and step.takes not in resolved.parameters.by_name:
            problems.append(
                unknown(document.where(f"{place}.takes"), "parameter", step.takes, resolved.parameters.by_name)
            )
        replica = topology.database.replica_region
        reseeded = {s.target.get("region") for s in procedure.steps[:index] if s.verb == "reseed"}
        if step.verb == "promote" and step.target.get("region", replica) not in {replica, *reseeded}:
            found = f"a promotion in {step.target['region']}"
            expected = f"{replica}, where the replica is" if replica else "a topology with a replica"
            problems.append(at(document, f"{place}.target.region", found, expected, "Promote where the replica is."))
    return problems
