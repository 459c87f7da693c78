"""Bad luck that needs real clusters: a clear error, exit code 2, and nothing changed or left behind (three minutes).

The rest of the list is `tests/unit/testbed/test_bad_luck.py`.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import AppsV1Api, CoreV1Api
from ruamel.yaml import YAML

from experiments.platforms.kube import client_of
from experiments.platforms.shell import run
from experiments.safety.journal import Journal
from experiments.safety.lock import HostLock, this_process
from experiments.safety.reverter import Reverter
from experiments.testbed import clusters, layout, lifecycle
from experiments.testbed.layout import EAST, MONITORING_NAMESPACE, NAMESPACE, PLACES, WEST
from experiments.testbed.status import Status
from scenarios.record.reader import RunRecord
from tests.cluster.killing import gameday
from tests.cluster.plain import poll

pytestmark = [pytest.mark.needs("docker"), pytest.mark.needs("kind"), pytest.mark.timeout(400)]

SCENARIO = """
scenario: unlucky
title: Nothing is broken by us
runbook: [Disaster Recovery]
topology: testbed
workload: {profile: steady, rate: 20/s, duration: 30 s, at most: 30 s}
timeline: [{at: 5 s, fault: pod-kill, target: {region: us-east-1, service: risk}}]
worlds: {kind: {topology: testbed}}
"""
PLAY = ("run", "unlucky.yaml", "--world", "kind", "--yes")
OBSERVE = (*PLAY, "--observe", "--for", "30s")
OWNER, _, OWNED = layout.OWNER_LABEL.partition("=")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a scenario of half a minute."""
    (tmp_path / "unlucky.yaml").write_text(SCENARIO, encoding="utf-8")
    return tmp_path


def refused(done: "subprocess.CompletedProcess[str]") -> str:
    """What a command said that had to refuse."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "  found  " in done.stderr
    assert "  remedy  " in done.stderr
    return done.stderr


def nothing_is_left() -> None:
    """No lock, no armed fault, no run that the reverter watches."""
    lock = HostLock()
    lock.take(this_process("look"))
    lock.give_back()
    assert Journal().held() == []
    plan = Reverter().plan()
    assert plan["lifts"] == []
    assert list((layout.state_folder() / "targets").glob("*")) == []  # no copy of a key


@pytest.mark.parametrize("command", [("testbed", "up"), ("testbed", "status"), ("testbed", "down")], ids=" ".join)
def test_docker_not_running(place: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]) -> None:
    monkeypatch.setenv("GAMEDAY_STATE", str(place / "state"))  # the real one is never at risk
    monkeypatch.setenv("DOCKER_HOST", f"unix://{place}/nobody.sock")
    said = refused(gameday(place, *command))
    assert "error: docker running" in said
    assert "Start it" in said


# --- the wrong keys: a state folder of the test's own, with the kubeconfigs of the real one changed


@pytest.fixture
def copied(whole_testbed: Status, place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what the testbed keeps of itself; commands use it."""
    real, own = layout.state_folder(), place / "state" / "gameday"
    own.mkdir(parents=True)
    for name in ("testbed.json", *(p.kubeconfig.name for p in PLACES.values())):
        shutil.copyfile(real / name, own / name)
    monkeypatch.setenv("GAMEDAY_STATE", str(place / "state"))
    return own


def _edit(file: Path, change: Callable[[Any], None]) -> None:
    document = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    change(document)
    file.write_text(json.dumps(document), encoding="utf-8")


def test_expired_token(copied: Path, place: Path) -> None:
    def expire(document: Any) -> None:
        document["users"][0]["user"] = {"token": "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjE2MDAwMDAwMDB9.AAAA"}

    _edit(copied / EAST.kubeconfig.name, expire)
    said = gameday(place, "testbed", "status")
    assert said.returncode == 1
    assert f"lacks: {EAST.region}: its API: 401 Unauthorized" in said.stderr
    assert "401 Unauthorized" in refused(gameday(place, *PLAY))


def test_wrong_target(copied: Path, place: Path) -> None:
    def rename(document: Any) -> None:
        for kind in ("contexts", "clusters", "users"):
            document[kind][0]["name"] = EAST.context
        document["contexts"][0]["context"] = {"cluster": EAST.context, "user": EAST.context}

    shutil.copyfile(copied / WEST.kubeconfig.name, copied / EAST.kubeconfig.name)
    _edit(copied / EAST.kubeconfig.name, rename)
    assert "another cluster (kube-system" in refused(gameday(place, *PLAY))
    assert list((copied / "targets").glob("*")) == []  # no copy of a key


# --- the real testbed


def _generations() -> dict[str, int]:
    return {
        f"{place.region}/{item.metadata.name}": item.metadata.generation
        for place in PLACES.values()
        for item in AppsV1Api(client_of(place)).list_namespaced_deployment(NAMESPACE).items
    }


@pytest.fixture
def foreign_namespace(whole_testbed: Status) -> Iterator[None]:
    """The namespace for monitoring in the west says that somebody else manages it."""
    core = CoreV1Api(client_of(WEST))
    core.patch_namespace(MONITORING_NAMESPACE, {"metadata": {"labels": {OWNER: "somebody"}}})
    yield
    core.patch_namespace(MONITORING_NAMESPACE, {"metadata": {"labels": {OWNER: OWNED}}})


def test_a_namespace_that_is_not_ours(foreign_namespace: None, place: Path) -> None:
    before = _generations()
    said = refused(gameday(place, "testbed", "up"))
    assert f"error: {WEST.cluster}: namespace {MONITORING_NAMESPACE}" in said
    assert _generations() == before


@pytest.mark.needs("unshare")
def test_disk_full_in_the_middle(whole_testbed: Status, place: Path) -> None:
    (place / "runs").mkdir()
    play = f'"$0" -m gameday {" ".join(OBSERVE)}'
    command = f"mount -t tmpfs -o size=400k small runs && {play}; code=$?; ls runs; exit $code"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", command, sys.executable],
        cwd=place, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if done.returncode == 4:  # the run looks at its disk once a second, and may see it before a write fails
        assert "stopped: the disk of the record has 0 MB left" in done.stderr
        assert "Traceback" not in done.stderr
    else:
        assert "no space left on device" in refused(done)
    assert "unlucky-kind-" in done.stdout
    nothing_is_left()


@pytest.mark.timeout(800)
def test_two_runs_at_once_and_a_cluster_lost_in_the_middle(whole_testbed: Status, place: Path) -> None:
    """Both nodes of the west die under a run that breaks nothing: it goes on, says what it saw, and leaves nothing."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with (place / "out").open("w") as out, (place / "err").open("w") as err:
        first = subprocess.Popen(
            [sys.executable, "-m", "gameday", *PLAY, "--observe", "--for", "2min"],
            cwd=place,
            env=environment,
            stdout=out,
            stderr=err,
        )
    try:
        assert poll(lambda: bool(list(place.glob("runs/*/probes.arrows"))), 120), (place / "err").read_text()
        for command in (OBSERVE, ("testbed", "reset"), ("undo",)):
            said = refused(gameday(place, *command))
            assert "error: game day on this machine" in said
            assert f"(process {first.pid} on" in said
        run("docker", "kill", *WEST.nodes)
        assert first.wait(300) in (1, 3), (place / "err").read_text()
    finally:
        first.kill()
        lifecycle.up(lambda *_: None)
    assert "Traceback" not in (place / "err").read_text()
    [folder] = place.glob("runs/*")
    record = RunRecord(folder)
    assert record.head["termination"] == "complete"
    assert {"node_not_ready", "observer_gap"} & {mark.kind for mark in record.marks}
    nothing_is_left()
    assert set(clusters.node_states([WEST]).values()) == {"running"}
