"""Two faults that hold the same thing at the same time are refused when the scenario is read, with the place."""

from pathlib import Path

import pytest

from gameday.cli.main import run
from scenarios.errors import InvalidFileError
from scenarios.files.load import load

SCENARIO = """\
scenario: both
title: Two faults at once
runbook: [Disaster Recovery / Disaster Recovery Plan / Recovery Time Objectives (RTO)]
topology: testbed
workload: {profile: steady, rate: 20/s, duration: until settled, at most: 20 min}
timeline:
  - FIRST
  - SECOND
worlds:
  kind: {}
"""
STALLED = "{at: 2 min, fault: replication-stalled, target: {region: us-west-2}UNTIL}"
DELAYED = "{at: 4 min, fault: replication-delayed, target: {region: us-west-2}, until: 3 min}"
DRAINED = "{at: 2 min, fault: cordon-drain, target: {region: us-east-1, service: strategic}UNTIL}"
DRAINED_TOO = "{at: 4 min, fault: cordon-drain, target: {region: us-east-1, service: tactical}, until: end}"
ELSEWHERE = "{at: 4 min, fault: cordon-drain, target: {region: us-west-2, service: tactical}, until: end}"


def written(folder: Path, first: str, second: str, until: str) -> str:
    file = folder / "both.yaml"
    file.write_text(SCENARIO.replace("FIRST", first.replace("UNTIL", until)).replace("SECOND", second))
    return str(file)


@pytest.mark.proves(
    "a second fault on the line of replication, or on nodes of a region that are drained, is refused at check"
)
@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        (STALLED, DELAYED, "replication-stalled of entry 0 holds the one line that replication goes through"),
        (DRAINED, DRAINED_TOO, "cordon-drain of entry 0 holds a node of that region, maybe the same"),
    ],
)
@pytest.mark.parametrize("until", [", until: end", "", ", until: 3 min"])
def test_a_second_one_is_refused(
    first: str, second: str, found: str, until: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, first, second, until)
    for words in (["check", path], ["show", path, "--experiment"]):
        assert run(words) == 2
        said = capsys.readouterr().err
        assert "both.yaml:8:5 (timeline.1)" in said
        assert found in said


@pytest.mark.parametrize(
    ("first", "second", "until"),
    [(STALLED, DELAYED, ", until: 2 min"), (DRAINED, DRAINED_TOO, ", until: 2 min"), (DRAINED, ELSEWHERE, "")],
)
def test_one_after_the_other_or_elsewhere(first: str, second: str, until: str, tmp_path: Path) -> None:
    assert load(written(tmp_path, first, second, until), world="kind")


def test_a_second_one_that_only_a_world_brings_together_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match="the one line"):
        load(written(tmp_path, DELAYED, STALLED.replace("UNTIL", ""), ""), world="kind")
