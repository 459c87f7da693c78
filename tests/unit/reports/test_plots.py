import hashlib
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from reports import story
from reports.plots import frame
from reports.plots.figures import figures
from reports.plots.svg import ROLES
from reports.story import Moment
from reports.view import view
from scenarios.record.writer import MemoryRecorder
from tests.golden import sample
from validators.model import Result

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def plots():
    report = sample.report(many=True)
    return figures(report, view(report), story.tell(report))


def test_all_five_are_there_with_words(plots):
    assert [p.name for p in plots] == ["seen", "budget", "trials", "data", "load"]
    assert all(p.summary for p in plots)


def test_each_is_well_formed_named_and_described(plots):
    for plot in plots:
        for text in (plot.wide, plot.narrow):
            root = etree.fromstring(text.encode())
            assert root.get("role") == "img"
            assert root[0].text == plot.title
            assert root[1].text == plot.summary


def test_colours_come_from_the_page(plots):
    for plot in plots:
        assert "var(--ink)" in plot.wide
        assert not [c for c in ROLES if c in plot.wide]


def test_nothing_of_the_day_or_the_machine_is_in_them(plots):
    for plot in plots:
        for word in ("date", "matplotlib", "DejaVu", "dc:", "http:"):
            assert word not in plot.wide.replace("http://www.w3.org/1999/xlink", "").lower(), word


def test_ids_are_never_shared(plots):
    ids = [i for p in plots for text in (p.wide, p.narrow) for i in re.findall(r'\bid="([^"]+)"', text)]
    assert len(ids) == len(set(ids))


def test_another_process_draws_the_same_bytes(plots):
    program = (
        "import hashlib; from tests.golden import sample; from reports import story; from reports.view import view;"
        "from reports.plots.figures import figures; r = sample.report(many=True);"
        "text = ''.join(p.wide + p.narrow for p in figures(r, view(r), story.tell(r)));"
        "print(hashlib.sha256(text.encode()).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"PYTHONHASHSEED": "77", "PATH": "", "HOME": str(Path.home())},
    )
    mine = hashlib.sha256("".join(p.wide + p.narrow for p in plots).encode()).hexdigest()
    assert done.stdout.strip() == mine


@given(
    st.lists(st.floats(0, 1000), min_size=0, max_size=9).map(sorted),
    st.booleans(),
    st.sampled_from([(784.0, 24.0), (256.0, 14.0)]),
)
@settings(deadline=None, max_examples=200)
def test_labels_of_marks_never_overlap_and_no_line_crosses_one(times, words, size):
    width, room = size
    names = [
        "fault",
        "alert fires",
        "page",
        "acknowledged",
        "decided",
        "promoted",
        "restored",
        "DNS switched",
        "recovered",
    ]
    marks = [Moment(t, t, "", "act", names[i], i + 1) for i, t in enumerate(times)]
    labels = frame.place(marks, 1000.0, width, room, words)
    boxes = [
        (t / 1000 * width + 4, t / 1000 * width + 4 + frame.text_width(text, 11), lane)
        for t, text, lane in zip(times, labels.texts, labels.lanes, strict=True)
    ]
    for i, (left, right, lane) in enumerate(boxes):
        for j, (other_left, other_right, other_lane) in enumerate(boxes):
            if i == j:
                continue
            assert lane != other_lane or right <= other_left or other_right <= left
            line = other_left - 4
            if left < line < right:  # the other's line passes the label's place: it must end below
                assert other_lane < lane


@pytest.mark.parametrize("line", [None, 0.0, 8.0, 40.0, 99.0, 200.0])
def test_the_label_of_a_stage_is_never_crossed_by_the_limit(line):
    from reports.plots.budget import _room
    from reports.plots.frame import text_width

    width = text_width("act 8:16", 11)
    for left, right in ((0.0, 300.0), (0.0, width + 11), (0.0, 20.0)):
        x = _room("act 8:16", left, right, line)
        assert x == -1 or (left < x and x + width < right)
        assert x == -1 or line is None or not x <= line <= x + width
    assert _room("act 8:16", 0.0, 300.0, line) > 0


def test_a_recovery_without_stages_is_named_and_counts_all_the_same():
    report = sample.report()
    judged = [
        replace(v, detail=v.detail | {"phases": {}}) if v.objective in ("rto.risk", "rto.tactical") else v
        for v in report.judgement.verdicts
    ]
    bare = replace(report, judgement=replace(report.judgement, verdicts=tuple(judged)))
    words = next(p.summary for p in figures(bare, view(bare), story.tell(bare)) if p.name == "budget")
    assert "No fact tells the stages of tactical (8 min 38 s), risk (8 min 32 s)." in words
    assert "Every recovery stayed within its limit." not in words  # risk missed its own
    well = replace(bare, judgement=replace(bare.judgement, verdicts=tuple(_passed(v) for v in judged)))
    words = next(p.summary for p in figures(well, view(well), story.tell(well)) if p.name == "budget")
    assert "Every recovery stayed within its limit." in words


def _passed(verdict):
    return replace(verdict, result=Result.PASS, limit=7200.0) if verdict.objective.startswith("rto.") else verdict


def test_a_run_without_a_fault_has_no_time_before_it():
    report = sample.report()
    whole = MemoryRecorder()
    whole.marks = [m for m in report.record.marks if m.kind != "injection_begun"]
    whole.table = report.record.table
    whole.parts = report.record.parts
    calm = replace(report, record=whole)
    seen = next(p for p in figures(calm, view(calm), story.tell(calm)) if p.name == "seen")
    assert "in the median and at most" in seen.summary
    assert "the fault" not in seen.summary
    assert "since the fault" not in seen.wide
