"""`gameday check`: find what is wrong in files before anything is played."""

from pathlib import Path
from typing import Annotated

import typer

from gameday.cli.arguments import AsJson
from gameday.cli.talk import problem_lines, put, put_json, say, then
from gameday.config import settings
from gameday.exit_codes import ExitCode
from scenarios.errors import InvalidFileError

EXAMPLE = "Example: `gameday check gamedays/`"


def check(
    paths: Annotated[list[Path] | None, typer.Argument(help="files or folders; default: yours and the library")] = None,
    as_json: AsJson = False,
) -> int:
    """Check scenarios, topologies, procedures, objectives and suites; exit code 2 when something is wrong."""
    from scenarios.files.catalogue import check as problems_of
    from scenarios.files.library import LIBRARY

    own = [path for path in settings().scenario_paths if path.exists()]
    filled = [path for path in own if any(path.rglob("*.yaml"))]  # a folder may be new
    problems = problems_of(paths or [*filled, LIBRARY], search=own)
    if as_json:
        put_json([vars(problem) for problem in problems])
    elif problems:
        for line in problem_lines(InvalidFileError(*problems)):
            say(line)
    else:
        put("nothing wrong")
        then("gameday scenarios")
    return ExitCode.USAGE if problems else ExitCode.MET
