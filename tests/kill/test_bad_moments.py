"""A change cut off, trading disabled, a full record, a closed terminal, people who answer: `pytest tests/kill`."""

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.faults import cluster
from experiments.operate.changing import CONFIG, RELEASE
from experiments.safety.journal import Journal
from experiments.testbed import lifecycle
from experiments.testbed.layout import EAST, NAMESPACE
from experiments.testbed.status import Status
from scenarios.record.reader import RunRecord
from tests.cluster import killing
from tests.cluster.plain import poll
from tests.kill.terminal import TerminalRun

pytestmark = [pytest.mark.needs("docker"), pytest.mark.needs("kind"), pytest.mark.timeout(2400)]

Told = Callable[[str, object], None]
QUICK = "set: {people.manual_step: 5 s, people.acknowledge: 5 s, people.assemble: 5 s, people.decide: 5 s}"
ROLLOUT = killing.scenario(
    "A release is rolled out, and the run is cut off", QUICK, kind="{skips: 4 min}",
    timeline="  - {at: 5 min, change: roll-out-strategic}",
)  # fmt: skip
CRASHES = "  - {at: 5 min, fault: crash-loop, target: {region: us-east-1, service: strategic}, until: end}"
SHUTDOWN = killing.scenario(
    "Strategic crashes, and people stop trading", f"response: [emergency-shutdown]\n{QUICK}", timeline=CRASHES
)
ROLL_BACK = killing.scenario("Strategic crashes", "response: [roll-back-strategic]", timeline=CRASHES)


def release() -> str:
    template = cluster.get(EAST.region, cluster.deployment_path("strategic"))["spec"]["template"]
    return str(template["metadata"].get("annotations", {}).get(RELEASE, ""))


def undone() -> subprocess.CompletedProcess[str]:
    return killing.gameday(Path("/"), "undo")


@pytest.mark.proves("a change that is cut off is taken back on the cluster")
def test_a_change_that_is_cut_off(whole: Status, tmp_path: Path, record_property: Told) -> None:
    before = release()
    run = killing.Run(tmp_path, ROLLOUT)
    run.wait_for(killing.begins("step_finished", step="status"))
    assert release() == "strategic:next"
    stopped_s = run.signal(signal.SIGINT)
    assert poll(lambda: release() == before, killing.STOPPED_WITHIN_S), "the old release is not back"
    back_s = time.monotonic() - stopped_s
    assert run.process.wait(timeout=300) == 4, (tmp_path / "err").read_text()
    assert Journal().held() == []
    assert poll(lambda: lifecycle.status(measure=False).whole, killing.WHOLE_WITHIN_S)
    record_property("summary", f"a rollout that was cut off: the old release is asked for again after {back_s:.1f} s")


def test_a_change_that_came_to_its_end(whole: Status, tmp_path: Path) -> None:
    run = killing.Run(tmp_path, ROLLOUT)
    assert run.process.wait(timeout=1200) in (0, 1, 3), (tmp_path / "err").read_text()
    steps = [mark["detail"]["step"] for mark in run.marks() if mark["kind"] == "step_finished"]
    assert steps == ["roll-out", "status", "look", "undo", "back"]
    assert Journal().held() == []
    assert lifecycle.status(measure=False).whole


@pytest.mark.proves("trading that a run has disabled is seen by status and run, and enabled by undo, on the cluster")
def test_trading_that_a_run_has_disabled(whole: Status, tmp_path: Path, record_property: Told) -> None:
    run = killing.Run(tmp_path, SHUTDOWN)
    run.wait_for(killing.begins("step_finished", step="risk"))
    run.signal(signal.SIGINT)
    assert run.process.wait(timeout=300) in (4, 5), (tmp_path / "err").read_text()
    seen = killing.gameday(tmp_path, "testbed", "status")
    assert "us-east-1: trading is disabled since" in seen.stdout + seen.stderr
    refused = killing.gameday(tmp_path, "run", "killed.yaml", "--world", "kind", "--yes")
    assert refused.returncode == 2
    assert "trading is disabled since" in refused.stderr
    began_s = time.monotonic()
    found = undone()
    assert found.returncode == 0, found.stderr
    assert "had disabled it" in found.stdout + found.stderr
    assert lifecycle.status(measure=False).whole
    record_property("summary", f"trading that a run had disabled: whole {time.monotonic() - began_s:.0f} s later")


@pytest.mark.proves("trading that a person has disabled is named by undo, and left, on the cluster")
def test_trading_that_a_person_has_disabled(whole: Status) -> None:
    try:
        cluster.patch(EAST.region, CONFIG, {"data": {"trading_enabled": "false"}}, "merge")
        found = undone()
        assert found.returncode == 5, found.stderr
        assert "us-east-1: trading is disabled since" in found.stderr
    finally:
        cluster.patch(EAST.region, CONFIG, {"data": {"trading_enabled": "true"}}, "merge")
    assert undone().returncode == 0


@pytest.mark.proves("a record that takes nothing more ends a run in order: lifted, failed over, and read by undo")
def test_a_record_that_takes_nothing_more(whole: Status, tmp_path: Path, record_property: Told) -> None:
    run = killing.Run(tmp_path)
    run.wait_for(killing.begins("promoted"))
    sizes = [path.stat().st_size for path in run.record.iterdir()]
    resource.prlimit(run.process.pid, resource.RLIMIT_FSIZE, (max(sizes), max(sizes)))
    full_s = time.monotonic()
    assert poll(lambda: not killing.paused(), killing.LIFTED_WITHIN_S), "faults were not lifted"
    lifted_s = time.monotonic() - full_s
    assert run.process.wait(timeout=killing.WHOLE_WITHIN_S) == 4, (tmp_path / "err").read_text()
    said = (tmp_path / "err").read_text()
    assert "Traceback" not in said
    assert "takes nothing more" in said
    found = undone()
    assert found.returncode == 0, found.stderr
    record = RunRecord(run.record)
    assert record.interrupted
    timelines = {mark.subject for mark in record.marks if mark.kind == "readback_done"}
    record_property("summary", f"a full record: lifted {lifted_s:.1f} s later; undo has read {sorted(timelines)}")
    assert len(timelines) == 2
    assert killing.gameday(tmp_path, "judge", run.record.name).returncode in (1, 3)
    home = killing.gameday(tmp_path, "undo", "--home")
    assert home.returncode == 0, home.stderr
    assert lifecycle.status(measure=False).whole


@pytest.mark.proves("a closed terminal lifts every fault within 15 s")
def test_a_closed_terminal(whole: Status, tmp_path: Path, record_property: Told) -> None:
    run = TerminalRun(tmp_path)
    run.wait_for(killing.begins("injection_begun"))
    assert poll(lambda: bool(killing.paused()), 10)
    closed_s = run.close()
    assert poll(lambda: not killing.paused(), killing.STOPPED_WITHIN_S), "faults were not lifted"
    lifted_s = time.monotonic() - closed_s
    assert run.process.wait(timeout=300) == 4
    record_property("summary", f"a closed terminal: lifted after {lifted_s:.1f} s")
    assert RunRecord(run.record).interrupted
    assert undone().returncode == 0


@pytest.mark.needs("kubectl")
@pytest.mark.proves("people who answer at a terminal are measured: the record has their times, not declared ones")
def test_people_who_answer(whole: Status, tmp_path: Path, record_property: Told) -> None:
    asked: list[str] = []

    def person(question: str) -> None:
        asked.append(question)
        if "verb: rollout_undo" in question:
            command = ["kubectl", "rollout", "undo", "deployment/strategic-deployment", "-n", NAMESPACE]
            environment = {**os.environ, "KUBECONFIG": str(EAST.kubeconfig)}
            subprocess.run([*command, "--context", EAST.context], check=True, env=environment, capture_output=True)
        elif "verb: wait_ready" in question:
            assert poll(lambda: cluster.is_settled(EAST.region, "strategic"), 120)

    run = TerminalRun(tmp_path, ROLL_BACK, "--operator", "live", answers=person)
    code = run.process.wait(timeout=1200)
    assert code in (0, 1, 3), (tmp_path / "err").read_text()
    times_s = _answer_times_s(run.marks())
    assert len(asked) >= len(times_s) > 0
    assert any("verb: rollout_undo" in question for question in asked)
    record_property("summary", f"a person at the terminal: {len(asked)} questions, answered after {times_s} s")
    assert RunRecord(run.record).head["operator"] == "live"
    assert lifecycle.status(measure=False).whole


def _answer_times_s(marks: list[dict[str, Any]]) -> list[float]:
    """From each step's start to its end."""
    begun = {m["detail"]["step"]: m["t_us"] for m in marks if m["kind"] == "step_started"}
    ended = {m["detail"]["step"]: m["t_us"] for m in marks if m["kind"] == "step_finished"}
    assert begun.keys() == ended.keys()
    return [round((ended[step] - begun[step]) / 1e6, 1) for step in begun]
