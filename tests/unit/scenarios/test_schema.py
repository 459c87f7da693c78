"""The published JSON Schemas: they allow what the loader allows, and refuse what it refuses."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from scenarios.errors import InvalidFileError
from scenarios.files.library import LIBRARY
from scenarios.files.parse import parse
from scenarios.files.schema import MODELS, schemas
from scenarios.files.yaml import read
from tests.conftest import ROOT
from tests.unit.scenarios.texts import FILES, edit, write

KINDS = {"scenarios": "scenario", "topologies": "topology", "procedures": "procedure", "objectives": "objectives",
         "suites": "suite"}  # fmt: skip
PUBLISHED = {
    kind: json.loads((ROOT / "docs" / "reference" / "schemas" / f"{kind}.schema.json").read_text(encoding="utf-8"))
    for kind in MODELS
}
VALIDATORS = {kind: jsonschema_rs.Draft202012Validator(schema) for kind, schema in PUBLISHED.items()}


def kind_of(file: Path) -> str:
    return KINDS[file.parent.name]


def allowed(file: Path) -> bool:
    return VALIDATORS[kind_of(file)].is_valid(read(file).values)


def loaded(file: Path) -> bool:
    try:
        parse(MODELS[kind_of(file)], read(file, sourced=kind_of(file) == "topology"))
    except InvalidFileError:
        return False
    return True


@pytest.mark.parametrize("kind", MODELS)
def test_published_is_what_the_code_says(kind: str) -> None:
    assert PUBLISHED[kind] == schemas()[kind], "run `make docs`"


@pytest.mark.parametrize("kind", MODELS)
def test_schema_is_one(kind: str) -> None:
    jsonschema_rs.meta.validate(PUBLISHED[kind])
    assert PUBLISHED[kind]["$schema"] == "https://json-schema.org/draft/2020-12/schema"


LIBRARY_FILES = sorted(file for name in KINDS for file in (LIBRARY / name).glob("*.yaml"))


@pytest.mark.proves("the published JSON Schemas allow every file of the library")
@pytest.mark.parametrize("file", LIBRARY_FILES, ids=lambda f: f"{f.parent.name}/{f.stem}")
def test_library_is_allowed(file: Path) -> None:
    assert list(VALIDATORS[kind_of(file)].iter_errors(read(file).values)) == []


@pytest.mark.parametrize("name", FILES)
def test_own_files_are_allowed(name: str, tmp_path: Path) -> None:
    assert allowed(write(tmp_path) / name)


QUEUE = "    queue: {capacity: 50, patience: 50 ms}\n"
DRAWN_QUEUE = "    queue: {{capacity: 50, patience: {{{}}}}}\n"


@pytest.mark.parametrize("drawn", ["exponential: 50 ms", "lognormal: [50 ms, 0.5]"])
def test_a_distribution_is_allowed(drawn: str, tmp_path: Path) -> None:
    name = "topologies/small.yaml"
    edit(write(tmp_path) / name, f"sigma: 0.5}}\n{QUEUE}", f"sigma: 0.5}}\n{DRAWN_QUEUE.format(drawn)}")
    assert allowed(tmp_path / name)
    assert loaded(tmp_path / name)


# File, old text, new text: what one file alone shows to be wrong.
WRONG = [
    ("scenarios/mine.yaml", "response:", "respons:"),
    ("scenarios/mine.yaml", "rate: 100/s", "rate: 100"),
    ("scenarios/mine.yaml", "at: 5 min", "at: 5"),
    ("scenarios/mine.yaml", "at: 5 min", "at: -5 min"),
    ("scenarios/mine.yaml", "at: 5 min", "at: 5 %"),
    ("scenarios/mine.yaml", "    until: 2 min", "    until: ever"),
    ("scenarios/mine.yaml", "profile: steady", "profile: stedy"),
    ("scenarios/mine.yaml", "trials: 60", "trials: 60.5"),
    ("scenarios/mine.yaml", "trials: 60", "trials: 0"),
    ("scenarios/mine.yaml", "trials: 60", "trials: '60'"),
    ("scenarios/mine.yaml", "scenario: mine", "scenario: my own"),
    ("scenarios/mine.yaml", "title: A pod dies", "title: ''"),
    ("scenarios/mine.yaml", "response: [answer]", "response: answer"),
    ("scenarios/mine.yaml", "with: {count: 2}", "with: {count: two}"),
    ("scenarios/mine.yaml", "topology: small\n", ""),
    ("topologies/small.yaml", "nodes: 3", "nodes: true"),
    ("topologies/small.yaml", "nodes: 3", "nodes: 0"),
    ("topologies/small.yaml", "sigma: 0.5", "sigma: 5"),
    ("topologies/small.yaml", f"sigma: 0.5}}\n{QUEUE}", f"sigma: 0.5}}\n{DRAWN_QUEUE.format('normal: 50 ms')}"),
    ("topologies/small.yaml", f"sigma: 0.5}}\n{QUEUE}", f"sigma: 0.5}}\n{DRAWN_QUEUE.format('')}"),
    ("topologies/small.yaml", f"sigma: 0.5}}\n{QUEUE}", f"sigma: 0.5}}\n{DRAWN_QUEUE.format('lognormal: [50 ms]')}"),
    ("topologies/small.yaml", f"sigma: 0.5}}\n{QUEUE}", f"sigma: 0.5}}\n{DRAWN_QUEUE.format('lognormal: [50 ms, 4]')}"),
    ("topologies/small.yaml", "mode: sync, pool: 8", "mode: synk, pool: 8"),
    ("topologies/small.yaml", "ignore_ttl: 5 %", "ignore_ttl: 0.05"),
    ("topologies/small.yaml", "source: a guess, ", ""),
    ("topologies/small.yaml", "  desk:\n", "  the desk:\n"),
    ("procedures/answer.yaml", "verb: scale", "verb: scal"),
    ("procedures/answer.yaml", "actor: people", "actor: nobody"),
    ("objectives/own.yaml", "limit: 10 min", "limit: 10"),
    ("objectives/own.yaml", "objective: rto.shop", "objective: shop"),
    ("suites/weekly.yaml", "scenarios: [mine]", "scenarios: []"),
]


@pytest.mark.parametrize("case", WRONG, ids=lambda c: c[2] or c[1])
def test_wrong_files_are_refused(case: tuple[str, str, str], tmp_path: Path) -> None:
    name, old, new = case
    edit(write(tmp_path) / name, old, new)
    assert not allowed(tmp_path / name)
    if "source" not in old:  # what a sourced value needs is checked apart from the model
        assert not loaded(tmp_path / name)


def test_faults_and_marks_are_closed_lists(tmp_path: Path) -> None:
    file = write(tmp_path) / "scenarios" / "mine.yaml"
    edit(file, "fault: pod-kill", "fault: pod-kil")
    assert not allowed(file)
    edit(file, "fault: pod-kil\n", "fault: pod-kill\n")
    edit(file, "at: 10 min", "when: {mark: pod_redy}")
    assert not allowed(file)


def test_an_objective_has_one_source(tmp_path: Path) -> None:
    file = write(tmp_path) / "objectives" / "own.yaml"
    edit(file, "    rationale: customers notice more\n", "")
    assert not allowed(file)


def test_defaults_are_written_with_their_units() -> None:
    def defaults(node: Any) -> list[Any]:
        if isinstance(node, list):
            return [d for item in node for d in defaults(item)]
        if not isinstance(node, dict):
            return []
        own = [node["default"]] if "default" in node and any("pattern" in m for m in node.get("anyOf", [node])) else []
        return own + [d for child in node.values() for d in defaults(child)]

    written = [d for kind in MODELS for d in defaults(PUBLISHED[kind]) if d is not None]
    assert {"50 ms", "5 min", "95 %", "3 %", "02:00", "0 s"} <= set(written)
    assert all(isinstance(d, str) for d in written)
