"""`gameday show` and `gameday explain`, as they are called."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gameday.cli.main import run
from tests.unit.scenarios.texts import edit, write

Capture = pytest.CaptureFixture[str]


def test_show(place: Path, capsys: Capture) -> None:
    assert run(["show", "region-loss-automatic", "--set", "people.acknowledge=3 min"]) == 0
    said = capsys.readouterr()
    for part in ("What happens", "Who answers", "On topology grandmodel", "Judged (", "Judged if", "Not exercised"):
        assert part in said.out
    assert "region-loss (us-east-1)" in said.out
    assert "people.acknowledge" in said.out
    assert said.err == "next: gameday simulate region-loss-automatic\n"


def test_show_json(place: Path, capsys: Capture) -> None:
    assert run(["show", "risk-node-loss-1-replica", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["scenario"]["scenario"] == "risk-node-loss-1-replica"
    assert document["topology"]["services"]["risk"]["replicas"] == 1
    states = {o["objective"]: o["state"] for o in document["objectives"]}
    assert states["rto.risk"] == "judged"
    assert states["kpi.throughput"] == "not judged"
    assert "parameters" not in document


def test_show_an_own_file(place: Path, capsys: Capture) -> None:
    write(place / "gamedays")
    assert run(["show", "gamedays/scenarios/mine.yaml"]) == 0
    assert "pod-kill (here, shop, count 2)" in capsys.readouterr().out


def test_show_an_own_name(place: Path, capsys: Capture) -> None:
    write(place / "gamedays")
    (place / "gameday.toml").write_text('scenario_paths = ["gamedays"]\n', encoding="utf-8")
    assert run(["show", "mine"]) == 0
    assert run(["explain", "rto.shop"]) == 0
    assert "customers wait that long" in capsys.readouterr().out


def test_parameters(place: Path, capsys: Capture) -> None:
    assert run(["show", "region-loss-automatic", "--parameters"]) == 0
    out = capsys.readouterr().out
    line = next(line for line in out.splitlines() if "people.acknowledge" in line)
    for part in ("lognormal(150 s, 0.9)", "75 s to 5 min", " J ", "CALIBRATION 4"):
        assert part in line
    assert "services.risk.replicas" in out
    assert "our own derivation or judgement" in out


def test_parameters_that_match(place: Path, capsys: Capture) -> None:
    assert run(["show", "region-loss-automatic", "--match", "dns.", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["name"].split(".")[0] for row in rows} == {"dns"}
    assert {"value", "values", "unit", "tag", "source", "low", "high"} - set(rows[0]) == {"value"}
    assert run(["show", "region-loss-automatic", "--match", "dsn"]) == 2
    assert "part of a parameter's name" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["scenario", "topology", "procedure", "objectives", "suite"])
def test_schema(kind: str, place: Path, capsys: Capture) -> None:
    assert run(["show", "--schema", kind]) == 0
    assert json.loads(capsys.readouterr().out)["$schema"].endswith("2020-12/schema")


def test_wrong_usage(place: Path, capsys: Capture) -> None:
    assert run(["show"]) == 2
    assert "gameday scenarios" in capsys.readouterr().err
    assert run(["show", "region-los-automatic"]) == 2
    assert "Did you mean `region-loss-automatic`?" in capsys.readouterr().err
    assert run(["show", "--schema", "scenarios"]) == 2
    assert "one of scenario, topology" in capsys.readouterr().err
    assert run(["show", "region-loss-automatic", "--set", "people.acknowledge"]) == 2
    assert "KEY=VALUE" in capsys.readouterr().err
    assert run(["show", "region-loss-automatic", "--set", "people.acknowledge=3"]) == 2
    assert "error: --set people.acknowledge=3" in capsys.readouterr().err


def test_last_column_wraps_on_a_terminal(place: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert run(["show", "region-loss-automatic"]) == 0
    lines = capsys.readouterr().out.splitlines()
    happens = lines[lines.index("What happens") + 1 : lines.index("Who answers") - 1]
    assert max(map(len, happens)) <= 80
    assert len(happens) > 2


def test_a_terminal_that_knows_little(place: Path) -> None:
    edit(write(place) / "scenarios" / "mine.yaml", "title: A pod dies", "title: Café ☃")
    program = [sys.executable, "-m", "gameday", "show", "scenarios/mine.yaml"]
    variables = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(program, capture_output=True, check=False, cwd=place, env=variables)
    assert done.returncode == 0, done.stderr
    assert b"mine: Caf? ?" in done.stdout
