"""The runner is killed at each step of a region's loss on the testbed, three minutes each: `pytest tests/kill`."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from experiments.testbed import lifecycle
from experiments.testbed.status import Status
from scenarios.record.reader import RunRecord
from tests.cluster.killing import (
    LIFTED_WITHIN_S,
    STOPPED_WITHIN_S,
    WHOLE_WITHIN_S,
    Run,
    Writers,
    begins,
    gameday,
    is_one_primary_with_a_standby,
    paused,
)
from tests.cluster.plain import poll

pytestmark = [pytest.mark.needs("docker"), pytest.mark.needs("kind")]


@pytest.fixture
def whole() -> Iterator[Status]:
    """A whole testbed, and whole again whatever the test does."""
    found = lifecycle.status(measure=False)
    if not found.whole:
        found = lifecycle.reset(lambda *_: None)
    yield found
    if not lifecycle.status(measure=False).whole:
        lifecycle.reset(lambda *_: None)


# The fact, how long after it, and whether what the runner has started is killed with it: else the executor lifts.
STEPS = {
    "injected": (begins("injection_begun"), 0.0, True),
    "detected": (begins("automation_detected"), 0.0, False),
    "fence": (begins("step_started", step="fence"), 0.0, True),
    "promote": (begins("step_started", step="promote"), 0.0, False),
    "promoted": (begins("promoted"), 1.0, True),
    "deploy": (begins("step_started", step="deploy"), 0.0, False),
    "ready": (begins("step_started", step="ready"), 0.0, True),
    "dns": (begins("step_started", step="dns"), 0.0, False),
    "verify": (begins("step_started", step="verify"), 0.0, True),
}


@pytest.mark.timeout(2400)
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_each_step(
    whole: Status, tmp_path: Path, step: str, record_property: Callable[[str, object], None]
) -> None:
    wanted, later_s, children = STEPS[step]
    with Writers() as writers:
        run = Run(tmp_path)
        run.wait_for(wanted)
        time.sleep(later_s)
        killed_s = run.kill(children=children)
        assert poll(lambda: not paused(), LIFTED_WITHIN_S), "faults were not lifted"
        lifted_s = time.monotonic() - killed_s
        record = RunRecord(run.record)
        assert record.interrupted
        assert record.marks
        assert len(record.table("probes")) > 0
        assert gameday(tmp_path, "judge", run.record.name).returncode in (1, 3)
        undone = gameday(tmp_path, "undo", "--json", timeout_s=WHOLE_WITHIN_S + 60)
        assert undone.returncode == 0, undone.stderr + undone.stdout
        found = json.loads(undone.stdout)
        assert found["took_s"] <= WHOLE_WITHIN_S
        assert is_one_primary_with_a_standby(found["primary"], found["standby"])
        if found["pending"]:
            refused = gameday(tmp_path, "run", "killed.yaml", "--world", "kind", "--yes")
            assert refused.returncode == 2, refused.stderr
            assert "pending failback" in refused.stderr
            assert gameday(tmp_path, "undo", "--home", timeout_s=WHOLE_WITHIN_S + 60).returncode == 0
    assert writers.looks > 100
    assert writers.twice == []
    assert lifecycle.status(measure=False).whole
    words = (
        f"killed at {step}: lifted after {lifted_s:.1f} s, undone in {found['took_s']:.0f} s, then {found['primary']}"
    )
    record_property("summary", words)


@pytest.mark.timeout(1200)
@pytest.mark.proves("when the executor dies the run's parent lifts, and exits with 4")
def test_a_dead_executor(whole: Status, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    run = Run(tmp_path)
    run.wait_for(begins("injection_begun"))
    assert poll(lambda: bool(paused()), 10)
    [executor] = run.children("experiments.compile.execute")
    os.kill(executor, signal.SIGKILL)
    killed_s = time.monotonic()
    assert poll(lambda: not paused(), LIFTED_WITHIN_S), "faults were not lifted"
    record_property("summary", f"executor killed: lifted after {time.monotonic() - killed_s:.1f} s")
    assert run.process.wait(timeout=300) == 4, (tmp_path / "err").read_text()
    assert RunRecord(run.record).interrupted
    assert gameday(tmp_path, "undo").returncode == 0


@pytest.mark.timeout(1200)
@pytest.mark.proves("Ctrl-C lifts every fault within 15 s, and exits with 4")
def test_stopped_by_hand(whole: Status, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    run = Run(tmp_path)
    run.wait_for(begins("injection_begun"))
    assert poll(lambda: bool(paused()), 10)
    stopped_s = run.signal(signal.SIGINT)
    assert poll(lambda: not paused(), STOPPED_WITHIN_S), "faults were not lifted"
    lifted_s = time.monotonic() - stopped_s
    assert run.process.wait(timeout=300) == 4, (tmp_path / "err").read_text()
    record_property("summary", f"Ctrl-C: lifted after {lifted_s:.1f} s")
    assert RunRecord(run.record).interrupted
    assert gameday(tmp_path, "undo").returncode == 0
