"""Overrides: `--set` on the command line, `set:` of a scenario, `parameters:` of a topology."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from scenarios.errors import InvalidFileError, Problem, UsageError
from scenarios.files import parameters as catalogue
from scenarios.files.findings import short
from scenarios.files.parse import names
from scenarios.files.yaml import Document
from scenarios.model.parameters import Parameter
from scenarios.model.scenario import Scenario
from scenarios.model.topology import Topology
from scenarios.model.units import UnusableError

NAMES = ("topology", "title")  # of the topology's own file; another name is not another topology


@dataclass
class Target:
    """What overrides change: the documents before they become models, the parameters, and the sizes with a source."""

    scenario: Document
    topology: Document
    parameters: dict[str, Parameter]
    sizes: dict[str, Parameter]
    changed: list[str] = field(default_factory=list)

    def apply(self, changes: Mapping[str, Any], document: Document | None, prefix: str) -> None:
        """Apply changes that stand in a file, or on the command line (`document` is None)."""
        for name, value in changes.items():
            flag = f"--set {name}={value}"[:120]
            where = document.where(f"{prefix}.{name}") if document else flag
            problem = self._one(str(name), value, where)
            if problem is not None:
                raise InvalidFileError(problem) if document else UsageError(problem)
            self.changed.append(str(name))

    def _one(self, name: str, value: Any, where: str) -> Problem | None:
        if name in NAMES:
            remedy = "Name it in the file of the scenario; on the command line `--as kind` plays what a cluster plays."
            return Problem(where, f"`{name}`, which names a file", "a parameter, or a value in the topology", remedy)
        if name in self.parameters:
            return self._parameter(self.parameters, name, value, where)
        model, document, parts = self._root(name)
        place = _set(model, document, parts, value)
        if place is None:
            return self._unknown(name, where)
        size = catalogue.name_of(name)
        for known in [known for known in document.origins if known.startswith(place + ".")]:
            del document.origins[known]
        for known in [k for k in self.sizes if k.startswith(f"{size}.") or size.startswith(f"{k}.")]:
            del self.sizes[known]  # their source spoke of the values before
        document.origins[place] = where
        if _typed(value, None) is None or isinstance(value, dict):
            self.sizes.pop(size, None)
        elif size in self.sizes:
            return self._parameter(self.sizes, size, value, where)
        return None

    def _root(self, name: str) -> tuple[type[BaseModel], Document, list[str]]:
        parts = name.split(".")
        return (Scenario, self.scenario, parts) if parts[0] == "workload" else (Topology, self.topology, parts)

    def _parameter(self, known: dict[str, Parameter], name: str, value: Any, where: str) -> Problem | None:
        try:
            known[name] = catalogue.overridden(known[name], value)
        except UnusableError as error:
            return Problem(where, short(value), error.expected, error.remedy)
        return None

    def _unknown(self, name: str, where: str) -> Problem:
        paths = [*_paths(self.topology.values), *_paths({"workload": self.scenario.values.get("workload")})]
        near = difflib.get_close_matches(name, [*self.parameters, *map(catalogue.name_of, paths)], n=1)
        remedy = f"Did you mean `{near[0]}`?" if near else "`gameday show SCENARIO --parameters` lists the parameters."
        return Problem(
            where, f"unknown key `{name[:80]}`", "a parameter, or a dotted path in the topology or the workload", remedy
        )


def _set(model: type[BaseModel], document: Document, parts: list[str], value: Any) -> str | None:
    """Set the value at a path; its place in the document, None if the model has no such place."""
    node: Any = document.values
    path: list[str] = []
    for index, part in enumerate(parts):
        key: Any = _key(node, part, names(model, path))
        if key is None:
            return None
        path.append(str(key))
        if index == len(parts) - 1:
            node[key] = _typed(value, node[key] if isinstance(node, list) else node.get(key))
            return ".".join(path)
        if isinstance(node, dict) and not isinstance(node.get(key), dict | list):
            if not names(model, path):
                return None
            node[key] = {}
        node = node[key]
    return None


def _key(node: Any, part: str, fields: list[str]) -> str | int | None:
    if isinstance(node, list):
        return int(part) if part.isascii() and part.isdigit() and len(part) < 6 and int(part) < len(node) else None
    if not isinstance(node, dict):
        return None
    wanted = catalogue.name_of(part)
    return next((key for key in [*node, *fields] if catalogue.name_of(str(key)) == wanted), None)


def _typed(value: Any, old: Any) -> Any:
    """Text of a `--set` in the type the file would give it."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    word = text.lower()
    if word in ("true", "false") or (isinstance(old, bool) and word in ("on", "off")):
        return word in ("true", "on")
    if word == "null":
        return None
    for kind in (int, float):
        try:
            return kind(text) if len(text) < 20 and text.isascii() and "_" not in text else value
        except ValueError:
            continue
    return value


def _paths(node: Any, prefix: str = "") -> list[str]:
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else None
    if pairs is None:
        return [prefix]
    return [p for k, v in pairs for p in _paths(v, f"{prefix}.{k}" if prefix else str(k))]
