"""A game day on EKS, rehearsed: from the typed names to record, verdict and undo. See `rehearsal` for what stands in.

What this does not prove: anything about time on AWS, RDS or a real node group; docs/how-to/eks.md says the rest.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from experiments.faults import cluster
from experiments.safety.counter import Counters
from experiments.testbed import layout
from experiments.testbed.status import Status
from gameday.judging import load_report
from scenarios.record.reader import RunRecord
from tests.cluster.rehearsal import Rehearsal, approve, rehearsal

pytestmark = [
    pytest.mark.needs("docker"), pytest.mark.needs("kind"), pytest.mark.usefixtures("whole_testbed"),
    pytest.mark.timeout(1500),
]  # fmt: skip

REGION, SERVICE = "us-east-1", "strategic"
SCENARIO = """\
scenario: rehearsed
title: FAULT in a rehearsal
runbook: [Disaster Recovery / Disaster Recovery Plan / Recovery Time Objectives (RTO)]
topology: testbed
workload: {profile: steady, rate: 20/s, duration: until settled, at most: 4 min}
timeline:
  - {at: 20 s, fault: FAULT, target: {region: us-east-1, service: strategic}MORE}
worlds:
  eks: {approval: required}
"""
LIFTED_WITHIN_S = 60.0
QUIET_S = 480.0  # what an earlier game day left in the windows of alerts is waited for, up to seven minutes


def scenario(fault: str, more: str = "") -> str:
    return SCENARIO.replace("FAULT", fault).replace("MORE", more)


@pytest.fixture
def pod_kill(tmp_path: Path) -> Iterator[Rehearsal]:
    with rehearsal(tmp_path, scenario("pod-kill")) as found:
        yield found


@pytest.fixture(params=["", layout.SYSTEM_IMAGE], ids=["process", "pod"])
def crash_loop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rehearsal]:
    """Lifted by a process of this machine, or by a pod in the other cluster."""
    with rehearsal(tmp_path, scenario("crash-loop", ", until: end, with: {share: 50 %}"), request.param) as found:
        yield found


def _command() -> object:
    container = cluster.get(REGION, cluster.deployment_path(SERVICE))["spec"]["template"]["spec"]["containers"][0]
    return container.get("command")


def test_pod_kill(whole_testbed: Status, pod_kill: Rehearsal, record_property: Callable[[str, object], None]) -> None:
    before = Counters().read(REGION)
    unapproved = pod_kill.run("run", "rehearsed", "--world", "eks")
    assert unapproved.returncode == 2
    assert "the approval's signature" in unapproved.stderr
    approve(pod_kill.folder)
    nobody = pod_kill.run("run", "rehearsed", "--world", "eks", "--yes")
    assert nobody.returncode == 2
    assert "no terminal to type on" in nobody.stderr
    assert Counters().read(REGION) == before, "nothing was injected"

    terminal = pod_kill.start("run", "rehearsed", "--world", "eks")
    for name in pod_kill.targets:
        terminal.wait_for(f"Type {name} to change it", QUIET_S)
        terminal.type(name)
    code = terminal.end(500)
    assert code in (0, 1, 3), terminal.said
    assert [order["canary"] for order in pod_kill.canaries] == [True]
    [folder] = (pod_kill.folder / "runs").iterdir()
    record = RunRecord(folder)
    assert (record.head["source"], record.head["termination"]) == ("eks", "complete")
    kinds = [mark.kind for mark in record.marks]
    for kind in ("injection_begun", "effect_seen", "pod_lost", "pod_ready", "settled", "readback_done"):
        assert kind in kinds, kind
    assert "left_behind" not in kinds
    assert Counters().read(REGION) == before + 1
    verdicts = {verdict.objective: verdict for verdict in load_report(folder).judgement.verdicts}
    assert verdicts[f"rto.{SERVICE}"].value is not None
    assert verdicts["rule.no_duplicate_order"].result == "PASS"
    assert verdicts["integrity.fault_landed"].result == "PASS"
    undone = pod_kill.run("undo", "--world", "eks", "--json")
    assert undone.returncode == 0, undone.stderr
    assert json.loads(undone.stdout)["primary"] == REGION
    record_property("summary", f"EKS rehearsed: {SERVICE} {verdicts[f'rto.{SERVICE}'].value:.1f} s; exit code {code}")


@pytest.mark.proves("EKS, rehearsed: when runner and executor are killed a process of its own lifts within 60 s")
@pytest.mark.proves("EKS, rehearsed: when all of this machine is killed a pod in the other cluster lifts within 60 s")
def test_a_killed_runner_leaves_no_fault(
    crash_loop: Rehearsal, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    by_pod = "pod" in request.node.callspec.id
    dry = crash_loop.run("run", "rehearsed", "--world", "eks")  # writes what is to be approved, too
    assert ("a pod in us-west-2 for us-east-1" in dry.stdout) == by_pod
    assert ("nobody lifts it while that machine is dead" in dry.stdout) != by_pod
    approve(crash_loop.folder)
    before = _command()
    terminal = crash_loop.start("run", "rehearsed", "--world", "eks")
    for name in crash_loop.targets:
        terminal.wait_for(f"Type {name} to change it", QUIET_S)
        assert not _left()
        terminal.type(name)
    _until(lambda: _command() != before, 240, terminal.drain)
    known = crash_loop.folder / "state" / "gameday" / "eks" / "reverter" / "reverter.json"
    reverter = json.loads(known.read_text())["pid"]
    alone = [reverter] if by_pod else []
    for process in (terminal.process.pid, *_children(terminal.process.pid), *alone):
        os.kill(process, signal.SIGKILL)
    killed_s = time.monotonic()
    terminal.process.wait(10)
    _until(lambda: _command() == before, LIFTED_WITHIN_S)
    took_s = time.monotonic() - killed_s
    _until(lambda: cluster.is_settled(REGION, SERVICE), 120)
    assert bool(_left()) == by_pod, "the pod stays: it says what it has lifted"
    undone = crash_loop.run("undo", "--world", "eks", "--json")
    assert undone.returncode == 0, undone.stderr
    done = json.loads(undone.stdout)
    assert done["left"] == []
    assert all(result["ok"] for result in done["lifted"])
    _until(lambda: not _left(), 60)
    [folder] = (crash_loop.folder / "runs").iterdir()
    assert ("a pod in us-west-2" in str(RunRecord(folder).head["lifters"])) == by_pod
    whom = "all that ran on this machine; by the pod" if by_pod else "runner and executor"
    record_property("summary", f"EKS rehearsed: lifted {took_s:.1f} s after SIGKILL of {whom}")


@pytest.mark.proves("EKS, rehearsed: a game day whose lifts a pod holds comes to its end, and leaves no pod")
def test_pods_of_a_run_that_ends(
    whole_testbed: Status, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    text = scenario("crash-loop", ", until: 20 s, with: {share: 50 %}")
    with rehearsal(tmp_path, text, layout.SYSTEM_IMAGE) as day:
        day.run("run", "rehearsed", "--world", "eks")  # writes what is to be approved
        approve(day.folder)
        before = _command()
        terminal = day.start("run", "rehearsed", "--world", "eks")
        for name in day.targets:
            terminal.wait_for(f"Type {name} to change it", QUIET_S)
            terminal.type(name)
        code = terminal.end(500)
        assert code in (0, 1, 3), terminal.said
        _until(lambda: not _left(), 60)  # a namespace takes some seconds to end
        assert _command() == before
        [folder] = (day.folder / "runs").iterdir()
        record = RunRecord(folder)
        assert record.head["termination"] == "complete"
        assert "a pod in us-west-2" in str(record.head["lifters"])
        assert {"injection_begun", "lifted", "fault_gone"} <= {mark.kind for mark in record.marks}
        undone = day.run("undo", "--world", "eks", "--json")
        assert undone.returncode == 0, undone.stderr
        assert json.loads(undone.stdout)["lifted"] == []
    record_property("summary", f"EKS rehearsed: a run whose lifts a pod held ended with {code}, and no pod is left")


def _left() -> list[str]:
    """What of the reverter's pods is in either cluster."""
    kinds = "namespaces,roles,rolebindings,clusterroles,clusterrolebindings"
    found = []
    for place in layout.PLACES.values():
        command = ["kubectl", "--kubeconfig", str(place.kubeconfig), "--context", place.context, "get", kinds]
        command += ["-A", "-l", "app=gameday-reverter", "-o", "name"]
        found += subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.split()
    return found


def _children(pid: int) -> list[int]:
    """Processes that a process has started, and that run; the reverter is none of them once its starter has gone on."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if "reverter" not in Path(f"/proc/{child}/cmdline").read_text()]


def _until(holds: Callable[[], bool], within_s: float, meanwhile: Callable[[], object] = lambda: None) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        meanwhile()
        time.sleep(0.5)
