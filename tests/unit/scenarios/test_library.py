"""What the library holds: the six scenarios, a suite, defaults that say where they come from."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from scenarios.files.catalogue import check, scenarios, suite
from scenarios.files.library import LIBRARY, yaml_files
from scenarios.files.load import defaults, load
from scenarios.files.parameters import quantity
from scenarios.files.yaml import read
from scenarios.model.faults import FAULTS
from scenarios.model.parameters import Parameter, Tag
from scenarios.model.procedure import VERBS, Verb

SCENARIOS = [
    "database-primary-kill", "drop-table-restore", "endurance-test", "failback-after-region-loss", "load-test",
    "load-test-10-min", "opening-burst", "pod-kill-strategic", "region-loss-automatic", "region-loss-manual",
    "region-loss-stale-replica", "risk-limit-breach", "risk-node-loss-1-replica", "risk-node-loss-2-replicas",
    "strategic-crash-loop", "strategic-rolling-update", "stress-test",
]  # fmt: skip
PLAYED_BEFORE_RELEASES = set(SCENARIOS) - {
    "database-primary-kill", "endurance-test", "failback-after-region-loss", "load-test", "load-test-10-min",
    "pod-kill-strategic", "region-loss-stale-replica", "stress-test",
}  # fmt: skip
DEFAULT = load("region-loss-automatic")
GRANDMODEL = LIBRARY / "topologies" / "grandmodel.yaml"


def test_nothing_is_wrong() -> None:
    assert check() == []


def test_scenarios() -> None:
    found = scenarios()
    assert [s.name for s in found] == sorted(SCENARIOS)
    assert all(s.title and s.tests and s.runbook and s.worlds for s in found)
    assert len({s.title for s in found}) == len(found)


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_is_whole(name: str) -> None:
    resolved = load(name)
    document = resolved.document()
    assert set(document) == {
        "scenario", "topology", "parameters", "procedures", "objectives", "scenario_digest", "topology_digest",
    }  # fmt: skip
    assert set(resolved.scenario.response) <= set(resolved.procedures)
    twin = resolved.scenario.worlds.twin
    assert twin is not None
    assert twin.met_in**twin.trials < 0.05, "so few trials can never show that an objective is met"


def test_default_suite() -> None:
    found = suite("default")
    assert set(found.scenarios) == PLAYED_BEFORE_RELEASES
    assert found.required


def test_own_scenario_beats_the_library(tmp_path: Path) -> None:
    text = (LIBRARY / "scenarios" / "opening-burst.yaml").read_text(encoding="utf-8")
    (tmp_path / "opening-burst.yaml").write_text(re.sub("title: .*", "title: Mine", text), encoding="utf-8")
    assert next(s.title for s in scenarios([tmp_path]) if s.name == "opening-burst") == "Mine"
    assert load("opening-burst", paths=[tmp_path]).scenario.title == "Mine"


@pytest.mark.proves("every default carries its source, and a default of judgement or folklore carries its range")
def test_defaults_say_where_they_come_from() -> None:
    for parameter in DEFAULT.parameters.by_name.values():
        assert parameter.source
        assert parameter.tag in get_args(Tag)
        if parameter.tag in ("J", "F") and parameter.kind != "switch":
            assert parameter.low is not None, parameter.name
            assert parameter.high is not None, parameter.name
            assert parameter.low <= middle(parameter) <= parameter.high
            assert parameter.low < parameter.high


def middle(parameter: Parameter) -> float:
    return sum(parameter.values) / 2 if parameter.kind == "uniform" else parameter.values[0]


# What is no size of the system: the instrument, the runbook's own numbers, times of day.
UNSOURCED = {"spacing", "timeout", "greatest age", "snapshot at", "for", "multi_az", "health_check_failover", "working"}


def test_sizes_of_the_topology_say_where_they_come_from() -> None:
    document = read(GRANDMODEL, sourced=True)
    bare = [
        path
        for path, value in leaves(document.values, "")
        if (isinstance(value, int | float) or re.match(r"\d", str(value)))
        and path not in document.provenance
        and path.rpartition(".")[2] not in UNSOURCED
    ]
    assert bare == []


def leaves(node: Any, path: str) -> list[tuple[str, Any]]:
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else None
    if pairs is None:
        return [(path, node)]
    return [leaf for key, value in pairs for leaf in leaves(value, f"{path}.{key}" if path else str(key))]


CALIBRATED: dict[str, Any] = read(Path(__file__).with_name("calibrated.yaml")).values


@pytest.mark.parametrize("name", CALIBRATED)
def test_default_is_as_calibrated(name: str) -> None:
    expected = CALIBRATED[name] if isinstance(CALIBRATED[name], list) else [CALIBRATED[name]]
    assert DEFAULT.parameters.by_name[name].values == tuple(quantity(value)[0] for value in expected)


def test_default_topology_is_as_calibrated() -> None:
    topology = DEFAULT.topology
    assert {n: r.role for n, r in topology.regions.items()} == {"us-east-1": "active", "us-west-2": "pilot-light"}
    assert [(c.caller, c.callee, c.mode, c.balancer) for c in topology.calls] == [
        ("client", "strategic", "sync", "least-connections"), ("strategic", "tactical", "sync", "random"),
        ("tactical", "risk", "sync", "random"), ("risk", "database", "sync", "random"),
    ]  # fmt: skip
    database = topology.database
    assert (database.home, database.replica_region, database.multi_az) == ("us-east-1", "us-west-2", True)
    assert database.snapshot_at_s == 2 * 3600
    assert set(topology.monitoring.regions) == set(topology.regions)
    automation = topology.automation
    assert automation is not None
    assert (automation.region, automation.working) == ("us-west-2", True)
    order = [s.verb for s in DEFAULT.procedures["automatic-failover"].steps]
    assert order == ["fence", "promote", "deploy", "wait_ready", "switch_dns", "verify"]


def test_nodes_of_the_pilot_light_hold_30_percent_of_the_pods() -> None:
    topology = DEFAULT.topology
    plan = sum(s.replicas * s.cpu for s in topology.services.values())
    pilot = topology.regions["us-west-2"]
    assert pilot.nodes == -(-0.3 * plan // pilot.node_cpu)
    assert pilot.node_quota * pilot.node_cpu >= plan


def test_copies_are_made_three_times_within_their_objective() -> None:
    resolved = DEFAULT
    for name, copy in resolved.topology.database.copies.items():
        limit = next(o.limit_us for o in resolved.objectives if o.objective == f"rpo.{name}")
        assert limit is not None
        assert copy.interval_us * 3 <= limit
        assert copy.write_spacing_us * 10 <= limit


def test_each_mechanism_has_a_switch() -> None:
    switches = [p for p in defaults().values() if p.name.startswith("switches.")]
    assert len(switches) > 40
    assert all(p.kind == "switch" and p.values == (1.0,) and p.why.startswith("off: ") for p in switches)


def test_verbs_and_faults_are_described() -> None:
    assert tuple(VERBS) == get_args(Verb)
    assert all(kind.title for kind in (*VERBS.values(), *FAULTS.values()))


def test_no_file_of_the_library_is_left_out() -> None:
    kinds = {f.parent.name for f in LIBRARY.rglob("*.yaml")}
    assert kinds == {"library", "objectives", "procedures", "scenarios", "suites", "topologies"}
    assert [f.name for f in yaml_files(LIBRARY)] == ["parameters.yaml"]
