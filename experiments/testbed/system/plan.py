"""What the reverter would lift, kept durably, and what became of it."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

# What each verb needs in `arguments`. The target is a container, a region (kube-*, aws), or a URL (http).
#   docker-unpause  container   {}
#   docker-start    container   {}
#   docker-connect  container   network, ip      the address that it had before
#   docker-exec     container   command          a list of words; exit code 0, also when there is nothing to undo
#   kube-patch      region      path, patch, type    path of the object on the API server; type: merge, strategic, json
#   kube-delete     region      path             404 is fine: it is gone
#   http            URL         method, body     JSON body; any 2xx is fine
#   aws             region      verb, options    a verb of experiments/platforms/eks on the region's target
NEEDED: dict[str, tuple[str, ...]] = {
    "docker-unpause": (),
    "docker-start": (),
    "docker-connect": ("network", "ip"),
    "docker-exec": ("command",),
    "kube-patch": ("path", "patch", "type"),
    "kube-delete": ("path",),
    "http": ("method", "body"),
    "aws": ("verb", "options"),
}


class PlanError(ValueError):
    """A plan that cannot be taken; the words say why."""


def _is_number(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_lift(value: Any) -> bool:
    """Whether it is a verb of the list, on a target, with the arguments that it needs and no others."""
    if not isinstance(value, dict) or set(value) != {"verb", "target", "arguments"}:
        return False
    verb, target, arguments = value["verb"], value["target"], value["arguments"]
    known = isinstance(verb, str) and verb in NEEDED and isinstance(target, str) and bool(target)
    return known and isinstance(arguments, dict) and set(arguments) == set(NEEDED[verb])


def _is_result(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"verb", "target", "ok", "detail", "took_s"}


def _all(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _each(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(fits, value.values()))


# Fields of a plan as JSON has them.
_FITS: dict[str, Callable[[Any], bool]] = {
    "generation": _is_number,
    "run": _is_text,
    "lifts": _all(_is_lift),
    "home": _is_text,
    "nodes": _each(_all(_is_text)),
    "network": _is_text,
    "stored_us": _is_number,
    "cut": _each(_is_text),
    "results": _all(_is_result),
    "lifted_by": _is_text,
}


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
        if wrong := [name for name, fits in _FITS.items() if name in document and not fits(document[name])]:
            raise PlanError(f"{', '.join(wrong)}: not what a plan holds there")
        if not {"generation", "run"} <= set(document):
            raise PlanError("a plan needs a generation, a number, and the name of its run")
        many = {name: tuple(document.get(name, [])) for name in ("lifts", "results")}
        return cls(**document | many)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**asdict(self), "lifts": [dict(lift) for lift in self.lifts], "results": list(self.results)}

    @property
    def done(self) -> bool:
        """Whether there is nothing left to lift."""
        tried = len(self.results) >= len(self.lifts)
        return not self.lifts or (tried and all(result["ok"] for result in self.results))


EMPTY = Plan(generation=0, run="")


class Keeper(Protocol):
    """What keeps a plan durably."""

    def read(self) -> Plan:
        """Return the plan; an empty one when none was ever written. Raises PlanError when it is damaged."""

    def set_aside(self) -> None:
        """Keep a damaged plan out of the next one's way."""

    def write(self, plan: Plan) -> None:
        """Replace the plan, and return when it is kept. Raises OSError when it cannot be."""


class Store:
    """The plan on disk: what was written is there after a crash of the container, or of the machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "plan.json"

    def read(self) -> Plan:
        """Return the plan; an empty one when none was ever written. Raises PlanError when the file is damaged."""
        try:
            return Plan.of(json.loads(self._path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return EMPTY
        except (OSError, ValueError) as error:
            raise PlanError(f"{self._path} is damaged: {error}") from error

    def set_aside(self) -> None:
        """Keep a damaged file under another name, out of the next plan's way."""
        self._path.replace(self._path.with_suffix(".damaged"))

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
