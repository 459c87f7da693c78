"""What the reverter would lift, kept durably, and what became of it."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self


class PlanError(ValueError):
    """A plan that cannot be taken; the words say why."""


@dataclass(frozen=True)
class Plan:
    """Lifts of one run.

    `generation` grows by one with each plan, over all runs. `home` is the region that may write when the run began;
    `nodes` are the containers of each region. `cut` are nodes that were cut from the network before they went on,
    with the address that they had: the old primary stays fenced until somebody demotes it.
    """

    generation: int
    run: str
    lifts: tuple[Mapping[str, Any], ...] = ()
    home: str = ""
    nodes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    network: str = ""
    stored_us: int = 0
    cut: Mapping[str, str] = field(default_factory=dict)
    results: tuple[Mapping[str, Any], ...] = ()
    lifted_by: str = ""

    @classmethod
    def of(cls, document: Any) -> Self:
        """Read a plan from JSON values. Raises PlanError."""
        if not isinstance(document, dict):
            raise PlanError("a plan is an object")
        known = set(cls.__dataclass_fields__)
        if extra := set(document) - known:
            raise PlanError(f"a plan has no {', '.join(sorted(extra))}")
        generation, lifts = document.get("generation"), document.get("lifts", [])
        if not isinstance(generation, int) or generation < 0 or not isinstance(document.get("run"), str):
            raise PlanError("a plan needs a generation, a number, and the name of its run")
        if not isinstance(lifts, list) or not all(
            isinstance(lift, dict) and set(lift) == {"verb", "target", "arguments"} for lift in lifts
        ):
            raise PlanError("lifts are a list of objects with verb, target and arguments")
        return cls(**document | {"lifts": tuple(lifts), "results": tuple(document.get("results", []))})

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**asdict(self), "lifts": [dict(lift) for lift in self.lifts], "results": list(self.results)}

    @property
    def done(self) -> bool:
        """Whether there is nothing left to lift."""
        return not self.lifts or (bool(self.results) and all(result["ok"] for result in self.results))


EMPTY = Plan(generation=0, run="")


class Store:
    """The plan on disk: what was written is there after a crash of the container, or of the machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "plan.json"

    def read(self) -> Plan:
        """Return the plan; an empty one when none was ever written."""
        try:
            return Plan.of(json.loads(self._path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return EMPTY

    def write(self, plan: Plan) -> None:
        """Replace the plan, and return when it is on disk."""
        new = self._path.with_suffix(".new")
        with new.open("w", encoding="utf-8") as file:
            json.dump(plan.to_json(), file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
