"""`gameday init`: write gameday.toml and a folder for own scenarios."""

from pathlib import Path
from typing import Annotated

import typer

from gameday.cli.talk import put, then
from gameday.config import FILE, TEMPLATE
from scenarios.errors import Problem, UsageError

EXAMPLE = "Example: `gameday init`"


def init(folder: Annotated[Path, typer.Argument(help="where to write it")] = Path()) -> None:
    """Write gameday.toml with every setting explained, and a folder for your own scenarios."""
    file = folder / FILE
    if file.exists():
        raise UsageError(Problem(str(file), "a file that is there already", "none", "Edit it, or remove it first."))
    try:
        (folder / "gamedays").mkdir(parents=True, exist_ok=True)
        file.write_text(TEMPLATE, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            Problem(
                str(folder),
                (error.strerror or str(error)).lower(),
                "a folder that you can write to",
                "Name another folder.",
            )
        ) from error
    put(str(file))
    then("gameday scenarios")
