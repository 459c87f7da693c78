"""The runner is killed, at each step: faults are lifted without help, nobody writes twice, undo makes it whole."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
import pytest

from experiments.testbed import clusters, lifecycle
from experiments.testbed import status as looking
from experiments.testbed.layout import EAST, PLACES, PORTS, Place
from experiments.testbed.status import Status
from scenarios.record.reader import RunRecord
from tests.cluster.plain import poll

pytestmark = [pytest.mark.needs("docker"), pytest.mark.needs("kind")]

LIFTED_WITHIN_S, STOPPED_WITHIN_S, WHOLE_WITHIN_S = 60.0, 15.0, 600.0
REGION_LOSS = """
scenario: killed
title: us-east-1 is lost, and the runner is killed
runbook: [Disaster Recovery / Failover Procedures / Automatic Failover]
topology: testbed
workload: {profile: steady, rate: 20/s, duration: until settled, at most: 40 min}
timeline:
  - {at: 5 min, fault: region-loss, target: {region: us-east-1}, until: end}
response: [automatic-failover]
worlds:
  twin: {}
  kind: {topology: testbed, skips: 4 min}
"""


def paused() -> list[str]:
    return [node for node, state in clusters.node_states(list(PLACES.values())).items() if state == "paused"]


def gameday(folder: Path, *arguments: str, timeout_s: float = WHOLE_WITHIN_S) -> subprocess.CompletedProcess[str]:
    """A command in a fresh shell."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "gameday", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
    )


class Run:
    """`gameday run` of the region's loss, as a process that can be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "killed.yaml").write_text(REGION_LOSS)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-m", "gameday", "run", "killed.yaml", "--world", "kind", "--yes"]
        with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=err)

    @property
    def record(self) -> Path:
        return next((self.folder / "runs").iterdir())

    def marks(self) -> list[dict[str, Any]]:
        found = list((self.folder / "runs").glob("*/marks.jsonl"))
        lines = found[0].read_text(encoding="utf-8").splitlines() if found else []
        return [json.loads(line) for line in lines if line.endswith("}")]

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool], within_s: float = 600.0) -> None:
        def seen() -> bool:
            assert self.process.poll() is None, (self.folder / "err").read_text()
            return any(map(wanted, self.marks()))

        assert poll(seen, within_s, every_s=0.1), "the fact did not come"

    def signal(self, number: int) -> float:
        self.process.send_signal(number)
        return time.monotonic()

    def children(self, module: str = "") -> list[int]:
        """Processes that the run has started, or the one that runs a module."""
        found = subprocess.run(["pgrep", "-P", str(self.process.pid), "-f", module], capture_output=True, check=False)
        return [int(word) for word in found.stdout.split()]

    def kill(self, *, children: bool) -> float:
        """SIGKILL, with or without all that it has started."""
        for pid in [self.process.pid, *(self.children() if children else [])]:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        return time.monotonic()


@dataclass
class Writers:
    """Looks at both databases all the time: who could commit, by its own word."""

    twice: list[float] = field(default_factory=list)
    looks: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(10)

    def _look(self) -> None:
        while not self._over.wait(0.2):
            until_us = [may_write_until_us(place) for place in PLACES.values()]
            self.looks += 1
            if all(until > time.time_ns() // 1000 for until in until_us):
                self.twice.append(time.monotonic())


def may_write_until_us(place: Place) -> int:
    """End of the lease of a database that is out of recovery; 0: it is a standby, or nobody reaches it."""
    try:
        with psycopg.connect(
            host=place.address, port=PORTS["database"], user="prober", password="prober", dbname="grandmodel",
            connect_timeout=1, options="-c statement_timeout=1000",
        ) as connection:  # fmt: skip
            row = connection.execute("SELECT in_recovery, lease_until_us FROM gameday_state()").fetchone()
    except psycopg.Error:
        return 0
    return 0 if row is None or row[0] else int(row[1])


@pytest.fixture
def whole() -> Iterator[Status]:
    """A whole testbed, and whole again whatever the test does."""
    found = lifecycle.status(measure=False)
    if not found.whole:
        found = lifecycle.reset(lambda *_: None)
    yield found
    if not lifecycle.status(measure=False).whole:
        lifecycle.reset(lambda *_: None)


WORKER = """
import subprocess, sys, time
from experiments.faults import verbs
from experiments.safety.guard import Guard
with Guard("killed-with-a-worker") as guard:
    guard.arm("node-pause:0", [verbs.unpause(sys.argv[1])])
    subprocess.run(["docker", "pause", sys.argv[1]], check=True, stdout=subprocess.DEVNULL)
    print("paused", flush=True)
    time.sleep(600)
"""


@pytest.mark.proves("SIGKILL of the runner while a worker is paused: lifted within 60 s, without help")
def test_a_worker_is_not_left_paused(
    whole: Status, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    node = EAST.worker_nodes[-1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", WORKER, node], stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == b"paused\n"
    process.kill()
    killed_s = time.monotonic()
    process.wait()
    assert paused() == [node]
    assert poll(lambda: not paused(), LIFTED_WITHIN_S)
    lifted_s = time.monotonic() - killed_s
    record_property("summary", f"a paused worker was lifted {lifted_s:.1f} s after the runner was killed")
    undone = gameday(tmp_path, "undo", "--json")
    assert undone.returncode == 0, undone.stderr
    assert json.loads(undone.stdout)["left"] == []


def begins(kind: str, **detail: str) -> Callable[[dict[str, Any]], bool]:
    def wanted(mark: dict[str, Any]) -> bool:
        return bool(mark["kind"] == kind and all(mark["detail"].get(name) == value for name, value in detail.items()))

    return wanted


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
@pytest.mark.proves("SIGKILL of the runner at each step of a region's loss: lifted, one writer, readable, undone")
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


def is_one_primary_with_a_standby(primary: str, standby: str) -> bool:
    now, other = looking.database(PLACES[primary]), looking.database(PLACES[standby])
    assert now is not None
    assert other is not None
    return now.writable and now.streaming_standbys == 1 and not other.writable


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
