"""The settings: a flag beats GAMEDAY_* beats gameday.toml beats the default."""

import difflib
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from scenarios.errors import InvalidFileError, Problem


def _folders(value: object) -> object:
    """Folders in an environment variable are separated as in PATH."""
    return [part for part in value.split(os.pathsep) if part] if isinstance(value, str) else value


class Settings(BaseSettings):
    """All settings, resolved."""

    model_config = SettingsConfigDict(env_prefix="GAMEDAY_", extra="forbid", frozen=True)

    scenario_paths: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_folders)] = ()
    runs_folder: Path = Path("runs")
    workers: int = Field(0, ge=0, le=10_000)

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


def read(file: Path | None) -> Settings:
    """Read settings from the environment and a file; paths in it are relative to it. Raises InvalidFileError."""
    values: dict[str, Any] = {}
    if file is not None:
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            found = str(error).splitlines()[0]
            remedy = "Mend it, or start anew with `gameday init`."
            raise InvalidFileError(Problem(str(file), found, "a readable TOML file", remedy)) from error
        values = {key: _relative(value, file.parent) if key in _PATHS else value for key, value in values.items()}
    try:
        return Settings(**values)
    except ValidationError as error:
        raise InvalidFileError(*(_problem(file, e) for e in error.errors())) from error


_PATHS = ("scenario_paths", "runs_folder")


def _relative(value: Any, base: Path) -> Any:
    if isinstance(value, list):
        return [_relative(item, base) for item in value]
    return str(base / value) if isinstance(value, str) else value


def _problem(file: Path | None, error: Any) -> Problem:
    key, setting = ".".join(str(part) for part in error["loc"]), str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(setting, Settings.model_fields, n=1)
        remedy = f"Did you mean `{near[0]}`?" if near else "Remove it."
        return Problem(f"{file} ({key})", f"unknown key `{key}`", f"one of {', '.join(Settings.model_fields)}", remedy)
    variable = f"GAMEDAY_{setting.upper()}"
    where = variable if variable in os.environ else f"{file} ({key})"
    expected = error["msg"].lower().removeprefix("input should be ")
    return Problem(where, repr(error["input"])[:60], expected, "Change the value.")
