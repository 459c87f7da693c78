"""What pydantic can find in a file is a closed list, and each finding has words of its own."""

from collections.abc import Iterator
from typing import Any

import pytest

from scenarios.files.findings import KINDS
from scenarios.files.schema import MODELS

# Node of pydantic's core schema -> findings that it can have; those of its bounds stand below.
FINDINGS: dict[str, set[str]] = {
    "model": {"model_type"},
    "model-fields": {"model_type", "missing"},  # and extra_forbidden, which names the keys itself
    "tuple": {"tuple_type", "missing"},
    "dict": {"dict_type"},
    "str": {"string_type"},
    "int": {"int_type"},
    "float": {"float_type", "finite_number"},
    "bool": {"bool_type"},
    "literal": {"literal_error"},
    "function-before": {"value_error"},
    "function-after": {"value_error"},
}
WITHOUT = {"any", "default", "nullable", "union", "tagged-union", "definitions", "definition-ref", "model-field"}
BOUNDS = {
    "ge": "greater_than_equal", "gt": "greater_than", "le": "less_than_equal", "lt": "less_than",
    "pattern": "string_pattern_mismatch",
}  # fmt: skip


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Nodes of a core schema: what has a type, but for what is only told about it."""
    if isinstance(schema, dict):
        if isinstance(schema.get("type"), str):
            yield schema
        for key, child in schema.items():
            if key not in ("function", "metadata", "serialization", "default", "config"):
                yield from nodes(child)
    elif isinstance(schema, list | tuple):
        for child in schema:
            yield from nodes(child)


@pytest.mark.parametrize("name", MODELS)
def test_every_finding_has_words(name: str) -> None:
    found = list(nodes(MODELS[name].__pydantic_core_schema__))
    assert {node["type"] for node in found} <= {*FINDINGS, *WITHOUT}
    kinds = set().union(*(FINDINGS.get(node["type"], set()) for node in found))
    kinds |= {kind for node in found for bound, kind in BOUNDS.items() if bound in node}
    for node in found:
        for bound, kind in (("min_length", "too_short"), ("max_length", "too_long")):
            if bound in node:
                kinds.add(f"string_{kind}" if node["type"] == "str" else kind)
    assert kinds <= set(KINDS)
