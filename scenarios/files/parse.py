"""From a document to a model: pydantic's findings as problems with file, line, key and remedy."""

import difflib
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from scenarios.errors import InvalidFileError, Problem
from scenarios.files.findings import BOUNDS, Finding
from scenarios.files.yaml import Document


def parse[M: BaseModel](model: type[M], document: Document) -> M:
    """Make a model of a document. Raises InvalidFileError with a problem for each finding."""
    try:
        return model.model_validate(document.values, context={"file": True}, by_alias=True, by_name=False)
    except ValidationError as error:
        found = [e for e in error.errors() if not _follows(e)]
        raise InvalidFileError(*_problems(model, document, found)) from error


def _follows(error: Any) -> bool:
    """Whether a list is called too short only because what stands in it is wrong, which is said anyway."""
    return bool(error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"])


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
    where, kind = document.where(".".join(path)), error["type"]
    if kind == "extra_forbidden":
        known = names(model, path[:-1])
        near = difflib.get_close_matches(path[-1], known, n=1)
        hint = f"Did you mean `{near[0]}`?" if near else "Remove it."
        return Problem(where, f"unknown key `{path[-1][:80]}`", f"one of {', '.join(sorted(known))}", hint)
    value = _written(document.values, path) if kind in BOUNDS else error["input"]
    finding = Finding(kind, value, error.get("ctx", {}), error["loc"][-1], lambda *more: names(model, [*path, *more]))
    return Problem(where, *finding.words())


def _written(values: Any, path: list[str]) -> object:
    """Return the value at a path as the file has it; pydantic reports a quantity in its unit of storage."""
    for part in path:
        values = values[int(part)] if isinstance(values, list) else values[part]
    return values


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
