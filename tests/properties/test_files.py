"""Whatever stands in a file, the worst that comes of it is an InvalidFileError."""

import contextlib
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from scenarios.errors import GamedayError, InvalidFileError
from scenarios.files.catalogue import check
from scenarios.files.library import LIBRARY
from scenarios.files.load import load
from scenarios.files.parameters import quantity
from scenarios.files.parse import parse
from scenarios.files.schema import MODELS
from scenarios.files.yaml import Document, read
from scenarios.model import units
from tests.unit.scenarios.texts import FILES, write

TOKEN = re.compile(r"\s+|[A-Za-z0-9_.%/-]+|.", re.DOTALL)
SIGNS = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "-",
    "?",
    "|",
    ">",
    "'",
    '"',
    "#",
    "&a",
    "*a",
    "!t",
    "%",
    "@",
    "`",
    "~",
    "<<",
    "---",
]
WORDS = [
    "null",
    "true",
    "no",
    "0",
    "-1",
    "1e999",
    ".nan",
    "9" * 30,
    "5 min",
    "-5 min",
    "5 %",
    "1/s",
    "99 d",
    "here",
    "tag",
]
BLANKS = [
    "\n",
    "\n  ",
    "\t",
    "\x00",
    "\x85",
    "\u2028",
    "\ufeff",
    "é",
    "\U0001f600",
    '"\\U99999999"',
    "value",
    "source",
    "...",
]
ODD = st.sampled_from([*SIGNS, *WORDS, *BLANKS])
Mutation = tuple[str, float, float, str]
KINDS = st.sampled_from(["delete", "duplicate", "replace", "insert", "swap"])
PLACE = st.floats(0, 0.999)
MUTATIONS = st.lists(st.tuples(KINDS, PLACE, PLACE, ODD), min_size=1, max_size=5)
KEYS = st.sampled_from(
    [
        *(
            "people.acknowledge",
            "switches.fencing",
            "services.risk",
            "services.risk.replicas",
            "calls.0",
            "calls.0.from",
        ),
        *("workload", "workload.rate", "workload.history", "database.home", "regions", "monitoring.alerts", "people"),
        *("x", "."),
    ]
)


GENERIC = re.compile("change the value|input should|value error|mend the syntax", re.IGNORECASE)
PLACE_OF_IT = re.compile(r"[^:]+\.yaml(:\d+(:\d+)?( \(.+\))?)?|--set .*", re.DOTALL)


def mendable(error: GamedayError) -> None:
    """Check that each problem says where, what was found, what was expected, and the remedy, in words of its own."""
    for problem in error.problems:
        assert problem.where
        assert problem.found
        assert problem.expected
        assert problem.remedy.endswith((".", "?"))
        assert not GENERIC.search(str(problem))
        str(problem).encode()  # it can be printed
        if isinstance(error, InvalidFileError):
            assert PLACE_OF_IT.fullmatch(problem.where), problem.where


def mutated(text: str, mutations: list[Mutation]) -> str:
    """Return the text after some of its tokens were deleted, doubled, replaced or swapped."""
    tokens = TOKEN.findall(text)
    for kind, first, second, odd in mutations:
        if not tokens:
            return odd
        at, other = int(first * len(tokens)), int(second * len(tokens))
        if kind == "delete":
            del tokens[at : at + 1 + int(second * 8)]
        elif kind == "duplicate":
            tokens[at:at] = tokens[at : at + 1 + int(second * 20)]
        elif kind == "swap":
            tokens[at], tokens[other] = tokens[other], tokens[at]
        else:
            tokens[at : at + (kind == "replace")] = [odd]
    return "".join(tokens)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("gamedays"))


@pytest.mark.proves("a file with anything in it is read, or refused with an error that a person can mend")
@given(name=st.sampled_from(sorted(FILES)), mutations=MUTATIONS)
@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_mutated_files(folder: Path, name: str, mutations: list[Mutation]) -> None:
    file = folder / name
    file.write_text(mutated(FILES[name], mutations), encoding="utf-8", newline="")
    try:
        mendable(InvalidFileError(*check([file], search=[folder])))
        try:
            load(str(folder / "scenarios" / "mine.yaml"), paths=[folder])
        except InvalidFileError as error:
            mendable(error)
    finally:
        file.write_text(FILES[name], encoding="utf-8")


@given(data=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
@example(data=b"\xff\xfe")
@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes(folder: Path, data: bytes) -> None:
    file = folder / "any.yaml"
    file.write_bytes(data)
    try:
        assert isinstance(read(file).values, dict)
    except InvalidFileError as error:
        mendable(error)


def places(node: object, path: tuple[int | str, ...] = ()) -> Iterator[tuple[int | str, ...]]:
    """Paths of all values of a document."""
    if path:
        yield path
    for key, child in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from places(child, (*path, key))


def with_value(node: object, path: tuple[int | str, ...], value: object) -> Any:
    """Return a document with another value at a path."""
    if not path:
        return value
    if isinstance(node, dict):
        return {**node, path[0]: with_value(node[path[0]], path[1:], value)}
    assert isinstance(node, list)
    return [with_value(child, path[1:], value) if n == path[0] else child for n, child in enumerate(node)]


def of_library(file: Path) -> tuple[type[BaseModel], Document, list[tuple[int | str, ...]]]:
    document = read(file, sourced=file.parent.name == "topologies")
    model = MODELS[next(iter(document.values))]
    return model, document, list(places(document.values))


LIBRARY_FILES = [of_library(file) for file in sorted(LIBRARY.glob("*/*.yaml"))]
SCALARS = [None, True, 0, -1, 2.5, 10**17, math.inf]
TEXTS = [
    "",
    " ",
    "a b",
    "5 min",
    "-5 min",
    "5 %",
    "500 %",
    "1/s",
    "2 vCPU",
    "25:00",
    "9" * 400 + " s",
    "x" * 3000,
    "null",
]
NESTED = [[], [None], [[]], [1] * 50, {}, {"x": None}, {"": 1}, {"a b": {}}]
VALUES = st.sampled_from([*SCALARS, *TEXTS, *NESTED])


@pytest.mark.proves("a value of any type in any place of a file is read, or refused with its key, in words of its own")
@given(data=st.data(), value=VALUES)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_value_in_any_place(data: st.DataObject, value: object) -> None:
    model, document, known = data.draw(st.sampled_from(LIBRARY_FILES))
    place = data.draw(st.sampled_from(known))
    try:
        parse(model, replace(document, values=with_value(document.values, place, value)))
    except InvalidFileError as error:
        mendable(error)
        dotted = ".".join(map(str, place))
        for problem in error.problems:
            assert f"({dotted}" in problem.where or dotted.startswith(problem.where.rpartition("(")[2].rstrip(")"))


LEAVES = st.none() | st.booleans() | st.integers(-5, 10**17) | st.floats() | ODD | st.lists(ODD, max_size=2)


@given(
    path=st.sampled_from(sorted(p.name for p in (LIBRARY / "scenarios").glob("*.yaml"))),
    key=KEYS,
    value=LEAVES,
)
@settings(max_examples=80, deadline=None, derandomize=True)
def test_any_override(path: str, key: str, value: object) -> None:
    try:
        load(path.removesuffix(".yaml"), overrides={key: value})
    except GamedayError as error:
        mendable(error)


@given(st.integers(0, units.LONGEST_US))
@settings(derandomize=True, deadline=None)
def test_a_duration_is_read_as_it_is_written(value_us: int) -> None:
    assert units.duration_us(units.duration(value_us)) == value_us


@given(st.text(max_size=20))
@settings(derandomize=True, deadline=None)
def test_a_quantity_is_a_number_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        value, unit = quantity(text)
        assert abs(value) < float("inf")
        assert unit in {"us", "1", "1/s", "share", "vCPU"}
