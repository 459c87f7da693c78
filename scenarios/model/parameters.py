"""Parameters: every delay, rate and probability of the twin, with unit, source and range."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Tag = Literal["S", "D", "M", "F", "J", "MEM", "SET"]
Kind = Literal["constant", "uniform", "lognormal", "switch"]

TAGS: dict[str, str] = {
    "S": "read in source",
    "D": "vendor documentation",
    "M": "measured or reported by someone",
    "F": "folklore",
    "J": "our own derivation or judgement",
    "MEM": "from memory",
    "SET": "set by hand, in the scenario, the topology or with --set",
}


@dataclass(frozen=True)
class Parameter:
    """One default. Time values are microseconds when `unit` is "us".

    constant: (value,); uniform: (least, greatest); lognormal: (median, log-sd); switch: (0 or 1,).

    `low` and `high` are the range that a verdict must hold across: of the value (constant), of the median
    (lognormal), of the middle, both ends moving with it (uniform). `sigma_low` and `sigma_high` are the range of a
    lognormal's log-sd. Tags J and F carry a range; a switch, and a value set by hand without a source, carry none.
    """

    name: str
    kind: Kind
    values: tuple[float, ...]
    unit: str  # us, 1, 1/s, share, vCPU, switch
    tag: Tag
    source: str  # where it comes from, "CALIBRATION 1"
    why: str = ""
    low: float | None = None
    high: float | None = None
    sigma_low: float | None = None
    sigma_high: float | None = None

    def sample(self, uniform: float, normal: float) -> float:
        """Value at given draws: `uniform` in (0, 1) for a uniform, standard `normal` for a lognormal."""
        if self.kind == "uniform":
            low, high = self.values
            return low + (high - low) * uniform
        if self.kind == "lognormal":
            median, sigma = self.values
            return median * math.exp(sigma * normal)
        return self.values[0]


@dataclass(frozen=True)
class Parameters:
    """The resolved catalogue."""

    by_name: Mapping[str, Parameter] = field(default_factory=dict)

    def number(self, name: str) -> float:
        """Value of a constant."""
        parameter = self.by_name[name]
        assert parameter.kind == "constant", f"{name} is a {parameter.kind}"
        return parameter.values[0]

    def duration_us(self, name: str) -> int:
        """Value of a constant duration."""
        assert self.by_name[name].unit == "us", name
        return round(self.number(name))

    def on(self, name: str) -> bool:
        """Whether a switch (an ablation) is on."""
        parameter = self.by_name[name]
        assert parameter.kind == "switch", f"{name} is a {parameter.kind}"
        return bool(parameter.values[0])

    def sample(self, name: str, uniform: float, normal: float) -> float:
        """Value at given draws: uniform in (0,1) for uniform, standard normal for lognormal."""
        return self.by_name[name].sample(uniform, normal)

    def describe(self) -> list[dict[str, Any]]:
        """Rows of `show --parameters`, JSON values."""
        return [asdict(p) | {"values": list(p.values)} for p in self.by_name.values()]

    @classmethod
    def from_rows(cls, rows: list[dict[str, Any]]) -> "Parameters":
        """Inverse of `describe`, for what a record keeps."""
        return cls({row["name"]: Parameter(**row | {"values": tuple(row["values"])}) for row in rows})
