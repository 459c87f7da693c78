"""Overrides: --set, `set:` of a scenario, `parameters:` of a topology."""

from pathlib import Path
from typing import Any

import pytest

from scenarios.errors import InvalidFileError, Problem, UsageError
from scenarios.files import words
from scenarios.files.load import load
from scenarios.model.topology import DrawnTime
from tests.unit.scenarios.texts import edit, write

LIBRARY = "region-loss-automatic"
PATIENCE = "services.risk.queue.patience"


def refused(changes: dict[str, Any]) -> Problem:
    with pytest.raises((UsageError, InvalidFileError)) as raised:
        load(LIBRARY, overrides=changes)
    return raised.value.problems[0]


def test_parameter() -> None:
    found = load(LIBRARY, overrides={"people.acknowledge": "3 min"}).parameters.by_name["people.acknowledge"]
    assert (found.kind, found.values, found.tag) == ("constant", (180e6,), "SET")
    assert found.low is None  # a range around a value that was replaced means nothing


def test_distributions() -> None:
    changes = {"people.decide": "lognormal(3 min, 0.5)", "dns.change_propagation": " uniform(10 s, 30 s) "}
    by_name = load(LIBRARY, overrides=changes).parameters.by_name
    assert (by_name["people.decide"].kind, by_name["people.decide"].values) == ("lognormal", (180e6, 0.5))
    assert (by_name["dns.change_propagation"].kind, by_name["dns.change_propagation"].values) == (
        "uniform",
        (10e6, 30e6),
    )


@pytest.mark.proves("every value that `show --parameters` lists can be given back to --set as it stands there")
def test_what_is_shown_can_be_set() -> None:
    before = load(LIBRARY).parameters.by_name
    after = load(LIBRARY, overrides={n: words.written(p) for n, p in before.items()}).parameters.by_name
    assert {n: (p.kind, p.unit) for n, p in after.items()} == {n: (p.kind, p.unit) for n, p in before.items()}
    for name, parameter in before.items():
        assert after[name].values == pytest.approx(parameter.values), name


def test_what_is_drawn_can_be_set_to_another_distribution() -> None:
    problem = refused({"kubernetes.pod_start": "fast"})
    assert problem.expected.endswith("or lognormal(2 s, 0.4)")
    assert "lognormal" not in refused({"kubernetes.toleration": "fast"}).expected


def test_switch() -> None:
    assert load(LIBRARY).parameters.on("switches.fencing")
    assert not load(LIBRARY, overrides={"switches.fencing": "off"}).parameters.on("switches.fencing")


def test_size_changes_topology_and_parameter() -> None:
    resolved = load(LIBRARY, overrides={"services.risk.replicas": "14", "calls.0.budget_burst": "5"})
    assert resolved.topology.services["risk"].replicas == 14
    assert resolved.topology.calls[0].budget_burst == 5  # a blank of a key may be an underscore
    assert resolved.parameters.by_name["services.risk.replicas"].values == (14.0,)
    assert load(LIBRARY).topology.services["risk"].replicas == 8  # nothing sticks


@pytest.mark.parametrize(
    "changes", [{PATIENCE: {"exponential": "200 ms"}}, {f"{PATIENCE}.exponential": "200 ms"}], ids=["file", "flag"]
)
def test_a_drawn_patience_forgets_the_source_of_the_fixed_one(changes: dict[str, Any]) -> None:
    resolved = load(LIBRARY, overrides=changes)
    drawn = resolved.topology.services["risk"].queue.patience_us
    assert isinstance(drawn, DrawnTime)
    assert drawn.exponential_us == 200_000
    assert not [name for name in resolved.parameters.by_name if name.startswith(PATIENCE)]
    fixed = load(LIBRARY, overrides={PATIENCE: "200 ms"})
    assert fixed.topology.services["risk"].queue.patience_us == 200_000
    assert fixed.parameters.by_name[PATIENCE].values == (200_000.0,)


def test_workload() -> None:
    workload = load(LIBRARY, overrides={"workload.rate": "500/s", "workload.starts at": "02:30"}).scenario.workload
    assert (workload.rate_per_s, workload.starts_at_s) == (500.0, 9000)


def test_what_the_file_leaves_out() -> None:
    resolved = load(LIBRARY, overrides={"regions.us-west-2.role": "warm", "regions.us-west-2.warm_replicas": "2"})
    assert resolved.topology.regions["us-west-2"].warm_replicas == 2


def test_words() -> None:
    changes = {"regions.us-west-2.provisioner": "none", "automation.working": "false", "calls.0.budget": "null"}
    resolved = load(LIBRARY, overrides=changes)
    topology = resolved.topology
    assert topology.calls[0].budget is None
    assert "calls.0.budget" not in resolved.parameters.by_name
    assert topology.regions["us-west-2"].provisioner == "none"
    assert topology.automation is not None
    assert not topology.automation.working


def test_digests_follow() -> None:
    plain, other = load(LIBRARY), load(LIBRARY, overrides={"people.acknowledge": "3 min"})
    assert plain.topology_digest != other.topology_digest
    assert plain.scenario_digest == other.scenario_digest
    assert plain.topology_digest == load(LIBRARY).topology_digest


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown": ({"people.acknowlege": "3 min"}, "unknown key", "`people.acknowledge`"),
    "a section": ({"people": "3 min"}, "'3 min'", ""),
    "beyond a leaf": ({"services.risk.replicas.x": "3"}, "unknown key", ""),
    "an entry that there is not": ({"calls.9.retries": "3"}, "unknown key", ""),
    "not an index": ({"calls.first.retries": "3"}, "unknown key", ""),
    "a new region": ({"regions.mars.nodes": "3"}, "unknown key", ""),
    "no unit": ({"people.acknowledge": "3"}, "'3'", ""),
    "another unit": ({"people.acknowledge": "3 %"}, "'3 %'", ""),
    "negative": ({"people.acknowledge": "-3 min"}, "'-3 min'", ""),
    "not a number": ({"people.acknowledge": "nan"}, "'nan'", ""),
    "a share beyond all": ({"people.no_response": "300 %"}, "'300 %'", ""),
    "half a distribution": ({"people.acknowledge": "lognormal(3 min)"}, "'lognormal(3 min)'", ""),
    "a distribution of no kind": ({"people.acknowledge": "normal(3 min, 1 min)"}, "'normal(3 min, 1 min)'", ""),
    "uniform the wrong way round": ({"people.acknowledge": "uniform(3 min, 1 min)"}, "'uniform(3 min, 1 min)'", ""),
    "a constant that varies": ({"kubernetes.toleration": "uniform(1 s, 2 s)"}, "'uniform(1 s, 2 s)'", ""),
    "switch": ({"switches.fencing": "maybe"}, "'maybe'", ""),
    "size without unit": ({"services.risk.cpu": "4"}, "4", ""),
    "size of nothing": ({"services.risk.replicas": "0"}, "0", ""),
    "size that is half": ({"services.risk.replicas": "2.5"}, "2.5", ""),
    "size that is text": ({"services.risk.replicas": "many"}, "'many'", ""),
    "size that is infinite": ({"services.risk.own.sigma": "inf"}, "inf", ""),
    "size with a power of ten": ({"services.risk.replicas": "1e3"}, "'1e3'", "in digits"),
    "size with a unit": ({"services.risk.replicas": "3 min"}, "'3 min'", "without a unit"),
    "a power of ten": ({"dns.ttl": "1e3 s"}, "'1e3 s'", "all digits"),
    "two units": ({"dns.ttl": "1 min 30 s"}, "'1 min 30 s'", "in one unit"),
    "another topology": ({"topology": "testbed"}, "names a file", "--as kind"),
    "more than stands on the nodes": ({"services.risk.replicas": "30"}, "nodes with 96 vCPU", "larger nodes"),
    "a region without room": ({"regions.us-east-1.nodes": "2"}, "nodes with 32 vCPU", "larger nodes"),
    "huge": ({"services.risk.replicas": "9" * 30}, "9999", ""),
    "rate without unit": ({"workload.rate": "500"}, "500", ""),
    "cyclic calls": ({"calls.3.to": "strategic"}, "a cycle", ""),
    "region that there is not": ({"automation.region": "us-west-3"}, "`us-west-3`", "`us-west-2`"),
    "patience of no distribution": ({PATIENCE: {"normal": "1 s"}}, "unknown key `normal`", ""),
    "patience of two distributions": (
        {PATIENCE: {"exponential": "1 s", "lognormal": ["1 s", 1]}},
        "a mapping of exponential, lognormal",
        "Give one",
    ),
    "patience without a log-sd": ({PATIENCE: {"lognormal": ["1 s"]}}, "a list of 1", "Add what is missing"),
    "patience with too much": ({PATIENCE: {"lognormal": ["1 s", 1, 2]}}, "a list of 3", "Remove the others"),
    "PromQL": ({"monitoring.alerts.0.intended": "sum("}, "not PromQL", ""),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_refused(case: tuple[dict[str, Any], str, str]) -> None:
    changes, found, remedy = case
    told = refused(changes)
    assert found in told.found
    assert remedy in told.remedy
    assert next(iter(changes)) in told.where or "grandmodel.yaml" in told.where
    assert told.expected


def test_a_run_that_ends_before_its_fault_is_refused() -> None:
    told = refused({"workload.duration": "5 min"})
    assert (told.found, told.expected) == ("a time after the run's end", "a time before `duration` of the workload")
    assert load(LIBRARY, overrides={"workload.duration": "301 s"}).scenario.workload.duration == 301_000_000


def test_an_error_behind_a_set_names_the_flag() -> None:
    assert refused({"services.risk.replicas": "0"}).where == "--set services.risk.replicas=0 (services.risk.replicas)"


def test_set_of_a_scenario_is_beaten_by_the_flag(tmp_path: Path) -> None:
    file = write(tmp_path) / "scenarios" / "mine.yaml"
    assert load(str(file)).parameters.number("people.acknowledge") == 180e6
    assert load(str(file), overrides={"people.acknowledge": "1 min"}).parameters.number("people.acknowledge") == 60e6


def test_parameter_of_a_topology_keeps_its_source(tmp_path: Path) -> None:
    file = write(tmp_path) / "scenarios" / "mine.yaml"
    found = load(str(file)).parameters.by_name["people.decide"]
    assert (found.kind, found.values, found.tag, found.source) == (
        "lognormal", (240e6, 0.5), "M", "our pages of last year",
    )  # fmt: skip


def test_judgement_in_a_topology_needs_a_range(tmp_path: Path) -> None:
    edit(write(tmp_path) / "topologies" / "small.yaml", "{lognormal: [4 min, 0.5], tag: M,", "{value: 4 min, tag: J,")
    with pytest.raises(InvalidFileError, match="a range"):
        load(str(tmp_path / "scenarios" / "mine.yaml"))


def test_replaced_mapping_forgets_the_sources_of_its_values(tmp_path: Path) -> None:
    file = write(tmp_path) / "scenarios" / "mine.yaml"
    topology = tmp_path / "topologies" / "small.yaml"
    edit(topology, "own: {mean: 1 ms, sigma: 0.5}", "own: {mean: {value: 1 ms, tag: D, source: x}, sigma: 0.5}")
    assert "services.shop.own.mean" in load(str(file)).parameters.by_name
    edit(file, "people.acknowledge: 3 min", "services.shop.own: {mean: 2 ms}")
    resolved = load(str(file))
    assert resolved.topology.services["shop"].own.mean_us == 2000
    assert "services.shop.own.mean" not in resolved.parameters.by_name
