"""Evidence taken out of a record makes no verdict better, and what rested on it is no longer decided.

Taken are all samples, probes or counts of one subject, what was found on one timeline, a stretch of time of a table,
and the trial in full of an ensemble. Marks are left: a fact that is not there may be the violation.
"""

import random
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from gameday.play import closed, head
from scenarios.record.marks import Mark
from scenarios.record.tables import TABLES
from scenarios.record.writer import MemoryRecorder
from sim.world import run
from tests.records import BACK_S, EAST, NEW, WEST, Run, us
from tests.unit.sim.stage import library
from tests.unit.validators.plants import Plant, account
from tests.unit.validators.plants.catalogue import VIOLATIONS
from validators.ensemble import judge_ensemble, trial_of
from validators.judge import judge
from validators.model import Judgement, Result
from validators.observe import observe

SERVICES = ("strategic", "tactical", "risk")
CLASSES = ("models", "configuration", "logs")
STEADY = {"probes": "intended_us", "samples": "t_us", "load": "second"}
LEDGER = ("writes_sent", "writes_done", "readback")
STRETCHES_S = ((125, 155), (520, 550), (560, 600))  # before the fault, and after the recovery
# Times out of order are themselves rows that can be taken away.
BREAKING = [p for p in VIOLATIONS if p.objective != account.TIMES]


@dataclass(frozen=True)
class Record:
    """What a judge is given."""

    head: Mapping[str, Any]
    marks: tuple[Mark, ...]
    tables: Mapping[str, pa.Table]

    def judged(self, *objectives: str) -> Judgement:
        """What the judge says of it, of some objectives or of all."""
        seen = observe(self.head, self.marks, self.tables.__getitem__)
        asked = tuple(o for o in seen.objectives if not objectives or o["objective"] in objectives)
        return judge(replace(seen, objectives=asked))

    def without(self, name: str, gone: pa.ChunkedArray) -> "Record":
        """The same without some rows of a table."""
        return replace(self, tables={**self.tables, name: self.tables[name].filter(pc.invert(gone))})


Taking = Callable[[Record], Record]


def of(record: Run) -> Record:
    """A made-up run as a record."""
    return Record(record.head, tuple(record.marks), {name: record.table(name) for name in TABLES})


def text(table: pa.Table, column: str) -> pa.ChunkedArray:
    """A column of names without its dictionary."""
    return pc.cast(table[column], pa.string())


def seen(table: pa.Table, column: str) -> list[str]:
    """Names in a column."""
    return sorted(n for n in pc.unique(text(table, column)).to_pylist() if n is not None)


def of_subject(name: str, column: str, subject: str) -> Taking:
    """Take all rows of a table that are about one subject."""
    return lambda r: r.without(name, pc.equal(text(r.tables[name], column), subject))


def of_timeline(timeline: str) -> Taking:
    """Take what was read back of a timeline, and that it was."""

    def take(record: Record) -> Record:
        left = tuple(m for m in record.marks if (m.kind, m.subject) != ("readback_done", timeline))
        return of_subject("readback", "timeline", timeline)(replace(record, marks=left))

    return take


def of_time(name: str, from_s: float, to_s: float) -> Taking:
    """Take a stretch of time out of a table; out of the ledger all that concerns the orders sent in it."""

    def take(record: Record) -> Record:
        if name != "ledger":
            scale = 1 if STEADY[name] == "second" else 1_000_000
            return record.without(name, _between(record.tables[name][STEADY[name]], from_s * scale, to_s * scale))
        sent = record.tables["writes_sent"]
        keys = sent.filter(_between(sent["sent_us"], us(from_s), us(to_s)))["key"].combine_chunks()
        for table in LEDGER:
            record = record.without(table, pc.is_in(record.tables[table]["key"], value_set=keys))
        return record

    return take


def _between(column: pa.ChunkedArray, low: float, high: float) -> pa.ChunkedArray:
    return pc.and_(pc.greater_equal(column, low), pc.less(column, high))


def takings(record: Record, stretches_s: Iterable[tuple[float, float]] = STRETCHES_S) -> dict[str, Taking]:
    """Everything that is taken out of a record, one thing at a time."""
    found = {}
    for name, columns in (("samples", ("subject",)), ("probes", ("service",)), ("load", ("service", "region"))):
        for column in columns:
            for subject in seen(record.tables[name], column):
                found[f"{name} of {subject}"] = of_subject(name, column, subject)
    for timeline in seen(record.tables["readback"], "timeline"):
        found[f"timeline {timeline}"] = of_timeline(timeline)
    for from_s, to_s in stretches_s:
        for name in (*STEADY, "ledger"):
            found[f"{name} from {from_s:g} to {to_s:g}"] = of_time(name, from_s, to_s)
    return found


def rests_on(taken: str, named: Collection[str]) -> set[str]:
    """Objectives that rest on what is taken."""
    latency = {n for n in named if n.startswith("kpi.") and n != "kpi.throughput"}
    load = {n for n in named if n.startswith("kpi.")}
    recovery = {n for n in named if n.startswith("rto.")}
    exact: dict[str, set[str]] = {
        "samples of client": latency,
        "load of edge": {*load, "integrity.flow"},
        f"timeline {NEW}": {"rpo.transactions", "rule.no_duplicate_order", "rule.single_writer"},
        **{f"samples of {region}/strategic": {"alert.StrategicAgentDown"} for region in (EAST, WEST)},
        **{f"samples of {region}/database": {"rule.single_writer"} for region in (EAST, WEST)},
        **{f"samples of {place}/{name}": {f"rpo.{name}"} for place in (WEST, "source") for name in CLASSES},
        **{f"load of {name}": {f"kpi.{name}"} for name in SERVICES},
        **{f"probes of {name}": {f"rto.{name}", "rto.complete", *load} for name in (*SERVICES, "database")},
        **{f"probes of {name}": {"rto.complete", *load} for name in ("order", "page")},
    }
    for from_s, to_s in STRETCHES_S:
        stretch, after = f"from {from_s:g} to {to_s:g}", from_s > BACK_S["order"]
        exact[f"samples {stretch}"] = {"rule.single_writer", "rpo.logs", *latency}
        exact[f"probes {stretch}"] = {*recovery, *(load if after else ())}
        exact[f"load {stretch}"] = {*load, "integrity.flow"}
        exact[f"ledger {stretch}"] = {"rpo.transactions"}
    return exact.get(taken, set())


def results(judgement: Judgement) -> dict[str, Result | None]:
    """Results of the verdicts that are merged."""
    return {v.objective: v.result for v in judgement.verdicts if v.merged}


def no_better(before: Result | None, after: Result | None) -> bool:
    """Whether a verdict on less evidence is the same, or none."""
    return after in (before, Result.INCONCLUSIVE)


@cache
def good() -> Record:
    """The good run that is made up."""
    return of(Run())


@cache
def twins() -> Record:
    """A loss of a region in the twin, at fidelity control."""
    resolved, recorder = library("region-loss-automatic", people__no_response="0 %"), MemoryRecorder()
    facts = head(resolved, fidelity="control", seed=1, trial=0)
    facts |= closed(end := run(resolved, 1, 0, recorder, fidelity="control")) | {"termination": end.termination}
    return Record(facts, tuple(recorder.marks), {name: recorder.table(name) for name in TABLES})


@pytest.mark.proves(
    "whatever is taken out of the record of a good run, no verdict gets better, none becomes FAIL, and what rested on"
    " it is INCONCLUSIVE"
)
@pytest.mark.parametrize("taken", takings(good()))
def test_evidence_taken_from_a_good_run(taken: str) -> None:
    before = results(good().judged())
    after = results(takings(good())[taken](good()).judged())
    assert not {n: (before[n], r) for n, r in after.items() if not no_better(before[n], r)}
    passed = {n for n, r in before.items() if r is Result.PASS}
    resting = rests_on(taken, before.keys()) & passed
    assert resting or not rests_on(taken, before.keys())
    assert {n for n in resting if after[n] is not Result.INCONCLUSIVE} == set()


@pytest.mark.proves("no evidence taken out of a record with a violation makes its verdict better than INCONCLUSIVE")
@pytest.mark.parametrize("plant", random.Random(11).sample(BREAKING, 24), ids=str)
def test_evidence_taken_from_a_bad_run(plant: Plant) -> None:
    bad = of(plant.run())
    for name, take in random.Random(str(plant)).sample(sorted(takings(bad).items()), 10):
        after = results(take(bad).judged(plant.objective))[plant.objective]
        assert after in (Result.FAIL, Result.INCONCLUSIVE), name


def test_evidence_taken_from_a_run_of_the_twin() -> None:
    before = results(twins().judged())
    assert [n for n, r in before.items() if r is Result.PASS]
    duration_s = twins().head["duration_us"] / 1e6
    better = {}
    for name, take in takings(twins(), [(60, 90), (duration_s - 45, duration_s - 15)]).items():
        after = results(take(twins()).judged())
        better |= {(name, n): (before[n], r) for n, r in after.items() if not no_better(before[n], r)}
    assert not better


@pytest.mark.parametrize("share", [0.05, 1.0])
def test_the_trial_in_full_taken_from_an_ensemble(share: float) -> None:
    """With the share of answers after the recovery that are right it fails, or passes; without it it does neither."""
    full = of(
        Run().loaded("risk", 386, 720, lambda s: replace(s, ok=round(s.ok * share), failed=s.ok - round(s.ok * share)))
    )
    found = full.judged()
    owed = [n for n in results(found) if n.startswith(("kpi.", "integrity.flow"))]
    left_out = dict.fromkeys(owed, "judged on the full trial")
    one = trial_of(found, 0, 1)
    trials = [replace(one, trial=i, results={n: None if n in owed else r for n, r in one.results.items()},
        reasons={**one.reasons, **left_out}) for i in range(60)]  # fmt: skip

    def merged(whole: Judgement | None) -> dict[str, Result | None]:
        return results(judge_ensemble(trials, 0.95, full=whole, left_out=left_out, owed=owed))

    before, after = merged(found), merged(None)
    assert (Result.FAIL in before.values()) == (share < 1)
    assert not {n: (before[n], r) for n, r in after.items() if not no_better(before[n], r)}
    assert {after[n] for n in owed} == {Result.INCONCLUSIVE}
