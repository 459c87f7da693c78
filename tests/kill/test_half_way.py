"""A failover, a failback, reading back and the way home are each cut off half-way: `pytest tests/kill`."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.operate.finishing import NAME
from experiments.operate.watching import home as leads_to
from experiments.testbed import lifecycle
from experiments.testbed.layout import EAST, WEST
from experiments.testbed.status import Status
from scenarios.record.marks import Mark
from scenarios.record.reader import RunRecord
from tests.cluster import killing
from tests.cluster.plain import poll

pytestmark = [pytest.mark.needs("docker"), pytest.mark.needs("kind")]

BY_PEOPLE = killing.scenario(
    "us-east-1 is lost, people fail over, and the run is stopped",
    "response: [manual-failover]\nset: {automation.region: us-east-1}",
)
FAILBACK = killing.scenario(
    "us-east-1 is lost, comes back, and people bring the primary home",
    "response: [automatic-failover]",
    timeline="""\
  - {at: 2 min, fault: region-loss, target: {region: us-east-1}, until: 3 min}
  - {at: 5 min, change: failback}""",
    most="20 min",
    kind="{at most: 20 min}",
)
ELSEWHERE = Path("/")  # a fresh shell is anywhere


@pytest.mark.timeout(3000)
@pytest.mark.proves("a run stopped after a promotion finishes the failover; the way home survives being cut off")
def test_a_failover_and_a_homecoming_half_way(
    whole: Status, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with killing.Writers() as writers:
        run = killing.Run(tmp_path, BY_PEOPLE)
        run.wait_for(killing.begins("promoted"))
        stopped_s = run.signal(signal.SIGINT)
        assert poll(lambda: not killing.paused(), killing.STOPPED_WITHIN_S), "faults were not lifted"
        lifted_s = time.monotonic() - stopped_s
        assert run.process.wait(timeout=killing.WHOLE_WITHIN_S) == 4, (tmp_path / "err").read_text()
        ended_s = time.monotonic() - stopped_s
        assert leads_to() == WEST.region
        steps = [mark["detail"]["step"] for mark in run.marks() if finished_by_us(mark)]
        assert steps[-3:] == ["wait_ready", "switch_dns", "verify"], (tmp_path / "err").read_text()
        keys = killing.acknowledged(run.record)
        undone = killing.gameday(ELSEWHERE, "undo")
        assert undone.returncode == 0, undone.stderr
        held = sorted(set(keys) - set(killing.missing(WEST, keys)))
        codes = [cut_off(tmp_path, signal.SIGINT, 4.0), cut_off(tmp_path, signal.SIGKILL, 8.0)]
        codes.append(cut_off(tmp_path, signal.SIGINT, 12.0))
        assert codes[:2] == [4, -signal.SIGKILL], (tmp_path / "home.txt").read_text()
        assert codes[2] in (0, 4), (tmp_path / "home.txt").read_text()
        home = killing.gameday(tmp_path, "undo", "--home")
        assert home.returncode == 0, home.stderr
        lost = killing.missing(EAST, held)
    record_property(
        "summary",
        f"stopped after a promotion: lifted after {lifted_s:.1f} s, finished after {ended_s:.1f} s; home after "
        f"three tries cut off with all but {len(lost)} of {len(held)} orders; {len(writers.twice)} of {writers.looks} "
        "looks saw two writers",
    )
    assert RunRecord(run.record).interrupted
    assert lost == []
    assert writers.twice == []
    assert lifecycle.status(measure=False).whole
    assert leads_to() == EAST.region
    assert killing.is_one_primary_with_a_standby(EAST.region, WEST.region)


@pytest.mark.timeout(3000)
@pytest.mark.proves("what a second Ctrl-C kept a run from reading back is read by undo, before the old primary follows")
def test_stopped_again_while_it_reads_back(
    whole: Status, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    run = killing.Run(tmp_path, BY_PEOPLE)
    run.wait_for(killing.begins("promoted"))
    run.signal(signal.SIGINT)
    run.wait_for(killing.begins("load_stopped"))  # the last fact before it reads back
    run.signal(signal.SIGINT)
    assert run.process.wait(timeout=killing.WHOLE_WITHIN_S) in (4, 5), (tmp_path / "err").read_text()
    undone = killing.gameday(ELSEWHERE, "undo")
    assert undone.returncode == 0, undone.stderr
    by = "undo" if "read into the record" in undone.stdout else "the run itself"
    record_property("summary", f"stopped again when the load had stopped: {by} read both timelines")
    assert {mark.detail["timeline"].partition("/")[0] for mark in marks(run, "readback_done")} == {
        "us-east-1",
        "us-west-2",
    }
    assert (run.record / "reconciliation.csv").exists()
    assert killing.gameday(ELSEWHERE, "undo", "--home").returncode == 0


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("step", ["promote", "again", "light"])
@pytest.mark.proves("a failback that is killed half-way is brought to its end by undo")
def test_a_failback_half_way(
    whole: Status, tmp_path: Path, step: str, record_property: Callable[[str, object], None]
) -> None:
    with killing.Writers() as writers:
        run = killing.Run(tmp_path, FAILBACK)
        run.wait_for(lambda mark: killing.begins("step_started", step=step)(mark) and mark["subject"] == "failback")
        run.kill(children=True)
        killed_s = time.monotonic()
        undone = killing.gameday(ELSEWHERE, "undo", "--home")
        assert undone.returncode == 0, undone.stderr
        took_s = time.monotonic() - killed_s
        lost = set(killing.missing(EAST, killing.acknowledged(run.record)))
    died = listed(run)  # acknowledged by the region that was lost, and never sent across
    record_property(
        "summary",
        f"failback killed at {step}: home after {took_s:.0f} s, {len(lost - died)} orders missing; "
        f"{len(died)} that died with the region are listed",
    )
    assert writers.twice == []
    assert lost == died
    assert lifecycle.status(measure=False).whole
    assert killing.is_one_primary_with_a_standby(EAST.region, WEST.region)


def marks(run: killing.Run, kind: str) -> list[Mark]:
    return [mark for mark in RunRecord(run.record).marks if mark.kind == kind]


def listed(run: killing.Run) -> set[int]:
    """Keys of acknowledged orders in a run's reconciliation list: those that live only on a timeline that lost."""
    with (run.record / "reconciliation.csv").open(newline="") as file:
        return {int(row["key"]) for row in csv.DictReader(file) if row["acknowledged"] == "yes"}


def finished_by_us(mark: dict[str, object]) -> bool:
    detail = mark["detail"]
    return mark["kind"] == "step_finished" and mark["subject"] == NAME and isinstance(detail, dict) and detail["ok"]


def cut_off(folder: Path, number: int, after_s: float) -> int:
    """`gameday undo --home`, ended by a signal unless it was done before. Returns its exit code."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "gameday", "undo", "--home"]
    with (folder / "home.txt").open("a") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out)
        try:
            code = process.wait(after_s)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            code = process.wait(60)
    assert "Traceback" not in (folder / "home.txt").read_text()
    return code
