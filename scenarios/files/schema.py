"""JSON Schema out, as an editor uses it: names and units of the files, not of the code.

Each schema allows what `load` allows in one file; what spans files (names that must exist, cycles, overlaps) is left
to `gameday check`.
"""

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

_MODELS: dict[str, type[BaseModel]] = {
    "scenario": Scenario,
    "topology": Topology,
    "procedure": Procedure,
    "objectives": Objectives,
    "suite": Suite,
}
_UNIT = {"duration": r"(us|ms|s|min|h|d)", "share": r"\s*%", "time of day": units.TIME_OF_DAY}
_SOURCED = {
    "type": "object",
    "title": "Sourced value",
    "description": "A value with its source, and the range that a verdict must hold across.",
    "properties": {
        "value": {"description": "the value itself, as it would stand alone"},
        "tag": {
            "enum": list(get_args(Tag)),
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
    return {name: _schema(name, model) for name, model in _MODELS.items()}


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


def _closed(node: dict[str, Any], names: Any) -> None:
    target = next((n for n in node.get("anyOf", ()) if n.get("type") == "string"), node)
    target["enum"] = sorted(names)


def _readable(node: Any) -> None:
    """Write defaults as a file would, and drop the titles that only repeat the field's name."""
    if isinstance(node, list):
        for item in node:
            _readable(item)
    elif isinstance(node, dict):
        for key, child in node.items():
            if key == "properties":
                for field in child.values():
                    field.pop("title", None)
            if key != "default":
                _readable(child)
        if (
            "default" in node
            and not isinstance(node["default"], str | bool | None)
            and not isinstance(node["default"], dict | list)
        ):
            text = _written(node)
            if text is not None:
                node["default"] = text
        elif isinstance(node.get("default"), dict) and node["default"]:
            del node["default"]  # a model's own defaults stand at its fields


def _written(node: dict[str, Any]) -> str | None:
    patterns = [n.get("pattern", "") for n in (node, *node.get("anyOf", ()))]
    value = node["default"]
    if any(_UNIT["duration"] in p for p in patterns):
        return units.duration(value)
    if any(_UNIT["share"] in p for p in patterns):
        return f"{value * 100:g} %"
    if any(_UNIT["time of day"] in p for p in patterns):
        return f"{value // 3600:02d}:{value % 3600 // 60:02d}"
    return None


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


def _allowed(field: dict[str, Any]) -> dict[str, Any]:
    alone = [n for n in field.get("anyOf", [field]) if n.get("type") != "null"]
    if not all(
        n.get("type") in ("integer", "number", "boolean") or ("pattern" in n and "examples" in n) for n in alone
    ):
        return _sourced(field)  # type: ignore[no-any-return]
    outer: dict[str, Any] = {key: field[key] for key in ("description", "default") if key in field}
    inner = {key: value for key, value in field.items() if key not in outer}
    return {"anyOf": [*inner.pop("anyOf", [inner] if inner else []), {"$ref": "#/$defs/Sourced"}], **outer}
