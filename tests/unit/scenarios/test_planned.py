"""What `show` says would be judged, and what it says in words."""

from pathlib import Path

import pytest

from scenarios.errors import UsageError
from scenarios.files import describe, words
from scenarios.files.load import load, objectives
from scenarios.files.planned import planned
from scenarios.model.parameters import Parameter
from tests.unit.scenarios.texts import edit, write


def states(
    name: str, changes: dict[str, str] | None = None, not_judged: dict[str, str] | None = None
) -> dict[str, str]:
    resolved = load(name, overrides=changes)
    reasons = {**resolved.scenario.not_judged, **(not_judged or {})}
    return {p.objective.objective: p.state for p in planned(resolved, reasons)}


def of(found: dict[str, str], state: str) -> set[str]:
    return {name for name, each in found.items() if each == state}


ALWAYS = {o.objective for o in objectives() if o.kind in ("house_rule", "integrity")}
LATENCY = {"kpi.strategic", "kpi.tactical", "kpi.risk", "kpi.database"}
RTO = {"rto.strategic", "rto.tactical", "rto.risk", "rto.database", "rto.complete"}


def test_every_objective_has_a_state_and_a_reason() -> None:
    resolved = load("region-loss-automatic")
    found = planned(resolved, {})
    assert [p.objective for p in found] == list(resolved.objectives)
    assert all(p.reason for p in found)


def test_region_loss() -> None:
    found = states("region-loss-automatic")
    copies = {"rpo.transactions", "rpo.models", "rpo.configuration", "rpo.logs"}
    assert of(found, "judged") == ALWAYS | LATENCY | RTO | copies | {"kpi.throughput"}
    assert {"alert.StrategicAgentDown", "response.P0"} <= of(found, "judged if")
    assert of(found, "not exercised") == {
        "change.downtime", "change.rollback", "load.load", "load.stress", "load.endurance",
    }  # fmt: skip


def test_a_pod_of_one_service() -> None:
    found = states("risk-node-loss-2-replicas")
    assert {"rto.risk", "rto.complete"} <= of(found, "judged")
    assert {"rto.strategic", "rto.tactical", "rto.database", "rpo.transactions"} <= of(found, "judged if")
    assert {"rpo.models", "rpo.logs"} <= of(found, "not exercised")
    assert of(found, "not judged") == {"kpi.throughput"}


def test_dropped_table() -> None:
    found = states("drop-table-restore")
    assert {"rto.database", "rpo.transactions"} <= of(found, "judged")
    assert "rto.risk" in of(found, "judged if")


def test_nothing_breaks() -> None:
    found = states("opening-burst")
    assert of(found, "judged if") >= RTO
    assert "load.load" in of(found, "not exercised"), "a burst is no steady rate"


def test_a_load_test() -> None:
    steady = {"workload.profile": "steady", "workload.duration": "10 min", "workload.rate": "1000/s"}
    found = states("opening-burst", steady)
    assert found["load.load"] == "judged"
    assert found["load.stress"] == "not exercised"
    assert states("opening-burst", steady | {"workload.rate": "999/s"})["load.load"] == "not exercised"
    assert states("opening-burst", steady | {"workload.duration": "9 min"})["load.load"] == "not exercised"


@pytest.mark.parametrize("objective", ["load.load", "load.stress", "load.endurance"])
def test_the_library_has_each_load_test(objective: str) -> None:
    names = {"load.load": "load-test-10-min", "load.stress": "stress-test", "load.endurance": "endurance-test"}
    found = states(names[objective])
    assert found[objective] == "judged"
    assert found["kpi.throughput"] == "not judged", "the rate of another objective"


def test_a_reason_is_kept_only_for_what_applies() -> None:
    resolved = load("region-loss-automatic")
    reasons = {"rto.risk": "we know", "change.downtime": "we know"}
    found = {p.objective.objective: p for p in planned(resolved, reasons)}
    assert (found["rto.risk"].state, found["rto.risk"].reason) == ("not judged", "we know")
    assert found["change.downtime"].state == "not exercised"


def test_a_region_without_users_is_lost(tmp_path: Path) -> None:
    file = write(tmp_path) / "scenarios" / "mine.yaml"
    edit(
        file,
        "fault: pod-kill\n    target: {region: here, service: shop}\n    with: {count: 2}\n",
        "fault: region-loss\n    target: {region: there}\n    until: end\n",
    )
    edit(file, "  - at: 10 min\n    fault: slow-pod\n    target: {region: here, service: desk}\n    until: 2 min\n", "")
    found = {p.objective.objective: p.state for p in planned(load(str(file)), {})}
    assert found["rto.shop"] == found["rto.complete"] == "judged if"
    assert found["rpo.models"] == "not exercised"


def test_show_says_what_happens() -> None:
    resolved = load("region-loss-automatic", overrides={"people.acknowledge": "3 min"})
    sections = {s.title: s for s in describe.show(resolved, planned(resolved, {}), {"people.acknowledge": "3 min"})}
    assert [row[0] for row in sections["What happens"].rows] == ["0 s", "5 min"]
    assert "10,500 new orders/s" in sections["What happens"].rows[0][1]
    assert "region-loss (us-east-1)" in sections["What happens"].rows[1][1]
    assert sections["Changed here"].rows == (("people.acknowledge", "3 min"),)
    topology = dict(sections[f"On topology grandmodel: {resolved.topology.title}"].rows)
    assert "8 pods of 16 slots and 4 vCPU" in topology["risk"]
    assert topology["an order"].count("->") == 4
    assert "polls each 10 s, acts after 3 failures" in topology["automation"]


def test_parameters_can_be_filtered() -> None:
    resolved = load("region-loss-automatic")
    every = describe.parameters(resolved)
    assert len(every.rows) == len(resolved.parameters.by_name)
    people = describe.parameters(resolved, "people.").rows
    assert {row[0].split(".")[0] for row in people} == {"people"}
    assert {row[3] for row in describe.parameters(resolved, "D").rows} == {"D"}
    with pytest.raises(UsageError, match="acknowledge"):
        describe.parameters(resolved, "people.acknowlege")


def test_values_in_words() -> None:
    constant = Parameter("a", "constant", (90e6,), "us", "J", "x", low=60e6, high=120e6)
    assert (words.value(constant), words.held_across(constant)) == ("90 s", "1 min to 2 min")
    lognormal = Parameter(
        "a", "lognormal", (120e6, 0.6), "us", "J", "x", low=60e6, high=240e6, sigma_low=0.4, sigma_high=0.8
    )
    assert words.value(lognormal) == "median 2 min, log-sd 0.6"
    assert words.held_across(lognormal) == "1 min to 4 min; log-sd 0.4 to 0.8"
    assert words.value(Parameter("a", "uniform", (0.1, 0.2), "share", "D", "x")) == "10 % to 20 %, uniform"
    assert words.value(Parameter("a", "switch", (0.0,), "switch", "J", "x")) == "off"


def test_limits_in_words() -> None:
    said = {o.objective: words.limit(o) for o in objectives()}
    assert said["rto.risk"] == "at most 5 min"
    assert said["kpi.tactical"] == "p95 below 1 ms"
    assert said["kpi.throughput"] == "more than 10,000/s"
    assert said["load.endurance"] == "more than 500/s for 4 h"
    assert said["response.P3"] == "at most 24 h"
    assert said["rule.single_writer"] == "never broken"


@pytest.mark.parametrize("name", [o.objective for o in objectives()])
def test_every_objective_is_explained(name: str) -> None:
    told = describe.explain(name)
    for text in (
        told.title,
        told.limit,
        told.source,
        told.definition,
        told.measured,
        told.exercised,
        told.inconclusive,
    ):
        assert text
        assert text[-1] != " "
