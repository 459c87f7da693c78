"""The settings: a flag beats GAMEDAY_* beats gameday.toml beats the default."""

import difflib
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from experiments.platforms.eks.targets import Outside, Target
from scenarios.errors import InvalidFileError, Problem
from scenarios.model.base import Duration


def _folders(value: object) -> object:
    """Folders in an environment variable are separated as in PATH."""
    return [part for part in value.split(os.pathsep) if part] if isinstance(value, str) else value


class Production(BaseModel):
    """What has to be there before a production target may be broken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    windows: tuple[str, ...] = Field((), description="when it may be, BEGIN/END with offsets from UTC")
    longest_undo_us: Duration = Field("4 h", alias="longest_undo", validate_default=True, description="e.g. 4 h")
    approvals: Path = Field(Path("approvals"), description="folder of what is signed, and of signatures")
    signers: Path = Field(Path("allowed_signers"), description="who may approve, as ssh-keygen reads it")
    executor: str = Field("", description="who runs it, as in the list of signers")
    reverter_image: str = Field("", description="image of the reverter's pods; empty: no pods, only this machine lifts")


class Settings(BaseSettings):
    """All settings, resolved."""

    model_config = SettingsConfigDict(env_prefix="GAMEDAY_", extra="forbid", frozen=True)

    scenario_paths: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_folders)] = ()
    runs_folder: Path = Path("runs")
    workers: int = Field(0, ge=0, le=10_000)
    targets: dict[str, Target] = Field(default_factory=dict)
    outside: Outside = Outside()
    production: Production = Production()

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
            remedy = "Mend it, or remove it and start anew with `gameday init`."
            raise InvalidFileError(Problem(str(file), found, "a readable TOML file", remedy)) from error
        values = _from(file.parent, values, _PATHS)
        if isinstance(values.get("production"), dict):
            values["production"] = _from(file.parent, values["production"], _PRODUCTION_PATHS)
        if isinstance(values.get("targets"), dict):
            values["targets"] = {
                name: _from(file.parent, target, _TARGET_PATHS) if isinstance(target, dict) else target
                for name, target in values["targets"].items()
            }
    try:
        return Settings(**values)
    except ValidationError as error:
        raise InvalidFileError(*(_problem(file, e) for e in error.errors())) from error


_EXPECTED = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "path_type": "the path of a folder",
    "is_instance_of": "the path of a folder",
    "tuple_type": "a list, [a, b]",
    "string_type": "text",
    "dict_type": "a section",
    "model_type": "a section",
    "model_attributes_type": "a section",
}
_PATHS = ("scenario_paths", "runs_folder")
_PRODUCTION_PATHS = ("approvals", "signers")
_TARGET_PATHS = ("kubeconfig",)


def _from(base: Path, values: dict[str, Any], paths: tuple[str, ...]) -> dict[str, Any]:
    return {key: _relative(value, base) if key in paths else value for key, value in values.items()}


def _relative(value: Any, base: Path) -> Any:
    if isinstance(value, list):
        return [_relative(item, base) for item in value]
    return str(base / Path(value).expanduser()) if isinstance(value, str) and value else value


def _known(setting: str, depth: int) -> dict[str, str]:
    """Keys that may stand where one was found, with what each is."""
    inner: dict[str, type[BaseModel]] = {"targets": Target, "outside": Outside, "production": Production}
    model = inner.get(setting, Settings) if depth > 1 else Settings
    return {field.alias or name: field.description or "" for name, field in model.model_fields.items()}


def _problem(file: Path | None, error: Any) -> Problem:
    key, setting = ".".join(str(part) for part in error["loc"]), str(error["loc"][0])
    last, known = str(error["loc"][-1]), _known(setting, len(error["loc"]))
    variable = f"GAMEDAY_{setting.upper()}"
    where = variable if variable in os.environ else f"{file} ({key})"
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(last, known, n=1)
        remedy = f"Did you mean `{near[0]}`?" if near else "Remove it."
        return Problem(where, f"unknown key `{key}`", f"one of {', '.join(known)}", remedy)
    if error["type"] == "missing":
        return Problem(where, f"no `{last}`", known.get(last) or "a value", f"Add `{last}` to the section.")
    expected = _EXPECTED.get(error["type"]) or error["msg"].lower().removeprefix("input should be ")
    expected = expected.removeprefix("value error, ")
    if error["type"] == "string_pattern_mismatch":
        expected = known.get(last, expected)
    return Problem(where, repr(error["input"])[:60], expected, "Change the value.")
