"""Load a scenario by name or path, with everything it names."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scenarios.errors import InvalidFileError, Problem
from scenarios.files import parameters as catalogue
from scenarios.files.crosscheck import crosscheck, limits
from scenarios.files.library import LIBRARY, find, folders, library_document, yaml_files
from scenarios.files.overrides import Target
from scenarios.files.parse import parse
from scenarios.files.resolved import Resolved
from scenarios.files.yaml import Document, read
from scenarios.model.objective import Objective, Objectives
from scenarios.model.parameters import Parameter, Parameters
from scenarios.model.procedure import Procedure
from scenarios.model.scenario import Scenario
from scenarios.model.topology import Topology

__all__ = ["LIBRARY", "defaults", "find", "load", "objectives"]


def load(name_or_path: str, *, paths: Sequence[Path] = (), overrides: Mapping[str, Any] | None = None) -> Resolved:
    """Load and check a scenario. `overrides` are dotted paths or parameter names to values, as `--set`.

    Raises InvalidFileError (a file is wrong) or UsageError (a name or an override is wrong).
    """
    document = read(find(name_or_path, "scenarios", paths))
    scenario = parse(Scenario, document)
    paths = [*paths, document.path.parent]
    topology_document = read(find(scenario.topology, "topologies", paths, where=document.where("topology")))
    topology = parse(Topology, topology_document)
    target = Target(document, topology_document, defaults(), catalogue.provenance(topology_document))
    target.apply(topology.parameters, topology_document, "parameters")
    target.apply(scenario.set, document, "set")
    target.apply(overrides or {}, None, "")
    if target.changed:
        topology, scenario = parse(Topology, topology_document), parse(Scenario, document)
    procedures = {
        n: parse(Procedure, d) for n, d in _procedures(scenario, topology, document, topology_document, paths).items()
    }
    parameters = Parameters({**target.parameters, **target.sizes})
    resolved = Resolved(scenario, topology, parameters, procedures, objectives(paths))
    if problems := crosscheck(resolved, document, topology_document):
        raise InvalidFileError(*problems)
    return resolved


def defaults() -> dict[str, Parameter]:
    """The library's catalogue of parameters, by name."""
    return catalogue.catalogue(library_document(LIBRARY / "parameters.yaml"))


def _procedures(
    scenario: Scenario, topology: Topology, document: Document, topology_document: Document, paths: Sequence[Path]
) -> dict[str, Document]:
    """Documents of the procedures that a scenario and its topology name."""
    named = {name: document.where(f"response.{index}") for index, name in enumerate(scenario.response)}
    named |= {e.change: document.where(f"timeline.{i}.change") for i, e in enumerate(scenario.timeline) if e.change}
    if topology.automation is not None:
        named.setdefault(topology.automation.procedure, topology_document.where("automation.procedure"))
    return {name: read(find(name, "procedures", paths, where=where)) for name, where in named.items()}


def objectives(paths: Sequence[Path] = ()) -> tuple[Objective, ...]:
    """All objectives: the runbook's, the house rules, and those in `objectives/` of the user's folders.

    Raises InvalidFileError for one without source, with limits that its kind does not take, or named twice.
    """
    own = [file for path in paths for file in yaml_files(path / "objectives")]
    files = dict.fromkeys([*yaml_files(folders("objectives")[-1]), *own])
    result: dict[str, Objective] = {}
    for file in files:
        document = library_document(file) if file.is_relative_to(LIBRARY) else read(file)
        result |= _objectives(document, result)
    return tuple(result.values())


def _objectives(document: Document, known: Iterable[str]) -> dict[str, Objective]:
    problems: list[Problem] = []
    result: dict[str, Objective] = {}
    for index, objective in enumerate(parse(Objectives, document).objectives):
        place = f"objectives.{index}"
        if (objective.runbook is None) == (objective.rationale is None):
            found = "no source" if objective.runbook is None else "two sources"
            problems.append(
                Problem(
                    document.where(place),
                    f"{found} for {objective.objective}",
                    "exactly one of `runbook` (a section) and `rationale`",
                    "Say who promises it, or why we ask for it.",
                )
            )
        if objective.objective in known or objective.objective in result:
            problems.append(
                Problem(
                    document.where(f"{place}.objective"),
                    f"`{objective.objective}` again",
                    "each objective once",
                    "Rename one.",
                )
            )
        problems += limits(objective, document, place)
        result[objective.objective] = objective
    if problems:
        raise InvalidFileError(*problems)
    return result
