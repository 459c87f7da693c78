"""Records with parts missing: nothing crashes, and nothing passes for want of evidence."""

import random
from dataclasses import replace

import pyarrow as pa
import pytest

from scenarios.record.tables import TABLES
from tests.records import Run
from tests.unit.validators.plants import Plant, account
from tests.unit.validators.plants.catalogue import VIOLATIONS
from validators.judge import judge
from validators.model import Judgement, Observations, Result
from validators.observe import observe

# Facts that are the violation, or the reason to look for one: without them there is none.
_ITSELF = {"trading_disabled", "left_behind", "injection_begun", "alert_firing"}
# Times out of order are themselves facts that can be taken away.
BREAKING = [p for p in VIOLATIONS if p.objective != account.TIMES]
# What passes because there is nothing to look at.
_VACUOUS = {"rule.no_order_after_stop", "integrity.nothing_left", "integrity.fault_gone", "integrity.order_of_times"}


def without_table(run: Run, name: str) -> Observations:
    """The run with a table that has no rows."""
    empty: pa.Table = TABLES[name].empty_table()
    return observe(run.head, run.marks, lambda n: empty if n == name else run.table(n))


def passed(judgement: Judgement) -> set[str]:
    """Objectives that passed."""
    return {v.objective for v in judgement.verdicts if v.merged and v.result is Result.PASS}


@pytest.mark.proves("a record without data passes nothing")
def test_nothing_at_all() -> None:
    run = Run()
    nothing = judge(observe(run.head, [], lambda n: TABLES[n].empty_table()))
    assert nothing.result is not Result.PASS
    assert passed(nothing) <= _VACUOUS


@pytest.mark.parametrize("name", TABLES)
def test_good_run_without_a_table_does_not_pass(name: str) -> None:
    judgement = judge(without_table(Run(), name))
    assert judgement.result is not Result.PASS


@pytest.mark.parametrize("name", TABLES)
def test_table_taken_from_a_bad_run_does_not_help(name: str) -> None:
    for plant in random.Random(name).sample(VIOLATIONS, 8):
        judgement = judge(without_table(plant.run(), name))
        assert judgement.result is not Result.PASS, plant


@pytest.mark.proves("taking facts out of the record of a bad run never makes it PASS")
@pytest.mark.parametrize("plant", random.Random(3).sample(BREAKING, 20), ids=str)
def test_facts_taken_from_a_bad_run_do_not_help(plant: Plant) -> None:
    kinds = sorted({m.kind for m in plant.run().marks} - _ITSELF)
    for kind in kinds:
        main, *_ = judge(plant.run().without(kind).observations(plant.objective)).verdicts
        assert main.result is not Result.PASS, kind


def test_rows_beside_a_verdict_are_never_merged() -> None:
    run = Run().recovers("risk", 479).over("direct", "risk", "us-east-1")
    run.limit("rto.risk", limit_us=299_500_000).mark(181, "alert_firing", "x", rules="intended", region="us-west-2")
    for probes in run.probes:
        if probes.route == "direct":
            probes.right[probes.inside(180.2, 719)] = 2
    verdicts = judge(run.observations("rto.risk"))
    beside = {v.objective: v for v in verdicts.verdicts if not v.merged}
    assert beside["rto.risk.direct.us-east-1"].result is Result.FAIL
    assert beside["rto.risk.from_declaration"].result is Result.INCONCLUSIVE
    assert beside["rto.risk.from_declaration"].value is None
    assert (verdicts.result, verdicts.judged) == (Result.PASS, 1)


def test_nothing_judged_is_inconclusive() -> None:
    run = Run()
    names = [o["objective"] for o in run.head["objectives"]]
    judgement = judge(run.says(not_judged=dict.fromkeys(names, "for a reason")).observations())
    assert (judgement.result, judgement.judged) == (Result.INCONCLUSIVE, 0)
    assert judge(replace(run.observations(), objectives=())).result is Result.INCONCLUSIVE


def test_what_is_not_judged_is_counted_and_not_merged() -> None:
    run = Run().recovers("risk", 500)
    run.says(not_judged={**run.head["not_judged"], "rto.risk": "somebody else looks at it"})
    judgement = judge(run.observations())
    mine = next(v for v in judgement.verdicts if v.objective == "rto.risk")
    assert (mine.result, mine.state, mine.reason) == (None, "not_judged", "somebody else looks at it")
    assert judgement.result is Result.PASS
    assert judgement.applicable > judgement.judged


def test_facts_taken_from_a_good_run_break_nothing() -> None:
    """Judging never raises, whatever facts are missing."""
    for kind in sorted({m.kind for m in Run().marks}):
        assert judge(Run().without(kind).observations()).verdicts
