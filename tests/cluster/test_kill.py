"""The runner is killed while a worker is paused: the fault is lifted without help. More kills: `pytest tests/kill`."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.testbed.layout import EAST
from experiments.testbed.status import Status
from tests.cluster.killing import LIFTED_WITHIN_S, gameday, paused
from tests.cluster.plain import poll

pytestmark = [pytest.mark.needs("docker"), pytest.mark.needs("kind")]

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
    whole_testbed: Status, tmp_path: Path, record_property: Callable[[str, object], None]
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
