"""`gameday check`: find what is wrong in files before anything is played."""

import os
from pathlib import Path
from typing import Annotated

import typer

from gameday.cli.arguments import AsJson, scenario_folders
from gameday.cli.talk import as_shown, problem_lines, put, put_json, say, then
from gameday.exit_codes import ExitCode
from scenarios.errors import InvalidFileError

EXAMPLE = "Example: `gameday check gamedays/`"


def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="files, folders, or names of scenarios, topologies, procedures and suites; default: yours and the "
            "library"
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Check scenarios, topologies, procedures, objectives and suites; exit code 2 when something is wrong."""
    from scenarios.files.catalogue import check as problems_of
    from scenarios.files.catalogue import named
    from scenarios.files.library import LIBRARY

    own = [path for path in scenario_folders() if path.exists()]
    filled = [path for path in own if any(path.rglob("*.yaml"))]  # a folder may be new
    asked = [named(str(path), own) if _a_name(path) else path for path in paths or ()]
    problems = problems_of(asked or [*filled, LIBRARY], search=own)
    if as_json:
        put_json([vars(as_shown(problem)) for problem in problems])
    elif problems:
        for line in problem_lines(InvalidFileError(*problems)):
            say(line)
    else:
        put("nothing wrong")
        then("gameday scenarios")
    return ExitCode.USAGE if problems else ExitCode.MET


def _a_name(path: Path) -> bool:
    """Whether it is neither written as a path nor the path of something."""
    return len(path.parts) == 1 and path.suffix not in (".yaml", ".yml") and not os.path.exists(path)
