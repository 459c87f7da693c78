"""What kill tests share: a run as a process that can be killed, and who could write while it was."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from experiments.safety.reverter import Reverter, ReverterError
from experiments.testbed import clusters
from experiments.testbed import status as looking
from experiments.testbed.layout import PLACES, PORTS, Place
from scenarios.record.reader import RunRecord
from tests.cluster.plain import poll

LIFTED_WITHIN_S, STOPPED_WITHIN_S, WHOLE_WITHIN_S = 60.0, 15.0, 600.0
SCENARIO = """
scenario: killed
title: {title}
runbook: [Disaster Recovery / Failover Procedures]
topology: testbed
workload: {{profile: steady, rate: 20/s, duration: until settled, at most: {most}}}
timeline:
{timeline}
{more}
worlds:
  twin: {{}}
  kind: {kind}
"""
LOST = "  - {at: 5 min, fault: region-loss, target: {region: us-east-1}, until: end}"


def scenario(title: str, more: str, *, timeline: str = LOST, most: str = "40 min", kind: str = "{skips: 4 min}") -> str:
    """Text of a scenario on the testbed; `more`: who answers, and what else it says."""
    return SCENARIO.format(title=title, more=more, timeline=timeline, most=most, kind=kind)


REGION_LOSS = scenario("us-east-1 is lost, and the runner is killed", "response: [automatic-failover]")


def paused() -> list[str]:
    return [node for node, state in clusters.node_states(list(PLACES.values())).items() if state == "paused"]


def lifted() -> bool:
    """Whether nothing is paused, and the reverter holds nothing that was not lifted: a pause may be under way still."""
    try:
        held = Reverter().plan()
    except ReverterError:
        return False
    done = not held["lifts"] or (held["lifted_by"] and all(result["ok"] for result in held["results"]))
    return bool(done) and not paused()


def acknowledged(record: Path) -> list[int]:
    """Keys of the orders that were acknowledged, as far as the killed run has recorded it."""
    done = RunRecord(record).table("writes_done").to_pylist()
    return [row["key"] for row in done if (row["data_class"], row["outcome"]) == ("transactions", "acked")]


def missing(place: Place, keys: list[int]) -> list[int]:
    """Those of the orders that a region's database does not hold."""
    with psycopg.connect(
        host=place.address, port=PORTS["database"], user="prober", password="prober", dbname="grandmodel",
    ) as connection:  # fmt: skip
        found = connection.execute("SELECT key FROM orders WHERE key = ANY(%s)", (keys,)).fetchall()
    return sorted(set(keys) - {row[0] for row in found})


def gameday(folder: Path, *arguments: str, timeout_s: float = WHOLE_WITHIN_S) -> subprocess.CompletedProcess[str]:
    """A command in a fresh shell."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "gameday", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
    )


class Run:
    """`gameday run` of the region's loss, or of another scenario's text, as a process that can be killed."""

    def __init__(self, folder: Path, scenario: str = REGION_LOSS, *more: str) -> None:
        self.folder = folder
        (folder / "killed.yaml").write_text(scenario)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-m", "gameday", "run", "killed.yaml", "--world", "kind", "--yes", *more]
        self.process = self._started(command, environment)

    def _started(self, command: list[str], environment: dict[str, str]) -> subprocess.Popen[Any]:
        with (self.folder / "out").open("w") as out, (self.folder / "err").open("w") as err:
            return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=out, stderr=err)

    @property
    def record(self) -> Path:
        return next((self.folder / "runs").iterdir())

    def marks(self) -> list[dict[str, Any]]:
        found = list((self.folder / "runs").glob("*/marks.jsonl"))
        lines = found[0].read_text(encoding="utf-8").splitlines() if found else []
        return [json.loads(line) for line in lines if line.endswith("}")]

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool], within_s: float = 900.0) -> None:
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


def begins(kind: str, **detail: str) -> Callable[[dict[str, Any]], bool]:
    def wanted(mark: dict[str, Any]) -> bool:
        return bool(mark["kind"] == kind and all(mark["detail"].get(name) == value for name, value in detail.items()))

    return wanted


def is_one_primary_with_a_standby(primary: str, standby: str) -> bool:
    now, other = looking.database(PLACES[primary]), looking.database(PLACES[standby])
    assert now is not None
    assert other is not None
    return now.writable and now.streaming_standbys == 1 and not other.writable
