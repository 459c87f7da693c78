"""Load a scenario by name or path, with everything it names."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scenarios.errors import InvalidFileError, Problem, UsageError
from scenarios.files import parameters as catalogue
from scenarios.files.checks.objective import check_objectives
from scenarios.files.checks.scenario import crosscheck
from scenarios.files.library import LIBRARY, find, folders, library_document, neighbours, yaml_files
from scenarios.files.overrides import Target
from scenarios.files.parse import parse
from scenarios.files.resolved import Asked, Resolved
from scenarios.files.yaml import Document, read
from scenarios.model.objective import Objective, Objectives
from scenarios.model.parameters import Parameter, Parameters
from scenarios.model.procedure import Procedure
from scenarios.model.scenario import Scenario, Worlds
from scenarios.model.topology import Topology
from scenarios.model.units import duration

__all__ = ["LIBRARY", "defaults", "find", "load", "objectives"]


# Keys of a cluster's section under `worlds`, and what each replaces in the scenario.
_REPLACED = {"topology": "topology", "rate": "workload.rate", "at most": "workload.at most"}


def load(
    name_or_path: str,
    *,
    paths: Sequence[Path] = (),
    overrides: Mapping[str, Any] | None = None,
    world: str = "twin",
) -> Resolved:
    """Load and check a scenario as a world plays it. `overrides` are dotted paths or parameter names, as `--set`.

    A cluster's section under `worlds` may bring a topology, a rate and a limit of its own.

    Raises InvalidFileError (a file is wrong) or UsageError (a name, an override or the world is wrong).
    """
    document = read(find(name_or_path, "scenarios", paths))
    scenario = parse(Scenario, document)
    if world != "twin":
        _as_played_in(world, scenario, document)
        scenario = parse(Scenario, document)
    paths = [*paths, *neighbours(document.path)]
    topology_document = read(
        find(scenario.topology, "topologies", paths, where=document.where("topology")), sourced=True
    )
    topology = parse(Topology, topology_document)
    target = Target(document, topology_document, defaults(), catalogue.provenance(topology_document))
    target.apply(topology.parameters, topology_document, "parameters")
    target.apply(scenario.set, document, "set")
    target.apply(overrides or {}, None, "")
    if target.changed:
        topology, scenario = parse(Topology, topology_document), parse(Scenario, document)
    documents = _procedures(scenario, topology, document, topology_document, paths)
    procedures = {name: parse(Procedure, procedure) for name, procedure in documents.items()}
    parameters = Parameters({**target.parameters, **target.sizes})
    asked = Asked(name_or_path, world, dict(overrides or {}))
    resolved = Resolved(scenario, topology, parameters, procedures, objectives(paths), asked)
    if problems := crosscheck(resolved, document, topology_document, documents):
        raise InvalidFileError(*problems)
    _other_topologies(scenario, document, paths)
    return resolved


def _as_played_in(world: str, scenario: Scenario, document: Document) -> None:
    """Put what the world's section brings where the scenario has it. Raises UsageError without such a section."""
    if getattr(scenario.worlds, world, None) is None:
        played = [name for name in Worlds.model_fields if getattr(scenario.worlds, name) is not None]
        where, found = document.where("worlds"), f"no `{world}`"
        raise UsageError(
            Problem(where, found, f"a scenario that {world} may play", f"It can be played in: {', '.join(played)}.")
        )
    section = document.values["worlds"][world]
    for key, place in _REPLACED.items():
        if key in section:
            *parents, last = place.split(".")
            node = document.values
            for parent in parents:
                node = node[parent]
            node[last] = section[key]
            document.origins[place] = document.where(f"worlds.{world}.{key}")
    _skip(scenario, getattr(scenario.worlds, world).skips_us, world, document)


def _skip(scenario: Scenario, skips_us: int, world: str, document: Document) -> None:
    """Have every instant of the timeline come earlier. Raises InvalidFileError when one would come before the start."""
    for number, entry in enumerate(scenario.timeline):
        if entry.at_us is None or not skips_us:
            continue
        if entry.at_us < skips_us:
            where, found = document.where(f"worlds.{world}.skips"), duration(skips_us)
            expected = f"at most {duration(entry.at_us)}, when {entry.fault or entry.change} begins"
            raise InvalidFileError(Problem(where, found, expected, "Skip less."))
        document.values["timeline"][number]["at"] = f"{entry.at_us - skips_us} us"
        document.origins[f"timeline.{number}.at"] = document.where(f"worlds.{world}.skips")


def _other_topologies(scenario: Scenario, document: Document, paths: Sequence[Path]) -> None:
    """A world may bring a topology of its own. Raises InvalidFileError when there is none of that name."""
    for world in ("kind", "eks"):
        named = getattr(scenario.worlds, world)
        if named is not None and named.topology is not None:
            find(named.topology, "topologies", paths, where=document.where(f"worlds.{world}.topology"))


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
    result: dict[str, Objective] = {}
    for document in objective_documents(paths):
        result |= _objectives(document, result)
    return tuple(sorted(result.values(), key=lambda o: o.runbook is None))  # what the runbook promises comes first


def objective_documents(paths: Sequence[Path] = ()) -> Iterator[Document]:
    """Yield the files of objectives that are judged: the library's, then those in `objectives/` of the user's folders.

    Raises InvalidFileError for one that cannot be read.
    """
    own = [file for path in paths for file in yaml_files(path / "objectives")]
    files: dict[Path, Path] = {}
    for file in (*yaml_files(folders("objectives")[-1]), *own):
        files.setdefault(file.resolve(), file)
    for file in files.values():
        yield library_document(file) if file.is_relative_to(LIBRARY) else read(file)


def _objectives(document: Document, known: Iterable[str]) -> dict[str, Objective]:
    found = parse(Objectives, document).objectives
    if problems := check_objectives(found, document, known):
        raise InvalidFileError(*problems)
    return {objective.objective: objective for objective in found}
