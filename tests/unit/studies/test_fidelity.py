"""The page on fidelity says what was measured."""

from dataclasses import replace

import pytest

from scenarios.files.catalogue import scenarios
from tests.studies.fidelity import PAGE, Compared, compare, page, read, table

ROW = Compared("s", 1, 0, "rto.risk", "PASS", "PASS", 100.0, 103.5)


@pytest.mark.proves("the table of the page on fidelity is made from the rows that were measured")
def test_page_shows_the_rows_that_were_measured() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text, read()) == text


def test_what_was_measured_is_in_the_library() -> None:
    rows = read()
    assert {r.scenario for r in rows} <= {s.name for s in scenarios() if "twin" in s.worlds}
    assert len({r.scenario for r in rows}) >= 9
    assert len({(r.scenario, r.seed, r.trial, r.objective) for r in rows}) == len(rows)


def test_only_what_both_levels_judge_is_compared() -> None:
    at = {"control": {"a": ("PASS", 1.0), "b": ("FAIL", None)}, "request": {"a": ("FAIL", 2.0), "c": ("PASS", 3.0)}}
    assert compare("s", 1, 0, at) == [Compared("s", 1, 0, "a", "PASS", "FAIL", 1.0, 2.0)]


def test_table_tells_what_differs() -> None:
    late = replace(ROW, trial=1, request="FAIL", request_value=160.0)
    lines = table([ROW, late, replace(ROW, objective="rpo.logs", control_value=None)]).splitlines()
    assert lines[2] == "| `s` | 2 | 3 | 2 | 31.8 s | 1 min |"
    assert lines[4] == "Of 3 verdicts 1 differed:"
    assert lines[6] == "* `s`, rto.risk: PASS at control, FAIL at request, in 1 trial"
