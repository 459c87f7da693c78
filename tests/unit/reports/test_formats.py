import dataclasses
import io
import itertools
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import pytest
from lxml import etree

from reports.formats import document, html, junit, markdown, terminal
from reports.formats import json as json_format
from reports.model import Report
from scenarios.record.writer import MemoryRecorder
from tests.golden import sample
from validators.model import Evidence, Judgement, Result, Verdict

ROOT = Path(__file__).parents[3]
XUNIT2 = etree.XMLSchema(etree.parse(str(ROOT / "tests" / "data" / "junit-10.xsd")))
EVIL = "<script>alert(1)</script> & \"q\" 'a' | `b` {{7*7}} \x1b[31m\x00\x9b\u202e ]]> ✗"
EMPTY = Report({}, Judgement(Result.INCONCLUSIVE, (), 0, 0, ""), MemoryRecorder())
FORMATS = [terminal, html, markdown, json_format, junit]


def hostile():
    verdict = Verdict(
        EVIL,
        Result.FAIL,
        math.nan,
        1.0,
        EVIL,
        -math.inf,
        math.inf,
        3,
        EVIL,
        EVIL,
        (Evidence(EVIL, EVIL, 1),),
        {EVIL: EVIL, "x": {"y": [math.nan, EVIL]}},
        EVIL,
    )
    skipped = dataclasses.replace(verdict, objective=EVIL + "2", result=None, state="not_judged")
    head = sample.head(
        scenario={"scenario": EVIL, "title": EVIL, "tests": EVIL},
        run_id=EVIL,
        git_commit=EVIL,
        versions={EVIL: EVIL},
        command=EVIL,
        objectives=[{"objective": EVIL, "title": EVIL, "kind": "latency"}],
        topology={"topology": EVIL},
    )
    made = MemoryRecorder()
    made.mark(1, "injection_begun", EVIL, fault=EVIL, target=[EVIL])
    made.mark(2, "decided", EVIL, procedure=EVIL)
    return Report(head, Judgement(Result.FAIL, (verdict, skipped), 1, 2, EVIL), made)


@pytest.mark.parametrize("made", FORMATS)
@pytest.mark.parametrize(
    "report", [EMPTY, hostile(), sample.report(), sample.report(many=True)], ids=["empty", "hostile", "one", "many"]
)
def test_every_format_can_show_it_and_twice_the_same(made, report):
    text = made.render(report)
    assert text == made.render(report)
    text.encode("utf-8")
    assert not any(ord(c) < 32 and c not in "\n\t" for c in text)
    assert "\x9b" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
@pytest.mark.parametrize("many", [False, True])
def test_the_terminal_keeps_within_its_width(width, many):
    text = terminal.render(sample.report(many=many), width=width)
    assert max(len(line) for line in text.splitlines()) <= max(width, 80)


def test_the_terminal_says_it_without_colour_and_first_and_last():
    lines = terminal.render(sample.report()).splitlines()
    assert lines[0] == lines[-1] == "✗ FAIL, 14 of 14 judged, SIMULATION".replace("14 of 14", "14 of 15")
    assert "\x1b" not in "".join(lines)


def test_the_terminal_can_do_with_ascii():
    assert terminal.render(sample.report(many=True), unicode=False).isascii()


def test_no_color_is_honoured(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    file = io.StringIO()
    terminal.show(sample.report(), file)
    assert "FAIL" in file.getvalue()
    assert "\x1b[31" not in file.getvalue()
    assert "\x1b[1;31" not in file.getvalue()


def test_a_terminal_that_is_no_unicode_terminal_gets_ascii():
    raw = io.BytesIO()
    wrapper = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    terminal.show(sample.report(), wrapper)
    assert b"X FAIL, 14 of 15" in raw.getvalue()


def test_the_terminal_needs_no_plotting():
    heavy = "('matplotlib', 'pandas', 'scipy', 'numba')"
    program = f"import sys, reports.formats.terminal; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_a_title_with_a_script_stays_text():
    page = html.render(hostile())
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{7*7}}" in page


def test_the_page_asks_for_nothing():
    page = html.render(sample.report(many=True))
    for word in ("http://", "https://", "<script", "<iframe", "@import", "url(http", " src=", '<link rel="stylesheet"'):
        assert word not in page, word


def test_ids_of_the_page_are_unique_and_links_lead_somewhere():
    tree = etree.HTML(html.render(sample.report(many=True)))
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    targets = [h[1:] for h in tree.xpath("//@href") if h.startswith("#")]
    assert set(targets) <= set(ids)
    named = [word for value in tree.xpath("//@aria-labelledby") for word in value.split()]
    assert set(named) <= set(ids)


def test_headings_go_down_one_step_at_a_time():
    tree = etree.HTML(html.render(sample.report(many=True)))
    levels = [int(e.tag[1]) for e in tree.iter("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


def test_tables_have_captions_and_scopes():
    tree = etree.HTML(html.render(sample.report(many=True)))
    tables = tree.xpath("//table")
    assert tables
    assert all(t.xpath("./caption") for t in tables)
    assert all(th.get("scope") for th in tree.iter("th"))


def test_the_page_says_what_it_must():
    page = html.render(sample.report(many=True))
    for words in (
        "kernel = SimPy reference on this topology: 50,000 requests, 0 differing",
        "gameday simulate region-loss-automatic --seed 7 --trials 200",
        "the people are scripted",
        "the timeline contains no change",
        "11" * 32,
        "This is a prediction by the twin",
        "readback: timeline=us-west-2/2",
        "Last published error of the twin (",
    ):
        assert words in page, words


def test_the_published_schema_is_the_one_of_the_code():
    published = json.loads((ROOT / "docs" / "reference" / "schemas" / "report.schema.json").read_text(encoding="utf-8"))
    assert published == document.schema()


@pytest.mark.parametrize(
    "report", [EMPTY, hostile(), sample.report(), sample.report(many=True)], ids=["empty", "hostile", "one", "many"]
)
def test_json_is_valid_by_its_schema(report):
    validator = jsonschema_rs.validator_for(document.schema())
    validator.validate(json.loads(json_format.render(report)))


def test_json_with_a_name_too_many_is_invalid():
    data = json.loads(json_format.render(sample.report()))
    validator = jsonschema_rs.validator_for(document.schema())
    assert not validator.is_valid({**data, "more": 1})
    assert not validator.is_valid({k: v for k, v in data.items() if k != "result"})


@pytest.mark.parametrize(
    "report", [EMPTY, hostile(), sample.report(), sample.report(many=True)], ids=["empty", "hostile", "one", "many"]
)
def test_junit_is_valid_xunit2(report):
    XUNIT2.assertValid(etree.fromstring(junit.render(report).encode("utf-8")))


def test_junit_has_a_case_for_each_objective():
    tree = etree.fromstring(junit.render(sample.report()).encode("utf-8"))
    kinds = {c.get("name"): [child.tag for child in c] for c in tree.iter("testcase")}
    assert len(kinds) == 17
    assert kinds["rto.risk"] == ["failure"]
    assert kinds["rpo.logs"] == ["error"]
    assert kinds["response.P0"] == ["skipped"]
    assert kinds["rto.database"] == ["system-out"]
    suite = tree.find("testsuite")
    assert [suite.get(n) for n in ("tests", "failures", "errors", "skipped")] == ["17", "2", "1", "3"]
    skipped = tree.xpath("//testcase[@name='response.P0']/skipped/@message")
    assert skipped == ["the people are scripted"]


def test_markdown_escapes_what_would_break_a_table():
    page = markdown.render(hostile())
    words = re.sub(r"`[^`\n]*`|^    .*$", "", page.replace("\\`", ""), flags=re.MULTILINE)
    assert "<script" not in words
    table = [line for line in page.splitlines() if line.startswith("| ")]
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1


def test_markdown_fits_a_step_summary():
    many = tuple(
        dataclasses.replace(v, objective=f"{v.objective}.{i}", reason="é" * 4000)
        for i in range(3000)
        for v in sample.verdicts()[:1]
    )
    report = dataclasses.replace(sample.report(), judgement=Judgement(Result.FAIL, many, 1, 1, ""))
    page = markdown.render(report)
    assert len(page.encode("utf-8")) <= markdown.MOST_BYTES
    assert "cut off here" in page
