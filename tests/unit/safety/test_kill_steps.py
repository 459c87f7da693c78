"""The kill tests wait for facts that a real run has: none of them waits for ever."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.kill import test_each_step as killing

RUNS = Path(__file__).parents[3] / "docs" / "results" / "runs"


@pytest.fixture(scope="module")
def marks() -> list[dict[str, Any]]:
    """Facts of a region's loss that was played on the clusters."""
    archive = max(RUNS.glob("region-loss-automatic-kind-*.tar.gz"))
    with tarfile.open(archive) as files:
        lines = files.extractfile("marks.jsonl")
        assert lines is not None
        return [json.loads(line) for line in lines.read().splitlines()]


@pytest.mark.parametrize("step", killing.STEPS)
def test_each_step_has_its_fact_in_a_run(step: str, marks: list[dict[str, Any]]) -> None:
    wanted = killing.STEPS[step][0]
    assert len([mark for mark in marks if wanted(mark)]) == 1


def test_the_line_says_how_far_it_came() -> None:
    course = killing.Course("fence", True)
    assert str(course) == "runner and all it had started killed at fence: nothing happened"
    course.note("lifted after {s:.0f} s")
    course.note("whole")
    assert str(course) == "runner and all it had started killed at fence: lifted after 0 s, whole"
