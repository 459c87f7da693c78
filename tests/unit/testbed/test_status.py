"""When the testbed counts as whole, and what it says when it is not."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from experiments.platforms.shell import Result
from experiments.testbed import lifecycle, measure, status
from experiments.testbed.layout import CONTAINERS, EAST, PLACES, WEST, Place
from experiments.testbed.plan import plan
from experiments.testbed.status import Database, Region, Status, Use, Workload
from gameday.cli.main import run
from gameday.exit_codes import ExitCode
from tests.unit.testbed.api import Api, served

WORKING = {"working": True}


def _region(place: Place) -> Region:
    home = place == plan().home
    wanted = {**plan().replicas(place), "redis": 1, "copies": 1, "postgres": 1, "prometheus": 1}
    if place == WEST:
        wanted["failover-automation"] = 1
    return Region(
        dict.fromkeys(place.nodes, "running"),
        len(place.nodes),
        {name: Workload(replicas, replicas, settled=True) for name, replicas in wanted.items()},
        Database(home, 1, 1000, 5_000_000, 1 if home else 0),
        prometheus=True,
    )


def _found(**changes: Region) -> dict[str, Region]:
    regions = {place.region: _region(place) for place in PLACES.values()}
    return regions | {region.replace("_", "-"): changed for region, changed in changes.items()}


def _lacks(
    found: dict[str, Region], *, name: str | None = EAST.region, lease: str | None = EAST.region, automation: object = 1
) -> list[str]:
    containers = dict.fromkeys(CONTAINERS, "running")
    return list(status._lacks(found, containers, name, lease, WORKING if automation else None))


def test_nothing_is_lacking_when_all_is_as_planned() -> None:
    assert _lacks(_found()) == []


@pytest.mark.proves(
    "a testbed with two primaries, a standby that does not stream or a wrong name is never called whole"
)
@pytest.mark.parametrize(
    ("found", "words"),
    [
        (_found(us_west_2=replace(_region(WEST), database=Database(True, 2, 1000, None, 0))), "is a primary"),
        (_found(us_east_1=replace(_region(EAST), database=Database(False, 1, 1000, None, 0))), "is a standby"),
        (_found(us_east_1=replace(_region(EAST), database=Database(True, 1, 1000, None, 0))), "0 standbys stream"),
        (_found(us_east_1=replace(_region(EAST), database=None)), "database does not answer"),
        (_found(us_east_1=replace(_region(EAST), nodes_ready=2)), "2 of 3 nodes ready"),
        (_found(us_west_2=replace(_region(WEST), prometheus=False)), "Prometheus is not ready"),
        (_found(us_west_2=replace(_region(WEST), nodes=dict.fromkeys(WEST.nodes, "cut"))), "is cut"),
    ],
)
def test_what_is_wrong_in_a_region_is_said(found: dict[str, Region], words: str) -> None:
    assert any(words in lack for lack in _lacks(found))


@pytest.mark.proves("a testbed on which trading is disabled is not whole: its status says since when, no run starts")
def test_disabled_trading_is_lacking() -> None:
    since = "2026-11-26 07:10:00 UTC"
    [lack] = _lacks(_found(us_east_1=replace(_region(EAST), trading_off=since)))
    assert lack.startswith(f"{EAST.region}: trading is disabled since {since}; next: `gameday undo`")


@pytest.mark.parametrize(("value", "off"), [("true", False), ("false", True), ("", True), (None, False)])
def test_since_when_trading_is_disabled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None, off: bool
) -> None:
    """As a server remembers who has set which field; nothing where there is no such object yet."""
    monkeypatch.setenv("GAMEDAY_KUBECONFIGS", str(tmp_path))
    fields = {
        "f:data": {".": {}, "f:trading_enabled": {}},
    }
    config = {
        "metadata": {
            "name": "grandmodel-config",
            "managedFields": [
                {"manager": "gameday", "time": "2026-11-26T06:00:00Z", "fieldsV1": {"f:data": {"f:database_url": {}}}},
                {"manager": "people", "time": "2026-11-26T07:10:00Z", "fieldsV1": fields},
            ],
        },
        "data": {"trading_enabled": value},
    }
    with served(Configured(config=config if value is not None else None)) as api:
        api.kubeconfig(EAST)
        assert status._trading_off(EAST) == ("2026-11-26 07:10:00 UTC" if off else "")


@dataclass
class Configured(Api):
    """A server that holds the ConfigMap, or does not."""

    config: dict[str, Any] | None = None

    def document(self, method: str, path: str) -> dict[str, Any]:
        if path.endswith("/configmaps"):
            return {"kind": "ConfigMapList", "apiVersion": "v1", "items": [self.config] if self.config else []}
        return super().document(method, path)


def test_a_container_that_ends_while_docker_counts_uses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"Name": "a", "CPUPerc": "20.00%", "MemUsage": "500MiB / 1GiB"},
        {"Name": "b", "CPUPerc": "--", "MemUsage": "-- / --"},
    ]
    said = {"ps": "a\nb", "stats": "\n".join(map(json.dumps, rows))}
    monkeypatch.setattr(status, "attempt", lambda _, verb, *__: Result(("docker", verb), 0, said[verb], ""))
    assert status._statistics(["a", "b"]) == (0.2, pytest.approx(0.524288))


@pytest.mark.parametrize(("ready", "settled"), [(1, True), (3, True), (2, False)])
def test_pods_must_be_as_many_as_planned_and_of_the_newest_template(ready: int, settled: bool) -> None:
    region = _region(EAST)
    region.workloads["risk-deployment"] = Workload(2, ready, settled)
    [lack] = _lacks(_found(us_east_1=region))
    assert "risk-deployment" in lack


def test_a_pilot_light_with_pods_is_not_whole() -> None:
    region = _region(WEST)
    region.workloads["strategic-deployment"] = Workload(2, 2, settled=True)
    assert _lacks(_found(us_west_2=region)) == [f"{WEST.region}: strategic-deployment has 2 of 0 pods ready"]


def test_name_lease_and_automation_count() -> None:
    assert _lacks(_found(), name=WEST.region) == [f"DNS leads to {WEST.region}, not to {EAST.region}"]
    assert _lacks(_found(), name=None) == [f"DNS leads to nowhere, not to {EAST.region}"]
    assert _lacks(_found(), lease=None) == [f"the writer's lease is granted to nobody, not to {EAST.region}"]
    assert _lacks(_found(), automation=None) == ["the failover automation does not answer"]


@pytest.mark.parametrize(
    ("name", "lease", "writable", "pending"),
    [
        (EAST.region, EAST.region, False, False),
        (WEST.region, EAST.region, False, True),
        (EAST.region, WEST.region, False, True),
        (EAST.region, EAST.region, True, True),
        (None, None, False, False),
    ],
)
def test_whatever_is_left_of_a_failover_is_pending(
    name: str | None, lease: str | None, writable: bool, pending: bool
) -> None:
    region = replace(_region(WEST), database=Database(writable, 1, 1000, None, 0))
    assert status._pending(_found(us_west_2=region), name, lease) is pending


def test_lag_is_zero_when_the_standby_has_everything_and_unknown_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status.time, "time", lambda: 7.5)
    assert status._lag_s(_found()) == 0
    behind = replace(_region(WEST), database=Database(False, 1, 999, 5_000_000, 0))
    assert status._lag_s(_found(us_west_2=behind)) == 2.5
    assert status._lag_s(_found(us_west_2=replace(behind, database=None))) is None
    promoted = replace(behind, database=Database(True, 2, 999, None, 0))
    assert status._lag_s(_found(us_west_2=promoted)) is None


@pytest.mark.parametrize(("text", "expected"), [("424KiB ", 424 * 2**10), ("1.5GiB", 1.5 * 2**30), ("0B", 0)])
def test_memory_of_docker_is_read_with_its_unit(text: str, expected: float) -> None:
    assert status._bytes(text) == expected


def test_status_says_what_is_lacking_and_how_to_mend_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    containers = dict.fromkeys(CONTAINERS, "running")
    whole = Status(_found(), containers, EAST.region, EAST.region, WORKING, 0.0, False, (), Use(0.4, 3.0))
    monkeypatch.setattr(lifecycle, "status", lambda: whole)
    assert run(["testbed", "status", "--json"]) == ExitCode.MET
    assert json.loads(capsys.readouterr().out)["whole"] is True
    failed_over = replace(whole, dns=WEST.region, pending_failback=True, lacks=("DNS leads to us-west-2",))
    monkeypatch.setattr(lifecycle, "status", lambda: failed_over)
    assert run(["testbed", "status"]) == ExitCode.MISSED
    said = capsys.readouterr()
    assert "lacks: DNS leads to us-west-2" in said.err
    assert "would empty the data" in said.err
    assert said.err.splitlines()[-1] == "next: gameday undo --home", "nothing that empties the data is advised first"
    broken = replace(whole, lacks=("node gameday-us-east-1-worker is paused",))
    monkeypatch.setattr(lifecycle, "status", lambda: broken)
    run(["testbed", "status"])
    assert capsys.readouterr().err.splitlines()[-1] == "next: gameday undo"


def test_times_are_described_by_mean_spread_and_quantiles() -> None:
    fit = measure.Fit.of([float(time_us) for time_us in range(1, 101)])
    assert (fit.count, fit.mean_us, fit.p50_us, fit.p95_us, fit.p99_us) == (100, 50.5, 50, 95, 99)
    assert measure.Fit.of([7.0]) == measure.Fit(1, 7.0, 0.0, 7.0, 7.0, 7.0)
