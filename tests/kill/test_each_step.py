"""The runner is killed at each step of a region's loss on the testbed, some minutes each: `pytest tests/kill`.

One of them: `pytest tests/kill -k "each_step and dns"`. The last lines say how long lifting and undo took.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from experiments.testbed import lifecycle
from experiments.testbed.layout import PLACES
from experiments.testbed.status import Status
from scenarios.record.reader import RunRecord
from tests.cluster import killing
from tests.cluster.plain import poll

pytestmark = [pytest.mark.needs("docker"), pytest.mark.needs("kind")]


# The fact, how long after it, and whether what the runner has started is killed with it: else the executor lifts.
STEPS = {
    "injected": (killing.begins("injection_begun"), 0.0, True),
    "detected": (killing.begins("automation_detected"), 0.0, False),
    "fence": (killing.begins("step_started", step="fence"), 0.0, True),
    "promote": (killing.begins("step_started", step="promote"), 0.0, False),
    "promoted": (killing.begins("promoted"), 1.0, True),
    "deploy": (killing.begins("step_started", step="deploy"), 0.0, False),
    "ready": (killing.begins("step_started", step="ready"), 0.0, True),
    "dns": (killing.begins("step_started", step="dns"), 0.0, False),
    "verify": (killing.begins("step_started", step="verify"), 0.0, True),
}


@dataclass
class Course:
    """What happened after a kill, as far as it has happened: one line."""

    step: str
    children: bool
    parts: list[str] = field(default_factory=list)
    _since_s: float = field(default_factory=time.monotonic)

    def note(self, words: str) -> None:
        self.parts.append(words.format(s=time.monotonic() - self._since_s))

    def __str__(self) -> str:
        what = "runner and all it had started" if self.children else "runner"
        return f"{what} killed at {self.step}: {', '.join(self.parts) or 'nothing happened'}"


@contextmanager
def told(step: str, children: bool, record_property: Callable[[str, object], None]) -> Iterator[Course]:
    """The line of a test, begun at the kill; it is printed at the end, also when the test fails half-way."""
    course = Course(step, children)
    try:
        yield course
    finally:
        record_property("summary", str(course))


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_each_step(
    whole: Status, tmp_path: Path, step: str, record_property: Callable[[str, object], None]
) -> None:
    wanted, later_s, children = STEPS[step]
    with killing.Writers() as writers:
        run = killing.Run(tmp_path)
        run.wait_for(wanted)
        time.sleep(later_s)
        run.kill(children=children)
        with told(step, children, record_property) as course:
            assert poll(killing.lifted, killing.LIFTED_WITHIN_S), "faults were not lifted"
            course.note("lifted after {s:.1f} s")
            read_after_a_kill(run)
            home_again(run, course)
            course.note(f"{len(writers.twice)} of {writers.looks} looks saw two writers")
    assert writers.looks > 100
    assert writers.twice == []
    assert lifecycle.status(measure=False).whole


def read_after_a_kill(run: killing.Run) -> None:
    """The record is readable, and judged."""
    record = RunRecord(run.record)
    assert record.interrupted
    assert record.marks
    assert len(record.table("probes")) > 0
    assert killing.gameday(run.folder, "judge", run.record.name).returncode in (1, 3)


def home_again(run: killing.Run, course: Course) -> None:
    """Undo makes the system whole. After a promotion it is brought home too, with all that it has."""
    undone = killing.gameday(Path("/"), "undo", "--json", timeout_s=killing.WHOLE_WITHIN_S + 60)
    assert undone.returncode == 0, undone.stderr + undone.stdout
    found = json.loads(undone.stdout)
    course.note(f"whole after {{s:.0f}} s (undo took {found['took_s']:.0f} s), primary {found['primary']}")
    assert found["took_s"] <= killing.WHOLE_WITHIN_S
    assert killing.is_one_primary_with_a_standby(found["primary"], found["standby"])
    if not found["pending"]:
        return
    refused = killing.gameday(run.folder, "run", "killed.yaml", "--world", "kind", "--yes")
    assert refused.returncode == 2, refused.stderr
    assert "pending failback" in refused.stderr
    keys = killing.acknowledged(run.record)
    held = sorted(
        set(keys) - set(killing.missing(PLACES[found["primary"]], keys))
    )  # the dead region may have kept some
    returned = killing.gameday(run.folder, "undo", "--home", "--json", timeout_s=killing.WHOLE_WITHIN_S + 60)
    assert returned.returncode == 0, returned.stderr + returned.stdout
    home = json.loads(returned.stdout)
    lost = killing.missing(PLACES[home["primary"]], held)
    course.note(f"home {home['took_s']:.0f} s later with all but {len(lost)} of {len(held)} acknowledged orders")
    assert home["took_s"] <= killing.WHOLE_WITHIN_S
    assert lost == []


@pytest.mark.timeout(1200)
@pytest.mark.proves("when the executor dies the run's parent lifts, and exits with 4")
def test_a_dead_executor(whole: Status, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    run = killing.Run(tmp_path)
    run.wait_for(killing.begins("injection_begun"))
    assert poll(lambda: bool(killing.paused()), 10)
    [executor] = run.children("experiments.compile.execute")
    os.kill(executor, signal.SIGKILL)
    killed_s = time.monotonic()
    assert poll(lambda: not killing.paused(), killing.LIFTED_WITHIN_S), "faults were not lifted"
    record_property("summary", f"executor killed: lifted after {time.monotonic() - killed_s:.1f} s")
    assert run.process.wait(timeout=300) == 4, (tmp_path / "err").read_text()
    assert RunRecord(run.record).interrupted
    assert killing.gameday(tmp_path, "undo").returncode == 0


@pytest.mark.timeout(1200)
@pytest.mark.proves("Ctrl-C lifts every fault within 15 s, and exits with 4")
def test_stopped_by_hand(whole: Status, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    run = killing.Run(tmp_path)
    run.wait_for(killing.begins("injection_begun"))
    assert poll(lambda: bool(killing.paused()), 10)
    stopped_s = run.signal(signal.SIGINT)
    assert poll(lambda: not killing.paused(), killing.STOPPED_WITHIN_S), "faults were not lifted"
    lifted_s = time.monotonic() - stopped_s
    assert run.process.wait(timeout=300) == 4, (tmp_path / "err").read_text()
    record_property("summary", f"Ctrl-C: lifted after {lifted_s:.1f} s")
    assert RunRecord(run.record).interrupted
    assert killing.gameday(tmp_path, "undo").returncode == 0
