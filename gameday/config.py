"""gameday.toml: a flag beats GAMEDAY_* beats the file beats the default."""

import difflib
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from scenarios.errors import InvalidFileError, Problem

FILE = "gameday.toml"
TEMPLATE = """\
# Settings of gameday. A flag beats an environment variable GAMEDAY_*, which beats this file.

# Folders with your own scenarios, topologies and procedures; the library is always there.
scenario_paths = ["gamedays"]

# Where records are kept.
runs_folder = "runs"

# Processes that play trials; 0 takes one for each core.
workers = 0
"""


class Settings(BaseSettings):
    """All settings, resolved."""

    model_config = SettingsConfigDict(env_prefix="GAMEDAY_", extra="forbid", frozen=True)

    scenario_paths: tuple[Path, ...] = ()
    runs_folder: Path = Path("runs")
    workers: int = 0

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment before the file (whose values are the arguments of the constructor)."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


def find_file(start: Path) -> Path | None:
    """Return the nearest gameday.toml, from a folder upwards."""
    return next((folder / FILE for folder in (start, *start.parents) if (folder / FILE).is_file()), None)


@cache
def settings() -> Settings:
    """Settings of this call. Raises InvalidFileError."""
    file = find_file(Path.cwd())
    values: dict[str, Any] = {}
    if file is not None:
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InvalidFileError(
                Problem(str(file), str(error), "a readable TOML file", "Mend it, or start anew with `gameday init`.")
            ) from error
        base = file.parent
        values |= {
            k: [str(base / p) for p in values[k]] for k in ("scenario_paths",) if isinstance(values.get(k), list)
        }
        values |= {k: str(base / values[k]) for k in ("runs_folder",) if isinstance(values.get(k), str)}
    try:
        return Settings(**values)
    except ValidationError as error:
        raise InvalidFileError(*(_problem(file, e) for e in error.errors())) from error


def _problem(file: Path | None, error: Any) -> Problem:
    key = ".".join(str(part) for part in error["loc"])
    near = difflib.get_close_matches(key, Settings.model_fields, n=1)
    if error["type"] == "extra_forbidden":
        remedy = f"Did you mean `{near[0]}`?" if near else "Remove it."
        return Problem(
            f"{file or 'settings'} ({key})",
            f"unknown key `{key}`",
            f"one of {', '.join(Settings.model_fields)}",
            remedy,
        )
    where = f"GAMEDAY_{key.upper()} or {file or FILE} ({key})"
    return Problem(where, repr(error["input"])[:60], error["msg"].lower(), "Change the value.")
