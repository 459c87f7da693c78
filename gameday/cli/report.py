"""`gameday report`: write what a record shows, for people and for machines."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gameday.cli.arguments import RunName, find_run, run_name
from gameday.cli.talk import progress, put, say, then
from scenarios.errors import Problem, RecordError, UsageError

if TYPE_CHECKING:
    from reports.model import Report

EXAMPLE = "Example: `gameday report --format html,junit --open`"
FILES = {"html": "report.html", "md": "report.md", "junit": "junit.xml", "json": "report.json"}
FORMATS = ("terminal", *FILES)

Formats = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="FORMAT,...",
        help=f"{', '.join(FORMATS)}; several with commas. `terminal` prints, the others write a file",
        autocompletion=lambda: list(FORMATS),
    ),
]
Open = Annotated[bool, typer.Option("--open", help="open the page in a browser")]
Folder = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FOLDER", help="where; default: beside the record")
]


def report(run: RunName = None, formats: Formats = "html", opened: Open = False, output: Folder = None) -> None:
    """Write the report of a record: a page for people, Markdown, JUnit for CI, JSON for programs.

    The record is judged anew from its facts. The exit code says whether the report was written, not what it says; use
    `gameday judge` for that.
    """
    chosen = parse(formats)
    folder = find_run(run)
    from gameday.judging import load_report

    with progress(1.0, "judging"):
        found = load_report(folder)
    written = write(found, chosen, output or folder)
    for path in written.values():
        put(str(path))
    if opened:
        open_page(written.get("html") or write(found, ["html"], output or folder)["html"])
    if "html" in written and not opened:
        then(f"gameday report {run_name(folder)} --open")


def parse(formats: str) -> list[str]:
    """Return the formats asked for, once each. Raises UsageError."""
    chosen = [name.strip() for name in formats.split(",") if name.strip()]
    unknown = [name for name in chosen if name not in FORMATS]
    if unknown or not chosen:
        found = f"`{unknown[0]}`" if unknown else "nothing"
        raise UsageError(Problem("--format", found, f"some of {', '.join(FORMATS)}", "Choose some, with commas."))
    return list(dict.fromkeys(chosen))


def write(report: "Report", formats: list[str], folder: Path) -> dict[str, Path]:
    """Print the format `terminal` and write the others; return the file of each. Raises RecordError."""
    from scenarios.record.storage import problem_of, replace_file

    written = {}
    try:
        for name in formats:
            if name == "terminal":
                from reports.formats.terminal import show

                show(report)
                continue
            folder.mkdir(parents=True, exist_ok=True)
            with progress(1.0, f"writing {FILES[name]}"):
                replace_file(folder / FILES[name], renderer(name)(report).encode())
            written[name] = folder / FILES[name]
    except OSError as error:
        raise RecordError(problem_of(folder, error, "a folder that can be written to")) from error
    return written


def renderer(name: str) -> "Callable[[Report], str]":
    """Return what writes a format; only that one is imported."""
    if name == "html":
        from reports.formats import html

        return html.render
    if name == "md":
        from reports.formats import markdown

        return markdown.render
    if name == "junit":
        from reports.formats import junit

        return junit.render
    from reports.formats import json

    return json.render


def open_page(page: Path) -> None:
    """Open a page in the user's browser; say so when there is none."""
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        say(f"no browser was found: open {page} yourself")
