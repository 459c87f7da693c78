"""Watchers against servers that hang, lie and come back."""

import asyncio
from typing import Any

import pytest

from experiments.observe import watchers
from experiments.observe.kube_watch import Event

from .servers import NONE, REGION, Answer, Parent, document, free_port, http, name_server, parent


def _settings(port: int, dns: int) -> dict[str, Any]:
    settings = document(
        "watchers", port=port, dns_port=dns, outside=port, home=REGION, since_epoch_us=0, first_key=0,
        entry="strategic", copies=["logs"], monitoring=[REGION],
        look_back_us=300_000_000, scrape_us=5_000_000,
    )  # fmt: skip
    settings["services"] = {"strategic": "strategic-deployment"}
    settings["ports"] = settings["ports"] | {"database": free_port()}
    return settings


def _watching(found: Parent, port: int, dns: int) -> watchers.Watching:
    return watchers.Watching(_settings(port, dns), found.clock, found.wire)


async def _look(watching: watchers.Watching, times: int = 1) -> None:
    """Take every look so often."""
    for _ in range(times):
        for _, job in watching.jobs():
            await job()


@pytest.mark.proves("what does not answer is not observed, and keeps nobody from observing the rest")
def test_a_region_that_hangs_keeps_nobody_from_watching_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchers, "ANSWER_S", 0.05)
    monkeypatch.setattr("experiments.observe.samples.ASK_S", 0.05)

    async def play(found: Parent) -> None:
        async with http(lambda *_: NONE) as hung, name_server("127.0.0.1", 5) as names:
            await _look(_watching(found, hung.port, names.port), 2)

    with parent() as found:
        asyncio.run(play(found))
    assert [m.kind for m in found.recorder.marks] == ["database_failed"]
    assert {r["name"] for r in found.rows("samples")} == {"clock_bound_us"}


def test_what_others_report_is_told_once() -> None:
    def answer(_: str, path: str, __: Any) -> Answer:
        page, _, after = path.partition("?after=")
        everything: dict[str, list[dict[str, Any]]] = {
            "/pages": [
                {"n": 1, "received_us": 5, "alert": "HighErrorRate", "severity": "critical", "status": "firing"}
            ],
            "/facts": [{"n": 1, "t_us": 5, "kind": "automation_detected", "subject": "a", "detail": {"failures": 3}}],
        }
        if after:
            return 200, {}, everything[page][int(after) :]
        if page == "/api/v1/alerts":
            labels = {"alertname": "HighErrorRate", "rules": "intended"}
            return 200, {}, {"status": "success", "data": {"alerts": [{"labels": labels, "state": "firing"}]}}
        if page == "/copies":
            return 200, {}, {"logs": {"source_last_us": 1_000_000, "recovery_point_us": None}}
        return 200, {}, {"region": "us-west-2", "fenced": True, "expires_us": 1}

    async def play(found: Parent) -> None:
        async with http(answer) as server, name_server("127.0.0.1", 5) as names:
            await _look(_watching(found, server.port, names.port), 3)

    with parent() as found:
        asyncio.run(play(found))
    kinds = sorted(m.kind for m in found.recorder.marks if m.kind != "database_failed")
    assert kinds == ["alert_firing", "alert_pending", "automation_detected", "page_received"]
    assert {r["subject"] for r in found.rows("samples") if r["name"] == "last_write_us"} == {"source/logs"}


def test_an_answer_that_makes_no_sense_is_asked_for_again() -> None:
    asked: list[int] = []

    async def job() -> None:
        asked.append(1)
        raise KeyError("no such thing")

    async def play() -> None:
        task = asyncio.create_task(watchers.every(0.01, job))
        while len(asked) < 3:
            await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(play())


def test_a_name_that_leads_elsewhere_was_switched() -> None:
    async def play(found: Parent) -> None:
        async with name_server("127.0.0.1", 5) as names:
            settings = _settings(free_port(), names.port)
            settings["places"] = {REGION: "127.0.0.1", "us-west-2": "127.0.0.2"}
            watching = watchers.Watching(settings, found.clock, found.wire)
            for address in ("127.0.0.1", None, "127.0.0.2", "127.0.0.2", "127.0.0.1"):
                names.address = address
                await watching._look_at_name()

    with parent() as found:
        asyncio.run(play(found))
    assert [m.detail["region"] for m in found.recorder.marks] == ["us-west-2", REGION]


def test_pods_are_counted_while_they_are_watched_and_a_dead_region_has_none() -> None:
    pod = {
        "metadata": {"name": "s", "labels": {"component": "strategic"}},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    deployment = {"metadata": {"name": "strategic-deployment"}, "spec": {"replicas": 1}}

    async def play(found: Parent, port: int) -> None:
        watching = _watching(found, port, free_port())

        async def ready(*events: tuple[str, Event]) -> None:
            for resource, event in events:
                watching._cluster_event(REGION, resource, event)
            await watching._samples._pods(REGION)
            found.wire.row("samples", t_us=0, subject="-", name="gap_us", value=0.0)

        await ready(("pods", ("listed", [pod])))
        await ready(("deployments", ("listed", [deployment])))
        await ready(("nodes", ("lost", None)))
        await ready(("pods", ("lost", None)))
        await ready(("pods", ("listed", [pod])))

    def counted(found: Parent) -> list[list[float]]:
        looks: list[list[float]] = [[]]
        for row in found.rows("samples"):
            if row["name"] == "replicas_ready":
                looks[-1].append(row["value"])
            elif row["name"] == "gap_us":
                looks.append([])
        return looks[:-1]

    with parent() as dead:
        asyncio.run(play(dead, free_port()))
    assert counted(dead) == [[], [1], [1], [0], [1]]
    assert [m.detail["what"] for m in dead.recorder.marks if m.kind == "observer_gap"] == [f"{REGION}/api"]

    async def alive(found: Parent) -> None:
        async with http(lambda *_: (200, {}, "ready")) as server:
            await play(found, server.port)

    with parent() as there:
        asyncio.run(alive(there))
    assert counted(there) == [[], [1], [1], [], [1]]  # who answers may be one or two: that is not known


def test_trading_is_disabled_once_every_pod_of_the_entry_has_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: dict[str, bool | None] = {"a": True, "b": True}
    monkeypatch.setattr(watchers, "trading_of", lambda _, pod: reads[pod])

    def pods() -> list[dict[str, Any]]:
        status = {"conditions": [{"type": "Ready", "status": "True"}]}
        return [{"metadata": {"name": n, "labels": {"component": "strategic"}}, "status": status} for n in reads]

    def configuration(enabled: str) -> dict[str, Any]:
        return {"metadata": {"name": "grandmodel-config"}, "data": {"trading_enabled": enabled}}

    async def play(found: Parent) -> list[int]:
        watching = _watching(found, free_port(), free_port())
        seen = []

        async def look() -> None:
            await watching._look_at_trading(REGION)
            found.wire.now()
            seen.append(len(told))

        told: list[Any] = found.recorder.marks
        monkeypatch.setattr(found.wire, "mark", lambda t, kind, subject, **_: told.append((kind, subject)))
        watching._cluster_event(REGION, "pods", ("listed", pods()))
        watching._cluster_event(REGION, "deployments", ("listed", []))
        watching._cluster_event(REGION, "configuration", ("listed", [configuration("true")]))
        await look()
        watching._cluster_event(REGION, "configuration", ("changed", configuration("false")))
        for pod, read in (("a", True), ("a", False), ("b", None), ("b", False), ("b", False)):
            reads[pod] = read
            await look()
        return seen

    with parent() as found:
        assert asyncio.run(play(found)) == [0, 0, 0, 0, 1, 1]
        assert found.recorder.marks == [("trading_disabled", f"{REGION}/strategic")]
