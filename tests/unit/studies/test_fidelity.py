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
    scenario = lines.index("| `s` | 2 | 3 | 2 | 31.8 s | 1 min |")
    assert lines[scenario + 2] == "Of 3 verdicts 1 differed:"
    assert lines[scenario + 4] == "* `s`, rto.risk: PASS at control, FAIL at request, in 1 trial"


def test_table_tells_how_wide_its_bounds_are() -> None:
    rows = [replace(ROW, trial=n, request_value=100.0 + n) for n in range(20)]
    late = replace(ROW, trial=20, request="FAIL", request_value=160.0)
    assert "| `rto.risk` | 20 | 20 of 20 | 86 % | 9.5 s | 19 s | 86 % |" in table(rows)  # 0.05 ** (1 / 20) = 0.861
    assert "| `rto.risk` | 21 | 20 of 21 | 79 % | 10 s | 1 min | 86 % |" in table([*rows, late])


def test_a_trial_counts_once_for_all_rules() -> None:
    """Rules of one trial do not differ independently of each other."""
    rules = [replace(ROW, objective=f"rule.{name}") for name in ("one", "other")]
    assert "| `rule.*` | 1 | 1 of 1 | 5 % | – | – | – |" in table(rules)
    assert "| `rule.*` | 1 | 0 of 1 | 0 % | – | – | – |" in table([rules[0], replace(rules[1], request="FAIL")])
