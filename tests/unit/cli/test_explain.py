"""`gameday explain`, as it is called."""

import json
from pathlib import Path

import pytest

from gameday.cli.main import run

Capture = pytest.CaptureFixture[str]


def test_explain(place: Path, capsys: Capture) -> None:
    assert run(["explain", "rto.risk"]) == 0
    said = capsys.readouterr()
    for part in ("at most 5 min", "Recovery Time Objectives (RTO)", "What it means", "How it is measured",
                 "When it is judged", "What makes it INCONCLUSIVE"):  # fmt: skip
        assert part in said.out
    assert said.err.startswith("next: gameday ")


def test_house_rule(place: Path, capsys: Capture) -> None:
    assert run(["explain", "rule.single_writer"]) == 0
    assert "house rule: two databases that both accept orders cannot be merged afterwards" in capsys.readouterr().out


def test_json(place: Path, capsys: Capture) -> None:
    assert run(["explain", "kpi.throughput", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["limit"] == "more than 10,000/s"
    assert set(told) == {
        "objective", "title", "limit", "source", "definition", "measured", "exercised", "inconclusive",
    }  # fmt: skip


def test_without_a_name_it_lists(place: Path, capsys: Capture) -> None:
    assert run(["explain"]) == 0
    assert capsys.readouterr().out.count("\n") == 36
    assert run(["explain", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 35


def test_unknown(place: Path, capsys: Capture) -> None:
    assert run(["explain", "rto.rsk"]) == 2
    assert "Did you mean `rto.risk`?" in capsys.readouterr().err
