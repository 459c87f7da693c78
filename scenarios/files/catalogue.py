"""What there is: summaries of scenarios, suites, and the check of whole folders."""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scenarios.errors import GamedayError, InvalidFileError, Problem, UsageError
from scenarios.files import parameters
from scenarios.files.checks.objective import check_objectives, check_subjects
from scenarios.files.checks.procedure import check_steps
from scenarios.files.checks.topology import check_topology
from scenarios.files.library import KINDS, LIBRARY, find, folders, neighbours, yaml_files
from scenarios.files.load import defaults, load, objective_documents, objectives
from scenarios.files.overrides import Target
from scenarios.files.parse import parse
from scenarios.files.problems import unknown
from scenarios.files.yaml import Document, read
from scenarios.model.objective import Objectives, Suite
from scenarios.model.procedure import Procedure
from scenarios.model.scenario import Scenario
from scenarios.model.topology import Topology


@dataclass(frozen=True)
class Summary:
    """One line of `gameday scenarios`."""

    name: str
    title: str
    runbook: tuple[str, ...]
    tests: str
    worlds: tuple[str, ...]
    path: Path


def scenarios(paths: Sequence[Path] = ()) -> list[Summary]:
    """Summaries of all scenarios in the user's folders and the library, by name; the first of a name wins.

    A file that is no scenario, or a broken one, is left out; `check` says what is wrong with it.
    """
    found: dict[str, Summary] = {}
    for folder in folders("scenarios", paths):
        for file in yaml_files(folder):
            summary = _summary(file)
            if summary is not None:
                found.setdefault(summary.name, summary)
    return sorted(found.values(), key=lambda s: s.name)


def _summary(file: Path) -> Summary | None:
    try:
        document = read(file)
        if "scenario" not in document.values:
            return None
        scenario = parse(Scenario, document)
    except InvalidFileError:
        return None
    worlds = tuple(name for name in ("twin", "kind", "eks") if getattr(scenario.worlds, name) is not None)
    return Summary(file.stem, scenario.title, scenario.runbook, scenario.tests, worlds, file)


def suite(name_or_path: str, paths: Sequence[Path] = ()) -> Suite:
    """Load a suite and check that its scenarios and objectives exist. Raises InvalidFileError or UsageError."""
    document = read(find(name_or_path, "suites", paths))
    result = parse(Suite, document)
    if problems := _suite(result, document, paths):
        raise InvalidFileError(*problems)
    return result


def _suite(suite_: Suite, document: Document, paths: Sequence[Path]) -> list[Problem]:
    problems: list[Problem] = []
    for index, name in enumerate(suite_.scenarios):
        try:
            find(name, "scenarios", [*paths, *neighbours(document.path)], where=document.where(f"scenarios.{index}"))
        except InvalidFileError as error:
            problems += error.problems
    known = [o.objective for o in objectives(paths)]
    problems += [
        unknown(document.where(f"required.{i}"), "objective", name, known)
        for i, name in enumerate(suite_.required)
        if name not in known
    ]
    return problems


def check(paths: Sequence[Path] = (), *, search: Sequence[Path] = ()) -> list[Problem]:
    """All problems of files and folders (the library when none is given); a folder is searched through.

    `search` are the folders in which what a file names is looked for, beside its own.
    """
    problems: list[Problem] = []
    for path in paths or (LIBRARY,):
        files = _files(path)
        if not files and path.is_dir():
            problems.append(
                Problem(
                    str(path),
                    "a folder without YAML files",
                    "scenarios, topologies, procedures, objectives or suites",
                    "Write a scenario there first (docs/how-to/own-scenario.md), or name another folder.",
                )
            )
        for file in files:
            try:
                problems += _check(file, [*search, *([path] if path.is_dir() else neighbours(file))])
            except GamedayError as error:
                problems += error.problems
    return list(dict.fromkeys(problems))


def named(name: str, paths: Sequence[Path] = ()) -> Path:
    """File of a name among the user's and the library's files of all kinds. Raises UsageError naming what is near."""
    found = {file.stem: file for kind in reversed(KINDS) for f in folders(kind, paths)[::-1] for file in yaml_files(f)}
    if name in found:
        return found[name]
    near = difflib.get_close_matches(name, found, n=1)
    remedy = f"Did you mean `{near[0]}`?" if near else "`gameday scenarios` lists scenarios."
    expected = "a file, a folder, or the name of a scenario, topology, procedure or suite"
    raise UsageError(Problem("PATH", f"`{name[:80]}`", expected, remedy))


def _files(path: Path) -> list[Path]:
    try:
        if not path.is_dir():
            return [path]
        return sorted(f for pattern in ("*.yaml", "*.yml") for f in path.rglob(pattern) if not f.name.startswith("."))
    except (OSError, ValueError):
        return [path]


def _check(file: Path, paths: Sequence[Path]) -> list[Problem]:
    document = read(file)
    for key, checker in _CHECKS.items():
        if key in document.values:
            return checker(document, paths)
    if set(document.values) & {"kubernetes", "switches"}:
        parameters.catalogue(document)
        return []
    first = next(iter(document.values), "nothing")
    near = difflib.get_close_matches(first, _CHECKS, n=1)
    remedy = f"Did you mean `{near[0]}`?" if near else "Begin the file with one of these keys."
    return [
        Problem(
            document.where(first), f"a file that begins with `{first}`", f"one of the keys {', '.join(_CHECKS)}", remedy
        )
    ]


def _scenario(document: Document, paths: Sequence[Path]) -> list[Problem]:
    load(f"./{document.path}" if not document.path.is_absolute() else str(document.path), paths=paths)
    return _named(document, "scenario")


def _topology(plain: Document, paths: Sequence[Path]) -> list[Problem]:
    document = read(plain.path, sourced=True)
    topology = parse(Topology, document)
    target = Target(document, document, defaults(), parameters.provenance(document))
    target.apply(topology.parameters, document, "parameters")
    problems = [*check_topology(topology, document), *_named(document, "topology")]
    if topology.automation is not None:
        find(topology.automation.procedure, "procedures", paths, where=document.where("automation.procedure"))
    return problems


def _procedure(document: Document, _: Sequence[Path]) -> list[Problem]:
    procedure = parse(Procedure, document)
    return [*check_steps(procedure, document), *_named(document, "procedure")]


def _objectives(document: Document, paths: Sequence[Path]) -> list[Problem]:
    """A file of objectives is checked wherever it lies, against those that are judged beside it."""
    found, mine = parse(Objectives, document).objectives, document.path.resolve()
    others = [other for other in objective_documents(paths) if other.path.resolve() != mine]
    known = [o.objective for other in others for o in parse(Objectives, other).objectives]
    return [*check_objectives(found, document, known), *check_subjects(found, document, _topologies(paths))]


def _topologies(paths: Sequence[Path]) -> Iterator[Topology]:
    """Topologies that can be named: what is wrong in one is said when it is checked itself."""
    for file in (file for folder in folders("topologies", paths) for file in yaml_files(folder)):
        try:
            document = read(file, sourced=True)
            if "topology" in document.values:
                yield parse(Topology, document)
        except InvalidFileError:
            continue


def _suites(document: Document, paths: Sequence[Path]) -> list[Problem]:
    return [*_suite(parse(Suite, document), document, paths), *_named(document, "suite")]


def _named(document: Document, key: str) -> list[Problem]:
    """Others find a file by its name, so the name inside must be the same."""
    name = document.values[key]
    if name == document.path.stem:
        return []
    return [
        Problem(
            document.where(key),
            f"`{name}` in {document.path.name}",
            f"`{document.path.stem}`, the file's name",
            "Rename one of them.",
        )
    ]


_CHECKS: Mapping[str, Callable[[Document, Sequence[Path]], list[Problem]]] = {
    "scenario": _scenario,
    "topology": _topology,
    "procedure": _procedure,
    "objectives": _objectives,
    "suite": _suites,
}
