"""The judge cannot see which world a record came from: what only run.json says changes no byte of the verdicts."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.records import Run
from validators.files import text
from validators.judge import judge
from validators.model import Observations
from validators.observe import observe

RUN = Run().outage("risk", 200, 600).lose(170, 179)
WORDS = st.text(max_size=12)
HIDDEN: dict[str, st.SearchStrategy[Any]] = {
    "source": st.sampled_from(["simulation", "kind", "eks", "incident"]),
    "evidence_class": st.sampled_from(["simulation", "lab", "DR environment", "production"]),
    "fidelity": st.sampled_from(["request", "window", "fluid", "control"]),
    "seed": st.integers(0, 2**63),
    "trial": st.integers(0, 10**6),
    "run_id": WORDS,
    "git_commit": st.none() | WORDS,
    "versions": st.dictionaries(WORDS, WORDS, max_size=3),
    "checked": st.fixed_dictionaries({"requests": st.integers(0, 10**6), "differing": st.integers(0, 5)}),
}


def judged(head: dict[str, Any]) -> str:
    """Verdicts as verdicts.json holds them."""
    return text(judge(observe(head, RUN.marks, RUN.table)))


@pytest.fixture(scope="module")
def plain() -> str:
    return judged(RUN.head)


@pytest.mark.proves(
    "changing only source, seed, trial, world, fidelity, versions, run id, evidence class gives byte-identical verdicts"
)
@given(st.fixed_dictionaries(HIDDEN))
@settings(max_examples=8, deadline=None, derandomize=True)
def test_what_only_the_head_says_changes_no_byte(plain: str, changed: dict[str, Any]) -> None:
    assert judged({**RUN.head, **changed}) == plain


@pytest.mark.parametrize("name", HIDDEN)
def test_a_head_without_it_gives_the_same(plain: str, name: str) -> None:
    assert judged({k: v for k, v in RUN.head.items() if k != name}) == plain


def test_worlds_of_the_scenario_are_not_seen(plain: str) -> None:
    other = {**RUN.head["scenario"], "worlds": {"kind": {"topology": "testbed"}}}
    assert judged({**RUN.head, "scenario": other}) == plain


def test_what_the_judge_does_see_changes_the_verdicts(plain: str) -> None:
    """Else the comparison above could not fail."""
    assert judged({**RUN.head, "surviving_timeline": "us-east-1/1"}) != plain


def test_observations_have_no_place_for_a_world() -> None:
    names = {f.name for f in dataclasses.fields(Observations)}
    assert names.isdisjoint(HIDDEN)
