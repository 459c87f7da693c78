"""What `gameday show --experiment` prints is played by plain `chaos run`: it breaks, and it heals."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.faults import base, cluster
from experiments.testbed.layout import EAST
from experiments.testbed.status import Status

pytestmark = [pytest.mark.needs("docker"), pytest.mark.needs("kind")]

POD_KILL = """
scenario: plain
title: One strategic pod dies
runbook: [Disaster Recovery / Disaster Recovery Plan / Recovery Time Objectives (RTO)]
topology: testbed
workload: {profile: steady, rate: 20/s, duration: until settled, at most: 3 min}
timeline:
  - {at: 5 s, fault: pod-kill, target: {region: us-east-1, service: strategic}}
worlds:
  twin: {}
  kind: {topology: testbed}
"""


def call(folder: Path, *words: str, timeout_s: float = 400) -> subprocess.CompletedProcess[str]:
    """A program of ours or of the Chaos Toolkit, as a user calls it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
    )


class Pods:
    """Ready pods of a service, looked at all the time: name -> creation."""

    def __init__(self, service: str) -> None:
        self._path = f"/api/v1/namespaces/grandmodel/pods?labelSelector=component%3D{service}"
        self.fewest = 99
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def ready(self) -> set[str]:
        pods = cluster.get(EAST.region, self._path)["items"]
        return {
            pod["metadata"]["uid"]
            for pod in pods
            if not pod["metadata"].get("deletionTimestamp")
            and any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", ()))
        }

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(10)

    def _look(self) -> None:
        while not self._over.wait(0.2):
            self.fewest = min(self.fewest, len(self.ready()))


@pytest.mark.timeout(900)
@pytest.mark.proves("a compiled scenario is played by plain `chaos run`, without our controls: it breaks and heals")
def test_plain_chaos_run(whole_testbed: Status, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    (tmp_path / "plain.yaml").write_text(POD_KILL)
    shown = call(tmp_path, "gameday", "show", "./plain.yaml", "--experiment")
    assert shown.returncode == 0, shown.stderr
    (tmp_path / "experiment.json").write_text(shown.stdout)
    pods = Pods("strategic")
    before = pods.ready()
    pods.start()
    began_s = time.monotonic()
    played = call(tmp_path, "chaostoolkit", "run", "--journal-path", "journal.json", "experiment.json")
    lasted_s = time.monotonic() - began_s
    pods.stop()
    assert played.returncode == 0, played.stdout + played.stderr
    journal = json.loads((tmp_path / "journal.json").read_text())
    assert journal["status"] == "completed"
    assert not journal["deviated"]
    assert [a["status"] for a in (*journal["run"], *journal["rollbacks"])] == ["succeeded"] * (
        len(journal["run"]) + len(journal["rollbacks"])
    )
    after = pods.ready()
    assert pods.fewest < len(before), "it did not break"
    assert len(after) == len(before)
    assert len(after - before) == 1, "one pod is another one"
    kept = base.kept("pod-kill:0")
    assert kept is None or not kept.lifts, "nothing is left to lift"
    record_property("summary", f"plain chaos run of a pod kill: broken and healed in {lasted_s:.0f} s")
