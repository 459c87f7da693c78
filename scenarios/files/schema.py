"""JSON Schema out, as an editor uses it: names and units of the files, not of the code.

Each schema allows what `load` allows in one file; what spans files (names that must exist, cycles, overlaps) is left
to `gameday check`.
"""

import json
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel

from scenarios.model import units
from scenarios.model.faults import FAULTS
from scenarios.model.objective import Objectives, Suite
from scenarios.model.parameters import Tag
from scenarios.model.procedure import Procedure
from scenarios.model.scenario import Scenario
from scenarios.model.topology import Topology
from scenarios.record.kinds import KINDS

MODELS: dict[str, type[BaseModel]] = {
    "scenario": Scenario,
    "topology": Topology,
    "procedure": Procedure,
    "objectives": Objectives,
    "suite": Suite,
}
_NOT_JSON_SCHEMA = ("gt", "ge", "lt", "le")  # pydantic leaves these at a quantity with a unit
_SOURCED = {
    "type": "object",
    "title": "Sourced value",
    "description": "A value with its source, and the range that a verdict must hold across.",
    "properties": {
        "value": {"description": "the value itself, as it would stand alone"},
        "tag": {
            "enum": [tag for tag in get_args(Tag) if tag != "SET"],
            "description": "S source, D documentation, M measured, F folklore, J judgement, MEM memory",
        },
        "source": {"type": "string", "minLength": 1},
        "range": {"type": "array", "minItems": 2, "maxItems": 2},
        "why": {"type": "string"},
    },
    "required": ["value", "tag", "source"],
    "additionalProperties": False,
}


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema (2020-12) of each kind of file: scenario, topology, procedure, objectives, suite."""
    return {name: _schema(name, model) for name, model in MODELS.items()}


def text(schema: dict[str, Any]) -> str:
    """Return a schema as it is published."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _schema(name: str, model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True)
    _readable(schema)
    if name == "topology":
        schema = _sourced(schema)
        schema["$defs"]["Sourced"] = _SOURCED
    if name == "scenario":
        _closed(schema["$defs"]["Entry"]["properties"]["fault"], FAULTS)
        _closed(schema["$defs"]["Trigger"]["properties"]["mark"], KINDS)
    if name == "objectives":
        schema["$defs"]["Objective"]["oneOf"] = [{"required": ["runbook"]}, {"required": ["rationale"]}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _closed(node: dict[str, Any], names: Iterable[str]) -> None:
    target = next((n for n in node.get("anyOf", ()) if n.get("type") == "string"), node)
    target["enum"] = sorted(names)


def _readable(node: Any) -> None:
    """Write defaults as a file would, and drop what only repeats the field's name or is no JSON Schema."""
    if isinstance(node, list):
        for item in node:
            _readable(item)
    elif isinstance(node, dict):
        for key in _NOT_JSON_SCHEMA:
            node.pop(key, None)
        for key, child in node.items():
            if key == "properties":
                for field in child.values():
                    field.pop("title", None)
            if key != "default":
                _readable(child)
        if "oneOf" in node:
            node["anyOf"] = node.pop("oneOf")  # members of a union differ in kind: no value is two of them
        if "default" in node:
            _default(node)
        if "patternProperties" in node:
            node["additionalProperties"] = False  # a name that does not fit is none


def _default(node: dict[str, Any]) -> None:
    value = node["default"]
    if isinstance(value, dict):
        del node["default"]  # a model's own defaults stand at its fields
    elif isinstance(value, int | float) and not isinstance(value, bool):
        node["default"] = _written(node, value)


def _written(node: dict[str, Any], value: float) -> float | str:
    patterns = {n.get("pattern", "").strip("^$") for n in (node, *node.get("anyOf", ()))}
    for quantity, words in (
        (units.DURATION, units.duration(value)),
        (units.SHARE, f"{value * 100:g} %"),
        (units.TIME_OF_DAY, f"{int(value) // 3600:02d}:{int(value) % 3600 // 60:02d}"),
    ):
        if any(quantity.replace("[+-]?", "\\+?") in pattern for pattern in patterns):
            return words
    return value


def _sourced(node: Any) -> Any:
    """Allow {value, tag, source} wherever a single value stands."""
    if isinstance(node, list):
        return [_sourced(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {}
    for key, child in node.items():
        if key == "properties":
            result[key] = {name: _allowed(field) for name, field in child.items()}
        else:
            result[key] = _sourced(child)
    return result


def _allowed(field: dict[str, Any]) -> Any:
    alone = [n for n in field.get("anyOf", [field]) if n.get("type") != "null"]
    if not any(
        n.get("type") in ("integer", "number", "boolean") or ("pattern" in n and "examples" in n) for n in alone
    ):
        return _sourced(field)
    outer: dict[str, Any] = {key: field[key] for key in ("description", "default") if key in field}
    inner = {key: value for key, value in field.items() if key not in outer}
    return {"anyOf": [*inner.pop("anyOf", [inner] if inner else []), {"$ref": "#/$defs/Sourced"}], **outer}
