"""From a document to a model: pydantic's findings as problems with file, line, key and remedy."""

import difflib
import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from scenarios.errors import InvalidFileError, Problem
from scenarios.files.yaml import Document
from scenarios.model import units
from scenarios.model.base import NAME_PATTERN
from scenarios.model.objective import OBJECTIVE_PATTERN

_BOUNDS = {
    "greater_than_equal": ("ge", "at least", "larger"),
    "greater_than": ("gt", "more than", "larger"),
    "less_than_equal": ("le", "at most", "smaller"),
    "less_than": ("lt", "less than", "smaller"),
}
_PATTERNS = {
    NAME_PATTERN: "a name of letters, digits, - and _",
    OBJECTIVE_PATTERN: "GROUP.NAME, e.g. rto.risk",
}
_TYPES = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a number that is not infinite",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list, [a, b]",
    "dict_type": "a mapping, {key: value}",
    "model_type": "a mapping, {key: value}",
    "model_attributes_type": "a mapping, {key: value}",
}


def parse[M: BaseModel](model: type[M], document: Document) -> M:
    """Make a model of a document. Raises InvalidFileError with a problem for each finding."""
    try:
        return model.model_validate(document.values, context={"file": True}, by_alias=True, by_name=False)
    except ValidationError as error:
        raise InvalidFileError(*_problems(model, document, error.errors())) from error


def names(model: type[BaseModel], path: Iterable[str]) -> list[str]:
    """Keys that a mapping at this path of the model may have; none if any may, or if there is no such mapping."""
    current: Any = model
    for part in path:
        current = _inner(current, part)
        if current is None:
            return []
    return _keys(current) if isinstance(current, type) and issubclass(current, BaseModel) else []


def _problems(model: type[BaseModel], document: Document, errors: list[Any]) -> list[Problem]:
    """One problem for each place: the members of a union each have a finding of their own there."""
    by_place: dict[str, list[Problem]] = {}
    for error in errors:
        path = _existing(document.values, error["loc"])
        missing = error["loc"][-1] if error["type"] == "missing" else ""
        by_place.setdefault(f"{'.'.join(path)} {missing}", []).append(_problem(model, document, error, path))
    result = []
    for problems in by_place.values():
        first, expected = problems[0], " or ".join(dict.fromkeys(p.expected for p in problems))
        result.append(Problem(first.where, first.found, expected, problems[-1].remedy))
    return result


def _problem(model: type[BaseModel], document: Document, error: Any, path: list[str]) -> Problem:
    where, kind, found = document.where(".".join(path)), error["type"], _short(error["input"])
    if kind == "extra_forbidden":
        known = names(model, path[:-1])
        near = difflib.get_close_matches(path[-1], known, n=1)
        hint = f"Did you mean `{near[0]}`?" if near else "Remove it."
        return Problem(where, f"unknown key `{path[-1][:80]}`", f"one of {', '.join(sorted(known))}", hint)
    if kind == "missing":
        key = error["loc"][-1]
        if isinstance(key, int):
            return Problem(where, found, f"at least {key + 1} values", "Add what is missing.")
        return Problem(where, f"no `{key}`", f"the key `{key}`", f"Add `{key}:`.")
    if kind == "value_error":
        remedy = "Give one of them." if isinstance(error["input"], dict) else "Write a number and its unit."
        return Problem(where, found, str(error["ctx"]["error"]), remedy)
    if kind in _BOUNDS:
        bound, words, direction = _BOUNDS[kind]
        written = _written(document.values, path)
        limit = _in_unit_of(written, error["ctx"][bound])
        return Problem(where, _short(written), f"{words} {limit}", f"Give a {direction} value.")
    if kind == "literal_error":
        allowed = error["ctx"]["expected"].replace("'", "`")
        return Problem(where, found, allowed, _nearest(error["input"], allowed))
    if kind == "string_pattern_mismatch":
        return Problem(where, found, _PATTERNS[error["ctx"]["pattern"]], "Choose another name.")
    if kind in ("too_short", "string_too_short"):
        return Problem(where, found, "something here", "Fill it in.")
    if kind in ("too_long", "string_too_long"):
        what = "values" if isinstance(error["input"], list) else "characters"
        return Problem(where, found, f"at most {error['ctx']['max_length']} {what}", "Write less.")
    expected = _TYPES.get(kind, error["msg"][0].lower() + error["msg"][1:])
    return Problem(where, found, expected, "Change the value.")


def _written(values: Any, path: list[str]) -> object:
    """Return the value at a path as the file has it; pydantic reports a quantity in its unit of storage."""
    for part in path:
        values = values[int(part)] if isinstance(values, list) else values[part]
    return values


def _in_unit_of(written: object, bound: float) -> str:
    """Return a bound in the unit that was written."""
    text = written.strip() if isinstance(written, str) else ""
    if re.fullmatch(units.DURATION, text):
        return units.duration(bound)
    if text.endswith("%"):
        return f"{bound * 100:g} %"
    if "/" in text:
        return f"{bound:,.0f}/s"
    return f"{bound:g} vCPU" if text.endswith("vCPU") else f"{bound:g}"


def _nearest(value: object, allowed: str) -> str:
    near = difflib.get_close_matches(str(value), allowed.split("`")[1::2], n=1)
    return f"Did you mean `{near[0]}`?" if near else "Choose one of them."


def _existing(values: Any, location: tuple[int | str, ...]) -> list[str]:
    """Parts of a location that are keys of the document (pydantic adds names of union members)."""
    path: list[str] = []
    node = values
    for part in location:
        named = isinstance(node, dict) and part in node
        numbered = isinstance(node, list) and isinstance(part, int) and part < len(node)
        if named or numbered:
            node = node[part]
            path.append(str(part))
    return path


def _keys(model: type[BaseModel]) -> list[str]:
    return [info.alias or name for name, info in model.model_fields.items()]


def _inner(current: Any, part: str) -> Any:
    if isinstance(current, type) and issubclass(current, BaseModel):
        for name, info in current.model_fields.items():
            if part in (info.alias, name):
                return _unwrap(info.annotation)
        return None
    return _unwrap(current)


def _unwrap(annotation: Any) -> Any:
    """Return the model inside `Model | None`, or the container of models itself (its members have no name)."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    arguments = getattr(annotation, "__args__", ())
    if getattr(annotation, "__origin__", None) in (tuple, dict):
        inner = _unwrap(arguments[0 if annotation.__origin__ is tuple else 1])
        return _Members(inner) if inner is not None else None
    for argument in arguments:
        if (inner := _unwrap(argument)) is not None:
            return inner
    return annotation.inner if isinstance(annotation, _Members) else None


class _Members:
    """A list or a mapping by name of models."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner


def _short(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return f"a {'mapping' if isinstance(value, dict) else 'list'} of {len(value)}"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
