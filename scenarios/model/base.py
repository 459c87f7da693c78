"""The base of every model, and the types of quantities.

In YAML a quantity carries its unit (`5 min`, `10500/s`, `95 %`); in Python it is a plain number whose
unit stands last in the field's name. `scenarios.model.units` parses them.
"""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)

from scenarios.model import units
from scenarios.model.faults import WORDS

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"  # no dots: paths are dotted


class Model(BaseModel):
    """Frozen; unknown keys are errors; YAML names are aliases without units."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)


def _unit(parse: Callable[[object], float]) -> BeforeValidator:
    """Parse text with a unit; a plain number passes only in a resolved document (no file in the context)."""

    def validate(value: object, info: ValidationInfo) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool) and not (info.context or {}).get("file"):
            return value
        return parse(value)

    return BeforeValidator(validate)


def _text(pattern: str, example: str) -> WithJsonSchema:
    unsigned = pattern.replace("[+-]?", "\\+?")
    return WithJsonSchema({"type": "string", "pattern": f"^\\s*{unsigned}\\s*$", "examples": [example]})


def _option(value: object) -> float | str:
    """A plain number, a share of 1 as a percentage, or a word."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().endswith("%"):
        return units.share(value)
    if isinstance(value, str) and value in WORDS:
        return value
    expected = f"a number, a percentage such as 50 %, or one of {', '.join(sorted(WORDS))}"
    raise units.UnusableError(expected, "Write a number or a word that the fault takes.")


Duration = Annotated[int, _unit(units.duration_us), Field(ge=0), _text(units.DURATION, "5 min")]  # microseconds
Rate = Annotated[float, _unit(units.rate_per_s), Field(ge=0), _text(units.RATE, "10500/s")]  # per second
Share = Annotated[float, _unit(units.share), Field(ge=0, le=1), _text(units.SHARE, "95 %")]  # fraction of 1
Cpu = Annotated[float, _unit(units.cpu), Field(gt=0), _text(units.CPU, "2 vCPU")]  # vCPU
TimeOfDay = Annotated[  # seconds after 00:00 UTC
    int, _unit(units.time_of_day_s), Field(ge=0, lt=86400), _text(units.TIME_OF_DAY, "02:00")
]
OptionValue = Annotated[  # of a fault: its bounds are the fault's
    float | str,
    BeforeValidator(_option),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number"},
                {"type": "string", "pattern": f"^\\s*{units.SHARE}\\s*$"},
                {"type": "string", "enum": sorted(WORDS)},
            ]
        }
    ),
]
Whole = Annotated[int, Strict()]  # a count; neither true nor "4"
Number = Annotated[float, Strict()]
Flag = Annotated[bool, Strict()]
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=80)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Plain = Any  # a JSON value, checked elsewhere
