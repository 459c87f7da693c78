"""How the command line talks: data to stdout, talk to stderr, its last line the next useful command."""

import errno
import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from scenarios.errors import GamedayError, Problem


class _Listener:
    """Standard error, which may go away while something goes on (a terminal that is closed): then nobody listens.

    What goes on must come to its end all the same: a game day has faults to lift and a record to close.
    """

    def write(self, text: str) -> int:
        """Write, as long as somebody listens."""
        try:
            return sys.stderr.write(text)
        except OSError:
            self._is_gone()
            return len(text)

    def flush(self) -> None:
        """Have what was written be seen."""
        try:
            sys.stderr.flush()
        except OSError:
            self._is_gone()

    def _is_gone(self) -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


listener = _Listener()


def say(text: str) -> None:
    """Print a line of talk."""
    listener.write(text + "\n")
    listener.flush()


def stage(words: str) -> None:
    """Say that a part of the work that takes time begins, where no bar shows it."""
    if not sys.stderr.isatty():
        say(words)


def then(command: str) -> None:
    """Name the next useful command, as it can be typed here: `.venv/bin/gameday` where PATH has no other."""
    program, space, rest = command.partition(" ")
    called = sys.argv[0]
    if program == Path(called).name and os.sep in called and shutil.which(program) is None:
        program = called
    say(f"next: {program}{space}{rest}")


def put(text: str) -> None:
    """Print data; what the terminal's encoding cannot show is replaced.

    A reader that has gone away (`| head`, a closed terminal) is no error, and changes no exit code.
    """
    encoding = sys.stdout.encoding or "utf-8"
    shown = text.encode(encoding, "replace").decode(encoding)
    try:
        sys.stdout.write(shown if shown.endswith("\n") else shown + "\n")
        sys.stdout.flush()
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.EIO):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def put_json(value: Any) -> None:
    """Print data as JSON."""
    put(json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True, default=str))


def put_rows(rows: Iterable[Sequence[str]], columns: Sequence[str] = ()) -> None:
    """Print rows in aligned columns; on a terminal the last column wraps, in a pipe each row is one line."""
    lines = [tuple(row) for row in (columns, *rows) if row]
    widths = [max(map(len, column)) for column in zip(*(line[:-1] for line in lines), strict=True)]
    indent = sum(widths) + 2 * len(widths)
    room = shutil.get_terminal_size().columns - indent if sys.stdout.isatty() else 0
    for line in lines:
        head = "".join(f"{cell:<{width}}  " for cell, width in zip(line[:-1], widths, strict=True))
        parts = textwrap.wrap(line[-1], room) if room >= 20 else [line[-1]]
        put((head + f"\n{'':<{indent}}".join(parts)).rstrip())


def put_paragraph(title: str, text: str) -> None:
    """Print a titled paragraph, wrapped."""
    room = min(shutil.get_terminal_size().columns, 110) if sys.stdout.isatty() else 110
    put(f"{title}\n{textwrap.fill(text, room, initial_indent='  ', subsequent_indent='  ')}")


def from_here(text: str) -> str:
    """Return a text whose paths are written from the folder that one is in, where they are below it."""
    here = str(Path.cwd())
    return text if here == os.sep else re.sub(rf"(?<![\w./-]){re.escape(here + os.sep)}", "", text)


def as_shown(problem: Problem) -> Problem:
    """Return a problem as a person reads it."""
    return Problem(*map(from_here, (problem.where, problem.found, problem.expected, problem.remedy)))


def problem_lines(error: GamedayError) -> Iterator[str]:
    """Lines of an error: where, found, expected, remedy."""
    for problem in map(as_shown, error.problems):
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
        console=Console(file=cast("IO[str]", listener)),
        transient=True,
    ) as bar:
        task = bar.add_task(words, total=total)
        yield lambda done, text=words: bar.update(task, completed=done, description=text)
