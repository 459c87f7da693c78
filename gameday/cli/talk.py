"""How the command line talks: data to stdout, talk to stderr, its last line the next useful command."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scenarios.errors import GamedayError


def say(text: str) -> None:
    """Print a line of talk."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def then(command: str) -> None:
    """Name the next useful command."""
    say(f"next: {command}")


def put(text: str) -> None:
    """Print data."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def put_json(value: Any) -> None:
    """Print data as JSON."""
    put(json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True, default=str))


def problem_lines(error: GamedayError) -> Iterator[str]:
    """Lines of an error: where, found, expected, remedy."""
    for problem in error.problems:
        yield f"error: {problem.where}"
        yield f"  found     {problem.found}"
        yield f"  expected  {problem.expected}"
        yield f"  remedy    {problem.remedy}"


@contextmanager
def progress(total: float, words: str) -> Iterator[Any]:
    """A progress bar on a terminal's stderr; yields `update(done, words)`."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task(words, total=total)
        yield lambda done, text=words: bar.update(task, completed=done, description=text)
