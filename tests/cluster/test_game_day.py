"""The whole path for real: a region is lost, the automation fails over, the judge decides, undo brings it home."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.testbed import lifecycle
from experiments.testbed.status import Status
from gameday.judging import load_report
from scenarios.record.reader import RunRecord

pytestmark = [pytest.mark.needs("docker"), pytest.mark.needs("kind")]

SCENARIO = "region-loss-automatic"
ATTEMPTS = 3
PHASES = ("detect", "decide", "act", "converge")
SERVICES = ("strategic", "tactical", "risk", "database")


def gameday(folder: Path, *arguments: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    """A command as a user gives it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "gameday", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
    )


def play(folder: Path) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Play it; return what was said, and the newest record."""
    played = gameday(folder, "run", SCENARIO, "--world", "kind", "--yes", "--json", timeout_s=1200)
    runs = (
        sorted((folder / "runs").iterdir(), key=lambda run: run.stat().st_mtime) if (folder / "runs").exists() else []
    )
    assert runs, played.stderr
    return played, runs[-1]


@pytest.mark.timeout(1500)
@pytest.mark.proves("a region is lost for real: measured from outside, judged by the same validators, and undone")
def test_region_loss(whole_testbed: Status, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    played, folder = play(tmp_path)
    for _ in range(ATTEMPTS - 1):
        if played.returncode == 4 and not any(m.kind == "injection_begun" for m in RunRecord(folder).marks):
            played, folder = play(tmp_path)  # a busy machine: a service was bad just before, so nothing was broken
    assert played.returncode in (0, 1, 3), played.stderr
    record = RunRecord(folder)
    assert record.head["termination"] == "complete"
    assert record.head["evidence_class"] == "lab"
    kinds = {m.kind for m in record.marks}
    assert {"injection_begun", "effect_seen", "automation_detected", "promoted", "dns_switched"} <= kinds
    assert {"lift_begun", "lifted", "settled", "readback_done"} <= kinds
    assert "left_behind" not in kinds
    report = load_report(folder)
    verdicts = {v.objective: v for v in report.judgement.verdicts}
    for name in (*SERVICES, "complete"):
        found = verdicts[f"rto.{name}"]
        assert found.value is not None, found.reason
        assert 0 < found.value < 600
    assert verdicts["rpo.transactions"].value is not None
    assert verdicts["rule.single_writer"].result != "FAIL"
    assert verdicts["rule.no_duplicate_order"].result == "PASS"
    assert (folder / "report.html").stat().st_size > 10_000
    assert (folder / "reconciliation.csv").read_text().startswith("timeline,")
    words = ", ".join(f"{n} {verdicts[f'rto.{n}'].value:.1f} s" for n in (*SERVICES, "complete"))
    record_property("summary", f"region lost: {words}; {report.judgement.headline}")


@pytest.mark.timeout(900)
def test_undo_brings_it_home(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    refused = gameday(tmp_path, "run", SCENARIO, "--world", "kind", "--yes", timeout_s=120)
    assert refused.returncode == 2, "a failback is pending"
    assert "pending failback" in refused.stderr
    undone = gameday(tmp_path, "undo", "--home", "--json", timeout_s=660)
    assert undone.returncode == 0, undone.stderr
    assert json.loads(undone.stdout)["took_s"] <= 600
    assert lifecycle.status(measure=False).whole
    record_property("summary", f"home again after {json.loads(undone.stdout)['took_s']:.0f} s")
