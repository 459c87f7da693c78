"""Which trials of many are kept in full, and that each is the trial it is said to be."""

import shutil
from pathlib import Path

import pytest

from gameday.judging import load_report, show
from gameday.studies.simulation import ensemble
from reports.formats import html, markdown
from reports.formats import json as as_json
from reports.formats.document import Document
from scenarios.files.load import load
from scenarios.record.ensemble import Trial, read_ensemble, run_folder
from scenarios.record.reader import RunRecord
from validators.ensemble import ranked
from validators.model import Result

COMPLETE = "rto.complete"


def trial(number: int, seconds: float | None, **results: str) -> Trial:
    """A trial whose complete system was back after so many seconds."""
    return Trial(number, 1, {COMPLETE: "FAIL" if seconds is None else "PASS", **results}, {COMPLETE: seconds})


def test_order_is_by_complete_recovery_and_what_did_not_recover_is_worst() -> None:
    trials = [trial(0, 300.0), trial(1, None), trial(2, 100.0), trial(3, 200.0)]
    assert [t.trial for t in ranked(trials)] == [2, 3, 0, 1]


def test_equal_recoveries_are_told_apart_by_what_was_missed() -> None:
    trials = [trial(0, 9.0, **{"rto.risk": "FAIL"}), trial(1, 9.0, **{"rto.risk": "INCONCLUSIVE"}), trial(2, 9.0)]
    assert [t.trial for t in ranked(trials)] == [2, 1, 0]


def test_where_no_recovery_is_judged_what_was_missed_decides_then_the_number() -> None:
    trials = [Trial(n, 1, {COMPLETE: None, "kpi.risk": r}, {}) for n, r in enumerate(("FAIL", "PASS", "PASS"))]
    assert [t.trial for t in ranked(trials)] == [1, 2, 0]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five quick trials at fidelity control; trial 1 is asked for."""
    resolved = load("risk-node-loss-1-replica", overrides={"workload.rate": "900/s"})
    runs = tmp_path_factory.mktemp("runs")
    return ensemble(resolved, runs, seed=3, trials=5, trial=1, fidelity="control", kept="control", more=(), processes=1)


@pytest.mark.proves("of many trials the worst and the median are kept as full records, beside the one asked for")
def test_worst_median_and_asked_are_played_again_on_their_own_draws(played: Path) -> None:
    record = read_ensemble(played)
    order = ranked(record.trials)
    assert record.kept == {"asked": 1, "worst": order[-1].trial, "median": order[2].trial}
    assert set(record.full_runs()) == set(record.kept.values())
    for number in record.kept.values():
        again = RunRecord(run_folder(played, number))
        facts = [(m.t_us, m.kind, m.subject) for m in again.marks]
        assert facts == [(m.t_us, m.kind, m.subject) for m in record.marks(number)]
        assert again.head["trial"] == number


def test_report_names_them_and_the_one_asked_for_stays_its_picture(played: Path) -> None:
    report = load_report(played)
    assert report.ensemble is not None
    assert report.head["trial"] == 1
    rows = {role: k for k in report.ensemble.kept for role in k.roles}
    order = ranked(report.ensemble.trials)
    assert rows["worst"].trial == order[-1].trial
    assert rows["worst"].recovery_s == order[-1].values[COMPLETE]
    assert {k.fidelity for k in report.ensemble.kept} == {"control"}
    assert rows["asked"].result == report.judgement.result.value
    kept = Document.model_validate_json(as_json.render(report)).kept
    assert [(k.trial, k.roles) for k in kept] == [(k.trial, list(k.roles)) for k in report.ensemble.kept]


@pytest.mark.proves("an ensemble whose full trial is missing does not pass what only that trial could judge")
def test_without_the_full_record_nothing_that_needs_it_passes_and_each_report_says_so(
    played: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lonely = tmp_path / played.name
    shutil.copytree(played, lonely, ignore=shutil.ignore_patterns("trial-*"))
    report = load_report(lonely)
    found = {v.objective: v for v in report.deciding.verdicts}
    assert report.deciding.result is not Result.PASS
    assert {found[n].result for n in ("kpi.risk", "integrity.flow")} == {Result.INCONCLUSIVE}
    assert found["kpi.risk"].reason.startswith("The record of the trial in full is missing")
    assert found["kpi.throughput"].reason == report.head["not_judged"]["kpi.throughput"]
    assert found["response.P0"].state != "judged"
    show(report, as_json=False)
    for page in (capsys.readouterr().out, markdown.render(report), html.render(report)):
        assert "full trial only" not in page
        assert "missing" in page
    assert Document.model_validate_json(as_json.render(report)).result == report.deciding.result.value
