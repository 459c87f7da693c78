"""The runbook's objectives: each limit is the number that the runbook gives, each section is in it."""

import re
from collections import Counter
from pathlib import Path

import pytest

from scenarios.errors import InvalidFileError
from scenarios.files.catalogue import scenarios
from scenarios.files.library import LIBRARY, yaml_files
from scenarios.files.load import load, objectives
from scenarios.files.yaml import read
from scenarios.model.objective import Objective

BY_NAME = {o.objective: o for o in objectives()}
UNIT_US = {"ms": 1_000, "s": 1_000_000, "second": 1_000_000, "m": 60_000_000, "minute": 60_000_000, "h": 3_600_000_000,
           "hour": 3_600_000_000}  # fmt: skip


def sections(text: str) -> dict[str, str]:
    """Text of each section of a Markdown page by its path; numbers in front of titles are left out."""
    found: dict[str, str] = {}
    path: list[str] = []
    fenced = False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        heading = None if fenced else re.match(r"(#{2,4}) (?:\d+\. )?(.+)", line)
        if heading:
            path = [*path[: len(heading[1]) - 2], heading[2].strip()]
        if path:
            found[" / ".join(path)] = found.get(" / ".join(path), "") + line + "\n"
    return found


def duration_us(text: str) -> int:
    match = re.search(r"(\d+)\s*(ms|seconds?|minutes?|hours?|[smh])\b", text)
    assert match, text
    unit = match[2] if match[2] in UNIT_US else match[2].removesuffix("s")
    return int(match[1]) * UNIT_US[unit]


def test_what_is_promised() -> None:
    assert Counter(o.kind for o in objectives()) == {
        "recovery_time": 5, "data_loss": 4, "latency": 4, "throughput": 1, "response": 4, "detection": 3, "change": 2,
        "load_test": 3, "house_rule": 4, "integrity": 5,
    }  # fmt: skip
    assert [o for o in objectives() if o.kind in ("house_rule", "integrity") and not o.rationale] == []
    assert [o for o in objectives() if o.kind not in ("house_rule", "integrity") and not o.runbook] == []


# A pattern that finds the runbook's own words for each limit within its section.
WORDS = {
    "rto.strategic": r"\*\*Strategic Services\*\*: (.+)",
    "rto.tactical": r"\*\*Tactical Services\*\*: (.+)",
    "rto.risk": r"\*\*Risk Management\*\*: (.+)",
    "rto.database": r"\*\*Database\*\*: (.+)",
    "rto.complete": r"\*\*Complete System\*\*: (.+)",
    "rpo.transactions": r"\*\*Transaction Data\*\*: (.+)",
    "rpo.models": r"\*\*Model Data\*\*: (.+)",
    "rpo.configuration": r"\*\*Configuration Data\*\*: (.+)",
    "rpo.logs": r"\*\*Log Data\*\*: (.+)",
    "kpi.strategic": r"\*\*Strategic Agent\*\*: < (.+) response",
    "kpi.tactical": r"\*\*Tactical Agent\*\*: < (.+) response",
    "kpi.risk": r"\*\*Risk Management\*\*: < (.+) VaR",
    "kpi.database": r"\*\*Database\*\*: < (.+) query",
    "response.P0": r"\*\*P0\*\*: (.+)",
    "response.P1": r"\*\*P1\*\*: (.+)",
    "response.P2": r"\*\*P2\*\*: (.+)",
    "response.P3": r"\*\*P3\*\*: (.+)",
    "alert.StrategicAgentDown": r"alert: StrategicAgentDown\n.*\n  for: (.+)",
    "alert.HighErrorRate": r"alert: HighErrorRate\n.*\n  for: (.+)",
    "alert.RiskLimitBreach": r"alert: RiskLimitBreach\n.*\n  for: (.+)",
    "change.downtime": r'downtime_required: "(.+)"',
    "change.rollback": r'rollback_time: "(.+)"',
}
RATES = {
    "kpi.throughput": r"> ([\d,]+) requests/second",
    "load.load": r"run_load_test.*--rate=(\d+)rps",
    "load.stress": r"run_stress_test.*--rate=(\d+)rps",
    "load.endurance": r"run_endurance_test.*--rate=(\d+)rps",
}
LENGTHS = {
    "load.load": r"run_load_test.*--duration=(\S+)",
    "load.stress": r"run_stress_test.*--duration=(\S+)",
    "load.endurance": r"run_endurance_test.*--duration=(\S+)",
}


def said(pattern: str, objective: Objective, text: str) -> str:
    """What the section of an objective says where a pattern matches."""
    match = re.search(pattern, sections(text)[objective.runbook or ""])
    assert match, f"{objective.runbook} does not say {pattern}"
    return match[1]


def test_every_limit_is_compared() -> None:
    promised = {o.objective for o in objectives() if o.runbook}
    assert promised == set(WORDS) | set(RATES)


@pytest.mark.needs("runbook")
@pytest.mark.proves("each limit in the objectives is the number that the runbook gives in the section named")
@pytest.mark.parametrize("name", WORDS)
def test_limit_is_the_runbooks(name: str, runbook_text: str) -> None:
    assert BY_NAME[name].limit_us == duration_us(said(WORDS[name], BY_NAME[name], runbook_text))


@pytest.mark.needs("runbook")
@pytest.mark.parametrize("name", RATES)
def test_rate_is_the_runbooks(name: str, runbook_text: str) -> None:
    assert BY_NAME[name].limit_per_s == int(said(RATES[name], BY_NAME[name], runbook_text).replace(",", ""))


@pytest.mark.needs("runbook")
@pytest.mark.parametrize("name", LENGTHS)
def test_length_is_the_runbooks(name: str, runbook_text: str) -> None:
    assert BY_NAME[name].lasts_us == duration_us(said(LENGTHS[name], BY_NAME[name], runbook_text))


@pytest.mark.needs("runbook")
def test_latency_is_judged_at_the_runbooks_own_quantile(runbook_text: str) -> None:
    quantile = re.search(r"histogram_quantile\((0\.\d+)", runbook_text)
    assert quantile
    assert {o.quantile for o in objectives() if o.kind == "latency"} == {float(quantile[1])}


@pytest.mark.needs("runbook")
def test_alerts_are_the_runbooks(runbook_text: str) -> None:
    rules = load("region-loss-automatic").topology.monitoring.alerts
    for rule in rules:
        text = said(rf"alert: {rule.alert}\n  expr: (.+)", BY_NAME[f"alert.{rule.alert}"], runbook_text)
        assert rule.written == text
        assert rule.for_us == BY_NAME[f"alert.{rule.alert}"].limit_us


@pytest.mark.needs("runbook")
def test_sections_are_in_the_runbook(runbook_text: str) -> None:
    known = sections(runbook_text)
    named = {o.runbook for o in objectives() if o.runbook}
    named |= {path for s in scenarios() for path in s.runbook}
    for file in yaml_files(LIBRARY / "procedures"):
        named |= set(read(file).values.get("runbook", []))
    assert named - set(known) == set()
    assert len(named) > 10


@pytest.mark.needs("runbook")
def test_steps_are_in_the_runbook(runbook_text: str) -> None:
    """A step of a procedure that names a step of the runbook names one that is there."""
    known = {path.rpartition(" / ")[2]: text for path, text in sections(runbook_text).items()}
    checked = 0
    for file in yaml_files(LIBRARY / "procedures"):
        for step in read(file).values["steps"]:
            if "runbook" in step:
                section, _, number = step["runbook"].partition(", step ")
                assert re.search(rf"^# {number}\. ", known[section], flags=re.MULTILINE), step["runbook"]
                checked += 1
    assert checked > 10


def test_sections_of_a_page() -> None:
    text = "# Page\n## A\nx\n### 1. B\ny\n#### C\nz\n```sh\n# not a heading\n```\n## D\n"
    assert list(sections(text)) == ["A", "A / B", "A / B / C", "D"]
    assert "not a heading" in sections(text)["A / B / C"]


def test_a_list_of_one_wrong_objective_is_not_called_too_short(tmp_path: Path) -> None:
    file = tmp_path / "objectives" / "mine.yaml"
    file.parent.mkdir()
    file.write_text("objectives:\n  - {objective: rto.mine, kind: recovery_time, subject: risk, limit: 1 min}\n")
    with pytest.raises(InvalidFileError) as caught:
        objectives([tmp_path])
    assert [p.found for p in caught.value.problems] == ["no `title`"]
    file.write_text("objectives: []\n")
    with pytest.raises(InvalidFileError) as caught:
        objectives([tmp_path])
    assert [(p.found, p.expected) for p in caught.value.problems] == [("an empty list", "at least 1 in the list")]
