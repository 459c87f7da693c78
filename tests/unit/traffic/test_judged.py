"""What probers and sender record is what the judge reads: the same measures, without a word about the world."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from experiments.observe import probers, settings
from experiments.observe.clock import Origin
from experiments.traffic import sender
from scenarios.files.load import load
from scenarios.files.resolved import Resolved
from tests.unit.observe.servers import NONE, REGION, Answer, Parent, http, name_server, parent
from validators.measures import integrity
from validators.measures.goodness import series
from validators.model import Observations
from validators.observe import observe

HEADERS = {"X-Region": REGION, "X-Pod": "a", "X-Own": "strategic=400,tactical=200"}
SECONDS = 3
SCENARIO = """\
scenario: measured
title: nothing breaks
runbook: []
topology: testbed
workload: {profile: steady, rate: 100/s, duration: 60 s, at most: 60 s}
timeline: []
worlds: {twin: {}}
"""


@pytest.fixture
def resolved(tmp_path: Path) -> Resolved:
    """A scenario on the testbed."""
    (tmp_path / "measured.yaml").write_text(SCENARIO)
    return load(str(tmp_path / "measured.yaml"))


def _observed(resolved: Resolved) -> Observations:
    """Some seconds of probers and sender; the strategic service hangs for a while."""

    async def play(found: Parent) -> None:
        def answer(_: str, path: str, body: Any) -> Answer:
            if path == "/probe" and 1_000_000 < found.clock.now_us() < 1_500_000:
                return NONE
            key = body["key"] if body else int(path.rpartition("/")[2] or 0) if path.startswith("/orders/") else 0
            return 200, HEADERS, {"key": key}

        async with (
            http(answer) as server,
            http(lambda *_: (200, HEADERS, {})) as steady,
            name_server("127.0.0.1", 1) as names,
        ):
            stop = asyncio.Event()
            asyncio.get_running_loop().call_later(SECONDS, stop.set)
            origin = found.clock.origin
            documents = [settings.probers(resolved, origin), settings.sender(resolved, origin)]
            for document in documents:
                document["places"] = {REGION: "127.0.0.1"}
                document["ports"] = dict.fromkeys(document["ports"], server.port) | {"tactical": steady.port}
                document["dns"], document["outside"] = ["127.0.0.1", names.port], ["127.0.0.1", server.port]
            http_only = ("strategic", "tactical", "order")
            documents[0]["probes"] = [
                p for p in documents[0]["probes"] if p["service"] in http_only and p["route"] == "dns"
            ]
            await asyncio.gather(
                probers.work(documents[0], found.clock, found.wire, stop),
                sender.work(documents[1], found.clock, found.wire, stop),
            )

    with parent() as found:
        asyncio.run(play(found))
    head = {**resolved.document(), "termination": "complete", "duration_us": SECONDS * 1_000_000, "not_judged": {}}
    return observe(head, found.recorder.marks, found.recorder.table)


@pytest.mark.proves("what is measured on a real system has the record's form: its flow and times pass the judge")
def test_what_is_measured_passes_the_judge(resolved: Resolved) -> None:
    observations = _observed(resolved)
    for rule in ("flow", "order_of_times"):
        (found,) = integrity.measure(observations, {"objective": f"integrity.{rule}", "subject": rule})
        assert found.value == 0, found.says
    tactical, strategic, order = (series(observations, s) for s in ("tactical", "strategic", "order"))
    assert tactical is not None
    assert strategic is not None
    assert order is not None
    assert tactical.spacing_us == strategic.spacing_us == 50_000
    assert order.spacing_us == 500_000
    assert tactical.right.any()
    assert strategic.right.any()
    assert not strategic.right.all()  # it was asked while it hung


def test_settings_hold_the_probes_that_the_topology_declares(resolved: Resolved) -> None:
    found = settings.probers(resolved, Origin.soon())["probes"]
    users = {p["service"]: p for p in found if p["route"] == "dns"}
    assert set(users) == {"strategic", "tactical", "risk", "database", "order", "page"}
    for service, part in {**resolved.topology.services, "database": resolved.topology.database}.items():
        assert users[service]["spacing_us"] == part.probe.spacing_us
        assert users[service]["timeout_us"] == part.probe.timeout_us
        assert users[service]["greatest_age_us"] == part.probe.greatest_age_us
    routes = {(p["route"], p["client"], p["service"]) for p in found}
    assert len(routes) == len(found)
    assert {p["to"] for p in found if p["route"] == "direct"} == set(resolved.topology.regions)
