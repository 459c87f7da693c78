"""`gameday explain`: what an objective promises, and how it is judged."""

from typing import Annotated

import typer

from gameday.cli.arguments import AsJson, complete_objective, scenario_folders
from gameday.cli.talk import put, put_json, put_paragraph, put_rows, then

EXAMPLE = "Example: `gameday explain rto.risk`"

ObjectiveName = Annotated[
    str | None,
    typer.Argument(
        metavar="OBJECTIVE", help="name of an objective; nothing: list them", autocompletion=complete_objective
    ),
]


def explain(objective: ObjectiveName = None, as_json: AsJson = False) -> None:
    """Explain an objective: its limit, who promises it, how it is measured, and what makes it INCONCLUSIVE."""
    from scenarios.files import describe

    paths = scenario_folders()
    if objective is None:
        listed = describe.promises(paths)
        if as_json:
            put_json([dict(zip(listed.columns, row, strict=True)) for row in listed.rows])
            return
        put_rows(listed.rows, listed.columns)
        then("gameday explain rto.risk")
        return
    told = describe.explain(objective, paths)
    if as_json:
        put_json(vars(told))
        return
    put(f"{told.objective}: {told.title}, {told.limit}")
    put(f"{told.source}\n")
    for title, text in (
        ("What it means", told.definition),
        ("How it is measured", told.measured),
        ("When it is judged", told.exercised),
        ("What makes it INCONCLUSIVE", told.inconclusive),
    ):
        put_paragraph(title, text)
    then("gameday scenarios")
