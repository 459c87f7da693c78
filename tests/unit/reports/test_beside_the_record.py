"""What lies beside a record, or in its samples, and belongs into a report: orders to reconcile, data at risk."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reports import series
from reports.formats import html, markdown, terminal
from reports.model import Report
from reports.plots import recovery_point
from reports.reconciliation import FILE, SHOWN, reconciliation
from scenarios.errors import RecordError
from scenarios.record.reader import RunRecord
from scenarios.record.tables import TABLES
from scenarios.record.writer import RunWriter
from tests.records import EAST, WEST, Run, us
from validators.judge import judge

HEAD = "timeline,key,seq,sent_us,acknowledged,position\n"


def kept(folder: Path, run: Run) -> Report:
    """A report on a record on disk."""
    with RunWriter(folder, {**run.head, "source": "kind", "evidence_class": "lab"}) as writer:
        for mark in run.marks:
            writer.mark(mark.t_us, mark.kind, mark.subject, **mark.detail)
        for name in TABLES:
            for rows in run.table(name).to_batches():
                writer.append(name, {column: rows[column] for column in rows.schema.names})
        writer.close("complete")
    record = RunRecord(folder)
    return Report(record.head, judge(run.observations()), record)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A short run, so that its page is drawn fast."""
    return kept(tmp_path_factory.mktemp("kept") / "run", Run())


def listed(report: Report, *lines: str) -> Report:
    """The same with a list beside the record."""
    assert isinstance(report.record, RunRecord)
    (report.record.folder / FILE).write_text(HEAD + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return report


def test_a_simulation_has_no_list(report: Report) -> None:
    assert isinstance(report.record, RunRecord)
    (report.record.folder / FILE).unlink(missing_ok=True)
    assert reconciliation(report) is None
    assert "reconcile" not in terminal.render(report, width=110)


def test_orders_of_a_lost_timeline_are_in_every_format(report: Report) -> None:
    listed(report, "us-east-1/1,9001,41,180500000,no,77", "us-east-1/1,9002,,,yes,78")
    words = "2 orders are on us-east-1/1 and not on us-west-2/2, which counts; 1 of them had been acknowledged."
    page = html.render(report)
    assert words in page
    for cell in (">41<", ">9001<", ">not of this run<", ">9002<", ">unknown<", ">yes<", "Orders to reconcile</a>"):
        assert cell in page
    assert words in " ".join(terminal.render(report, width=110).split())
    assert "Orders to reconcile: `2, in reconciliation.csv`" in markdown.render(report)


def test_an_empty_list_says_that_there_is_nothing_to_do(report: Report) -> None:
    found = reconciliation(listed(report))
    assert found is not None
    assert found.words == "No order lives only on a timeline that lost: there is nothing to reconcile with us-west-2/2."


def test_a_list_that_could_not_be_made_is_said_and_why(report: Report) -> None:
    assert isinstance(report.record, RunRecord)
    (report.record.folder / FILE).unlink(missing_ok=True)
    silent = replace(report, head={**report.head, "unlisted": "us-west-2/2 was not read back to its end"})
    words = "There is no list of the orders that live only on a timeline that lost: us-west-2/2 was not read back"
    assert words in html.render(silent)
    assert words in " ".join(terminal.render(silent, width=110).split())
    assert "Orders to reconcile: `not known: us-west-2/2 was not read back" in markdown.render(silent)


def test_a_long_list_is_cut_off_on_the_page(report: Report) -> None:
    page = html.render(listed(report, *(f"us-east-1/1,{9_000 + i},{i},180500000,no,{i}" for i in range(50))))
    assert page.count('data-label="Position"') == SHOWN
    assert f"The first {SHOWN} of them" in page


def test_a_list_that_cannot_be_read_is_an_error(report: Report) -> None:
    with pytest.raises(RecordError, match="reconciliation"):
        reconciliation(listed(report, "us-east-1/1,9001,41,yesterday,no,77"))
    assert isinstance(report.record, RunRecord)
    (report.record.folder / FILE).unlink()


def test_the_recovery_point_is_traced_for_each_class(report: Report) -> None:
    run = Run()
    t = np.arange(0, 180) * 1_000_000
    run.sample(f"{EAST}/database", "at_risk_s", t, np.where(t == us(60), 2.5, 0.5))
    found = {line.subject: line for line in series.recovery_points(Report(run.head, report.judgement, _Tables(run)))}
    assert set(found) == {"transactions", *run.head["topology"]["database"]["copies"]}
    assert np.nanmax(found["transactions"].value) == 2.5
    worst = next(v for v in judge(run.observations()).verdicts if v.objective == "rpo.models").value
    assert found["models"].value.max() == pytest.approx(worst)
    assert found["models"].t_s.max() > 600  # the copy in us-west-2 outlives us-east-1
    assert WEST in next(v for v in report.judgement.verdicts if v.objective == "rpo.models").reason


def test_where_nothing_was_sampled_nobody_knows(report: Report) -> None:
    run = Run()
    t = np.arange(0, 180) * 1_000_000
    t = t[(t < us(60)) | (t > us(90))]
    run.sample(f"{EAST}/database", "at_risk_s", t, np.full(len(t), 0.5))
    shown = Report(run.head, report.judgement, _Tables(run))
    [line] = [line for line in series.recovery_points(shown) if line.subject == "transactions"]
    unknown = series.recovery_point_unknown(shown)
    assert unknown == [(59.0, 91.0), (179.0, shown.duration_s)]
    for begin, end in unknown:
        inside = line.value[(line.t_s > begin) & (line.t_s < end)]
        assert np.isnan(inside).sum() == 1, "no line across"
    drawn = recovery_point.plot(shown, [])
    assert drawn is not None
    assert "Of transactions it is not known from" in drawn.summary


class _Tables:
    """A run in memory as the record of a report."""

    def __init__(self, run: Run) -> None:
        self.marks, self.table = run.marks, run.table
        self.parts = run.observations().parts
