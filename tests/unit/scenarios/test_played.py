"""What the checks let through can be played: own topologies, every fault, odd sizes."""

from pathlib import Path

import pytest

from scenarios.files.load import load
from scenarios.model.faults import FAULTS
from scenarios.record.writer import MemoryRecorder
from sim.world import run
from tests.unit.scenarios.texts import SCENARIO, TOPOLOGY, write

TARGETS = {"region": "here", "service": "desk", "api": "kubernetes:here"}
ELSEWHERE = {"prometheus-down": "there", "replication-stalled": "there"}


def play(folder: Path, changes: dict[str, str], *, timeline: str | None = None, topology: str = TOPOLOGY) -> None:
    before, rest = SCENARIO.split("timeline:\n")
    old, after = rest.split("response:")
    write(folder)
    text = f"{before}timeline:\n{old if timeline is None else timeline}response:{after}"
    (folder / "scenarios" / "mine.yaml").write_text(text, encoding="utf-8")
    (folder / "topologies" / "small.yaml").write_text(topology, encoding="utf-8")
    resolved = load(str(folder / "scenarios" / "mine.yaml"), overrides={"workload.at most": "12 min", **changes})
    recorder = MemoryRecorder()
    end = run(resolved, 1, 0, recorder, fidelity="control")
    assert end.termination == "complete"
    assert end.duration_us > 0
    assert recorder.marks


@pytest.mark.proves("every kind of fault of the twin can be played on an own topology")
@pytest.mark.parametrize("name", [name for name, kind in FAULTS.items() if "twin" in kind.worlds])
def test_fault(name: str, tmp_path: Path) -> None:
    kind = FAULTS[name]
    target = {key: TARGETS[key] for key in kind.target}
    if name in ELSEWHERE:
        target["region"] = ELSEWHERE[name]
    words = ", ".join(f"{key}: '{value}'" for key, value in target.items())
    until = "    until: 3 min\n" if kind.lifted else ""
    play(tmp_path, {}, timeline=f"  - at: 2 min\n    fault: {name}\n    target: {{{words}}}\n{until}")


LOST = "  - {at: 2 min, fault: region-loss, target: {region: here}, until: end}\n"
WITHOUT_AUTOMATION = TOPOLOGY[: TOPOLOGY.index("automation:")] + TOPOLOGY[TOPOLOGY.index("parameters:") :]
WITHOUT_ALERTS = TOPOLOGY[: TOPOLOGY.index("  alerts:")] + "  alerts: []\n" + TOPOLOGY[TOPOLOGY.index("automation:") :]
CHANGES = {
    "warm": {"regions.there.role": "warm", "regions.there.warm_replicas": "2"},
    "both regions serve": {"regions.there.role": "active", "regions.there.nodes": "2"},
    "health checks move the name": {"dns.health_check_failover": "true"},
    "the automation is broken": {"automation.working": "false"},
    "no provisioner": {"regions.there.provisioner": "none"},
    "no node to spare": {"regions.here.nodes": "2", "regions.here.node_quota": "2"},
    "no cache of names": {"dns.ttl": "0 s"},
    "nobody obeys the TTL": {"client.ignore_ttl": "100 %"},
    "a trading day": {"workload.profile": "diurnal"},
    "in the backup window": {"workload.starts at": "02:55"},
    "a fixed time": {"workload.duration": "4 min"},
    "an order an hour": {"workload.rate": "1/h"},
    "an async call": {"calls.1.mode": "async"},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_sizes(changes: dict[str, str], tmp_path: Path) -> None:
    play(tmp_path, changes, timeline=LOST)


@pytest.mark.parametrize("topology", [WITHOUT_AUTOMATION, WITHOUT_ALERTS], ids=["no automation", "no alerts"])
def test_parts_left_out(topology: str, tmp_path: Path) -> None:
    play(tmp_path, {}, timeline=LOST, topology=topology)


def test_when(tmp_path: Path) -> None:
    entry = "  - {when: {mark: step_finished, after: 10 s}, fault: pod-kill, target: {region: here, service: shop}}\n"
    play(tmp_path, {}, timeline=entry)
