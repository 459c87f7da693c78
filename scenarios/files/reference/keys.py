"""Tables of the keys of a kind of file, from its JSON Schema."""

import json
from collections.abc import Iterable, Iterator
from typing import Any


def table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def keys(schema: dict[str, Any]) -> str:
    """Return a section for the file itself and one for each mapping in it, in the order in which they are met."""
    known, waiting, done = schema.get("$defs", {}), [str(schema["title"])], list[str]()
    parts = []
    while waiting:
        name = waiting.pop(0)
        if name in done or name == "Sourced":
            continue
        done.append(name)
        node = schema if name == schema["title"] else known[name]
        parts.append(_section(name, node))
        waiting += list(_references(node.get("properties", {})))
    return "\n".join(parts)


def _section(name: str, node: dict[str, Any]) -> str:
    needed = node.get("required", ())
    rows = [
        (f"`{key}`", words(field), _default(key in needed, field), field.get("description", ""))
        for key, field in node["properties"].items()
    ]
    return f"### {name}\n\n{node.get('description', '')}\n\n{table(('key', 'value', 'default', 'what it is'), rows)}"


def _default(needed: bool, field: dict[str, Any]) -> str:
    if needed:
        return "needed"
    value = field.get("default")
    return "" if value in (None, "", []) else f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].rpartition("/")[2]
        for child in node.values():
            yield from _references(child)
    elif isinstance(node, list):
        for child in node:
            yield from _references(child)


def words(field: dict[str, Any]) -> str:
    """Return what a key takes, in words."""
    if "anyOf" in field:
        members = [m for m in field["anyOf"] if m.get("type") != "null" and m.get("$ref") != "#/$defs/Sourced"]
        return " or ".join(dict.fromkeys(words(m) for m in members))
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        few = len(field["enum"]) <= 6
        return " or ".join(f"`{value}`" for value in field["enum"]) if few else "a name, listed below"
    if "examples" in field:
        return f"quantity, e.g. `{field['examples'][0]}`"
    return _plain(field)


def _plain(field: dict[str, Any]) -> str:
    kind = field.get("type")
    if "prefixItems" in field:
        return f"list of {' and '.join(words(item) for item in field['prefixItems'])}"
    if kind == "array":
        return f"list of {words(field['items'])}"
    if kind == "object":
        inner = next(iter(field.get("patternProperties", {}).values()), field.get("additionalProperties"))
        return f"mapping from name to {words(inner)}" if isinstance(inner, dict) and inner else "mapping"
    if kind in ("integer", "number"):
        what = "whole number" if kind == "integer" else "number"
        least, most = field.get("minimum", field.get("exclusiveMinimum")), field.get("maximum")
        bounds = f" {least:,g} to {most:,g}" if least is not None and most is not None else ""
        return f"{what}{bounds}"
    return {"string": "text", "boolean": "`true` or `false`"}.get(str(kind), "a value")
