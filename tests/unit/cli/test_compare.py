"""`gameday compare`: a prediction beside a measurement, and nothing else."""

import json
import shutil
from pathlib import Path

import pytest

from gameday.cli.main import run
from tests.records import Run
from tests.tidy import results
from tests.unit.cli.on_disk import put

Capture = pytest.CaptureFixture[str]


def published(place: Path) -> tuple[str, str]:
    """Put the shortest published game day that was predicted into `runs`, and its prediction."""
    with results.unpacked() as folders:
        names = ("ensemble.json", "run.json")
        heads = {f: json.loads((f / n).read_text()) for f in folders for n in names if (f / n).is_file()}
        of = {(h["topology_digest"], h["scenario_digest"]): f for f, h in heads.items() if h["source"] == "simulation"}
        pairs = [
            (heads[f]["duration_us"], of[key], f)
            for f, h in heads.items()
            if h["source"] != "simulation" and (key := (h["topology_digest"], h["scenario_digest"])) in of
        ]
        _, predicted, measured = min(pairs)
        for folder in (predicted, measured):
            shutil.copytree(folder, place / "runs" / folder.name)
        return predicted.name, measured.name


def test_a_published_prediction_beside_its_game_day(place: Path, capsys: Capture) -> None:
    predicted, measured = published(place)
    assert run(["compare", predicted, measured]) == 0
    out, err = capsys.readouterr()
    assert f"predicted {predicted.removesuffix('-x60')}" in out
    assert "measured values are inside what was predicted" in err
    assert run(["compare", predicted, measured, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert any(row["inside"] is not None and row["objective"].startswith("rto.") for row in rows)


@pytest.mark.proves("a record of the twin is never taken for a measurement")
def test_a_simulation_is_no_measurement(place: Path, capsys: Capture) -> None:
    put(place / "runs" / "twin", Run().says(source="simulation"))
    put(place / "runs" / "real", Run().says(source="kind"))
    assert run(["compare", "twin", "twin"]) == 2
    err = capsys.readouterr().err
    assert "error: MEASURED twin" in err
    assert "found     a simulation" in err
    assert run(["compare", "real", "real"]) == 2
    assert "error: PREDICTED real" in capsys.readouterr().err
