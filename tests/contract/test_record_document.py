"""docs/reference/record.md says what the code does."""

from pathlib import Path

import pytest

from scenarios.record.document import page
from scenarios.record.ensemble import OBJECTIVE_SAYS, TRIAL_SAYS, TRIALS
from scenarios.record.kinds import KINDS
from scenarios.record.tables import DESCRIBED, SAMPLE_NAMES

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "record.md"


@pytest.mark.proves("docs/reference/record.md names every file, fact, table and column of a record")
def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run `python -m scenarios.record.document > docs/reference/record.md`"
    )


def test_nothing_is_left_unsaid() -> None:
    text = page()
    for name in (*KINDS, *SAMPLE_NAMES, *(c.name for t in DESCRIBED for c in t.columns)):
        assert f"`{name}`" in text
    assert all(c.says for t in DESCRIBED for c in t.columns)
    assert TRIAL_SAYS.keys() == {c.name for c in TRIALS}
    assert OBJECTIVE_SAYS.keys() == {c.name for c in TRIALS.field("objectives").type.value_type}


def test_every_line_of_a_table_has_as_many_cells_as_its_head() -> None:
    cells = 0
    for line in page().splitlines():
        if not line.startswith("|"):
            cells = 0
            continue
        found = line.replace("\\|", "").count("|")
        cells = cells or found
        assert found == cells, line
