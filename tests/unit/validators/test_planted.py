"""The judge against everything planted: violations FAIL, weak evidence is INCONCLUSIVE, what is harmless passes."""

import pytest

from scenarios.record.tables import TABLES
from tests.records import Run
from tests.unit.validators.plants import Plant
from tests.unit.validators.plants.catalogue import HARMLESS, VIOLATIONS, WEAK
from validators.judge import judge
from validators.model import Result

NAMES = [str(p) for g in (VIOLATIONS, WEAK, HARMLESS) for p in g]


@pytest.mark.proves(
    "a run with a planted violation is never PASS: the objective it breaks is FAIL, and says where to look"
)
@pytest.mark.parametrize("plant", VIOLATIONS, ids=str)
def test_violation_fails(plant: Plant) -> None:
    verdict = plant.verdict()
    assert verdict.result is Result.FAIL, verdict.reason
    assert verdict.reason.strip(". ")
    assert verdict.evidence
    for evidence in verdict.evidence:
        assert evidence.table in {*TABLES, "marks"}
        assert evidence.where


@pytest.mark.proves("a run whose evidence is missing or weak is never PASS: what it should show is INCONCLUSIVE")
@pytest.mark.parametrize("plant", WEAK, ids=str)
def test_weak_evidence_does_not_decide(plant: Plant) -> None:
    verdict = plant.verdict()
    assert verdict.result is Result.INCONCLUSIVE, verdict.reason
    assert verdict.reason.strip(". ")


@pytest.mark.proves("a good run is not called bad: what is harmless stays PASS")
@pytest.mark.parametrize("plant", HARMLESS, ids=str)
def test_harmless_passes(plant: Plant) -> None:
    verdict = plant.verdict()
    assert verdict.result is Result.PASS, verdict.reason


@pytest.mark.proves("no run with a planted violation or weak evidence is PASS as a whole")
@pytest.mark.parametrize("plant", [*VIOLATIONS, *WEAK[::3]], ids=str)
def test_whole_run_does_not_pass(plant: Plant) -> None:
    judgement = plant.judgement()
    assert judgement.result is not Result.PASS
    if plant.expected is Result.FAIL:
        assert judgement.result is Result.FAIL


def test_good_run_passes_as_a_whole() -> None:
    judgement = judge(Run().observations())
    bad = [f"{v.objective}: {v.reason}" for v in judgement.verdicts if v.merged and v.result not in (Result.PASS, None)]
    assert judgement.result is Result.PASS, bad


def test_names_are_unique() -> None:
    assert len(set(NAMES)) == len(NAMES)


def test_every_kind_of_objective_is_planted_in_every_way() -> None:
    """For each row of what is measured there are violations, weak evidence, and oddities that are harmless."""
    kinds = {o["objective"]: o["kind"] for o in Run().head["objectives"]}
    for plants in (VIOLATIONS, WEAK, HARMLESS):
        assert {kinds[p.objective] for p in plants} == set(kinds.values())
