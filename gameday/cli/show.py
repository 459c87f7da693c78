"""`gameday show`: what a scenario does, on what, and what it would be judged by."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gameday.cli.arguments import AsJson, Sets, complete_scenario, overrides, scenario_folders
from gameday.cli.talk import put, put_json, put_rows, then
from scenarios.errors import Problem, UsageError

if TYPE_CHECKING:
    from scenarios.files.describe import Section
    from scenarios.files.planned import Planned
    from scenarios.files.resolved import Resolved

EXAMPLE = "Example: `gameday show region-loss-automatic --parameters --match people`"
KINDS = ("scenario", "topology", "procedure", "objectives", "suite")

Scenario = Annotated[
    str | None,
    typer.Argument(metavar="SCENARIO", help="name or path of a scenario", autocompletion=complete_scenario),
]
Parameters = Annotated[bool, typer.Option("--parameters", help="list every default: value, range, tag, source")]
Match = Annotated[
    str,
    typer.Option("--match", metavar="TEXT", help="with --parameters: part of their names, or a tag (S D M F J MEM)"),
]
Experiment = Annotated[
    bool,
    typer.Option("--experiment", help="print the Chaos Toolkit experiment that a cluster plays; `chaos run` takes it"),
]
Schema = Annotated[
    str | None,
    typer.Option(
        "--schema",
        metavar="KIND",
        help=f"print the JSON Schema of a kind of file, for an editor: {', '.join(KINDS)}",
        autocompletion=lambda: list(KINDS),
    ),
]


def show(
    scenario: Scenario = None,
    parameters: Parameters = False,
    match: Match = "",
    experiment: Experiment = False,
    schema: Schema = None,
    sets: Sets = None,
    as_json: AsJson = False,
) -> None:
    """Show what a scenario does when, on which system, who answers, and which objectives it would be judged by."""
    if schema is not None:
        _schema(schema)
        return
    if scenario is None:
        raise UsageError(Problem("SCENARIO", "nothing", "a name or a path", "`gameday scenarios` lists the names."))
    from scenarios.files import describe
    from scenarios.files.load import load

    changes = overrides(sets)
    if experiment:
        _experiment(scenario, changes)
        return
    resolved = load(scenario, paths=scenario_folders(), overrides=changes)
    if parameters or match:
        _parameters(resolved, match, as_json=as_json)
        return
    plan = _plan(resolved)
    if as_json:
        put_json(_document(resolved, plan))
        return
    for section in describe.show(resolved, plan, changes):
        _put(section)
    then(f"gameday simulate {scenario}")


def _experiment(scenario: str, changes: dict[str, Any]) -> None:
    """Print what a cluster plays; the section `kind` of the scenario's worlds is in force."""
    from experiments.compile.compiler import compile_scenario
    from scenarios.files.load import load

    put_json(compile_scenario(load(scenario, paths=scenario_folders(), overrides=changes, world="kind")))
    then(f"gameday run {scenario} --world kind")


def _schema(kind: str) -> None:
    from scenarios.files.schema import schemas

    if kind not in KINDS:
        raise UsageError(Problem("--schema", f"`{kind[:80]}`", f"one of {', '.join(KINDS)}", "Choose one of them."))
    put_json(schemas()[kind])


def _plan(resolved: "Resolved") -> "list[Planned]":
    """What becomes of each objective in the twin, with every request."""
    from gameday.play import not_judged
    from scenarios.files.planned import planned

    return planned(resolved, not_judged(resolved, "request"))


def _parameters(resolved: "Resolved", match: str, *, as_json: bool) -> None:
    from scenarios.files import describe

    section = describe.parameters(resolved, match)
    if as_json:
        names = {row[0] for row in section.rows}
        put_json([row for row in resolved.parameters.describe() if row["name"] in names])
        return
    _put(section)
    if not match:
        _put(describe.tags())
    then(f"gameday simulate {resolved.scenario.scenario} --set {section.rows[0][0]}=...")


def _document(resolved: "Resolved", plan: "list[Planned]") -> dict[str, Any]:
    from scenarios.files import words

    objectives = [
        {
            **row.objective.model_dump(mode="json", exclude_none=True),
            "limit": words.limit(row.objective),
            "state": row.state,
            "reason": row.reason,
        }
        for row in plan
    ]
    return {k: v for k, v in resolved.document().items() if k != "parameters"} | {"objectives": objectives}


def _put(section: "Section") -> None:
    put(section.title)
    put_rows(
        [("  " + row[0], *row[1:]) for row in section.rows],
        section.columns and ("  " + section.columns[0], *section.columns[1:]),
    )
    put("")
