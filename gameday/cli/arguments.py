"""Arguments that several commands take, with their completion."""

from pathlib import Path
from typing import Annotated

import typer

from gameday.config import settings
from scenarios.errors import GamedayError, Problem, UsageError


def _scenario_names(incomplete: str) -> list[tuple[str, str]]:
    from scenarios.files.catalogue import scenarios

    try:
        return [(s.name, s.title) for s in scenarios(settings().scenario_paths) if s.name.startswith(incomplete)]
    except GamedayError:
        return []


def _run_names(incomplete: str) -> list[str]:
    try:
        return [f.name for f in run_folders() if f.name.startswith(incomplete)]
    except GamedayError:
        return []


def _objective_names(incomplete: str) -> list[str]:
    from scenarios.files.load import objectives

    return [o.objective for o in objectives() if o.objective.startswith(incomplete)]


ScenarioName = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="name or path of a scenario", autocompletion=_scenario_names)
]
RunName = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN", help="path of a record, a prefix of its id, or nothing for the latest", autocompletion=_run_names
    ),
]
ObjectiveName = Annotated[
    str, typer.Argument(metavar="OBJECTIVE", help="name of an objective", autocompletion=_objective_names)
]
AsJson = Annotated[bool, typer.Option("--json", help="print the result as JSON")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="change a parameter or a size, with its unit; repeatable"),
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


def run_folders() -> list[Path]:
    """Folders of records, oldest first."""
    folder = settings().runs_folder
    if not folder.is_dir():
        return []
    return sorted((f for f in folder.iterdir() if (f / "run.json").is_file()), key=lambda f: f.stat().st_mtime_ns)


def find_run(name: str | None) -> Path:
    """Folder of a record. Raises UsageError."""
    if name is not None and (Path(name) / "run.json").is_file():
        return Path(name)
    found = [f for f in run_folders() if name is None or f.name.startswith(name)]
    if not found or (name is not None and len(found) > 1 and all(f.name != name for f in found)):
        what = "several records" if found else "no record"
        remedy = "Write more of its name." if found else "Play one: `gameday simulate region-loss-automatic`."
        raise UsageError(
            Problem(f"RUN {name or '(the latest)'}", f"{what} in {settings().runs_folder}", "one record", remedy)
        )
    return next((f for f in found if f.name == name), found[-1])
