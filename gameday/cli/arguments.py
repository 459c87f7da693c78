"""Arguments that several commands take, with their completion."""

from pathlib import Path
from typing import Annotated

import typer

from gameday.cli.talk import from_here, say
from gameday.config import settings
from scenarios.errors import GamedayError, Problem, UsageError

WORLDS = ("kind", "eks")  # in which a game day is played


def one_of(flag: str, found: str, allowed: tuple[str, ...]) -> None:
    """Refuse a word that is not one of those allowed. Raises UsageError."""
    if found not in allowed:
        raise UsageError(Problem(flag, f"`{found}`", f"one of {', '.join(allowed)}", "Choose one."))


def complete_scenario(incomplete: str) -> list[tuple[str, str]]:
    """Names of scenarios that begin so, with their titles."""
    from scenarios.files.catalogue import scenarios

    try:
        return [(s.name, s.title) for s in scenarios(settings().scenario_paths) if s.name.startswith(incomplete)]
    except GamedayError:
        return []


def complete_run(incomplete: str) -> list[str]:
    """Names of records that begin so."""
    try:
        return [f.name for f in run_folders() if f.name.startswith(incomplete)]
    except GamedayError:
        return []


def complete_objective(incomplete: str) -> list[tuple[str, str]]:
    """Names of objectives that begin so, with their titles."""
    from scenarios.files.load import objectives

    try:
        known = objectives(settings().scenario_paths)
    except GamedayError:
        return []
    return [(o.objective, o.title) for o in known if o.objective.startswith(incomplete)]


def complete_set(incomplete: str) -> list[tuple[str, str]]:
    """Names of parameters that begin so, ready for their value, with the value that they have."""
    from scenarios.files.load import defaults
    from scenarios.files.words import value

    return [(f"{name}=", value(known)) for name, known in defaults().items() if name.startswith(incomplete)]


ScenarioName = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="name or path of a scenario", autocompletion=complete_scenario)
]
RunName = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN",
        help="path of a record, a prefix of its id, or nothing for the latest",
        autocompletion=complete_run,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="print the result as JSON")]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="change a parameter or a size, with its unit; repeatable",
        autocompletion=complete_set,
    ),
]


def overrides(sets: list[str] | None) -> dict[str, str]:
    """Pairs of --set. Raises UsageError."""
    result = {}
    for item in sets or []:
        key, equals, value = item.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise UsageError(
                Problem("--set", repr(item), "KEY=VALUE, e.g. people.acknowledge='3 min'", "Write both sides.")
            )
        result[key.strip()] = value.strip()
    return result


def scenario_folders() -> tuple[Path, ...]:
    """Folders with the user's own files, as the settings name them; one that is not there is said."""
    folders = settings().scenario_paths
    for folder in folders:
        if not folder.is_dir():
            say(f"note: scenario_paths names {from_here(str(folder))}, which is no folder")
    return folders


def run_folders() -> list[Path]:
    """Folders of records, runs and ensembles, oldest first."""
    folder = settings().runs_folder
    if not folder.is_dir():
        return []
    heads = {f: head for f in folder.iterdir() if not f.name.startswith(".") and (head := _head(f)) is not None}
    return sorted(heads, key=lambda f: (heads[f].stat().st_mtime_ns, f.name))


def _head(folder: Path) -> Path | None:
    """Head of a record; its time is when the run ended, whatever was written beside it later."""
    return next((folder / name for name in ("ensemble.json", "run.json") if (folder / name).is_file()), None)


def run_name(folder: Path) -> str:
    """What to write as RUN for a folder: below the runs folder its name there, else its path."""
    place, whole = settings().runs_folder.resolve(), folder.resolve()
    return str(whole.relative_to(place)) if whole.is_relative_to(place) else str(folder)


def find_run(name: str | None) -> Path:
    """Folder of a record: a path, one below the runs folder, or the beginning of a name there. Raises UsageError."""
    for folder in (Path(name), settings().runs_folder / name) if name is not None else ():
        if _head(folder) is not None:
            return folder
    found = [f for f in run_folders() if name is None or f.name.startswith(name)]
    if not found or (name is not None and len(found) > 1 and all(f.name != name for f in found)):
        what = "several records" if found else "no record"
        remedy = "Write more of its name." if found else "Play one: `gameday simulate region-loss-automatic`."
        raise UsageError(
            Problem(f"RUN {name or '(the latest)'}", f"{what} in {settings().runs_folder}", "one record", remedy)
        )
    return next((f for f in found if f.name == name), found[-1])
