"""What is deployed is what the topology says; every pod is small, not root, and cannot write to its root."""

from functools import cache
from typing import Any

import pytest
from ruamel.yaml import YAML

from experiments.testbed import containers, layout, rendering
from experiments.testbed.layout import EAST, PLACES, PORTS, WEST, Place
from experiments.testbed.plan import plan

TOPOLOGY = plan().topology


@cache
def _objects(place: Place) -> dict[tuple[str, str], dict[str, Any]]:
    documents = rendering.manifests(place, seed="7", image_digest="abc", restarted="3")
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


def _environment(document: dict[str, Any], container: int = 0) -> dict[str, Any]:
    entries = document["spec"]["template"]["spec"]["containers"][container]["env"]
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in entries}


def _pods(place: Place) -> list[tuple[str, dict[str, Any]]]:
    return [
        (name, document["spec"]["template"]["spec"])
        for (kind, name), document in _objects(place).items()
        if kind in ("Deployment", "StatefulSet")
    ]


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_services_are_deployed_as_the_topology_says(place: Place) -> None:
    objects = _objects(place)
    for name, service in TOPOLOGY.services.items():
        spec = objects["Deployment", service.deployment]["spec"]
        [container] = spec["template"]["spec"]["containers"]
        assert spec["replicas"] == (service.replicas if place == EAST else 0)
        assert float(container["resources"]["limits"]["cpu"]) == service.cpu
        assert container["name"] == f"{name}-agent"
        assert objects["Service", f"{name}-service"]["spec"]["ports"][0]["nodePort"] == layout.PORTS[name]
        assert container["readinessProbe"]["periodSeconds"] == plan().seconds("kubernetes.readiness_period")
        assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == plan().seconds(
            "kubernetes.termination_grace"
        )


def test_deadlines_pool_and_copies_are_the_topologys() -> None:
    objects = _objects(EAST)
    risk = _environment(objects["Deployment", "risk-deployment"])
    pools = {call.caller: call.pool for call in TOPOLOGY.calls}
    assert int(risk["POOL_SIZE"]) == pools["risk"]
    assert {int(risk["DEADLINE_MS"]) * 1000} == {call.timeout_us for call in TOPOLOGY.calls}
    copies = _environment(objects["Deployment", "copies"])
    for name, copy in TOPOLOGY.database.copies.items():
        for key, interval_us in (("WRITE_S", copy.write_spacing_us), ("PULL_S", copy.interval_us)):
            seconds = dict(pair.split("=") for pair in copies[key].split(","))
            assert float(seconds[name]) * 1e6 == interval_us


def test_only_the_topologys_region_has_the_automation() -> None:
    automation = TOPOLOGY.automation
    assert automation is not None
    assert ("Deployment", "failover-automation") not in _objects(EAST)
    environment = _environment(_objects(WEST)["Deployment", "failover-automation"])
    assert float(environment["POLL_S"]) * 1e6 == automation.poll_us
    assert int(environment["FAILURES"]) == automation.failures
    assert environment["EDGE_URL"] == f"http://{EAST.control_plane}:{PORTS['risk']}/probe"
    assert f"@{EAST.control_plane}:{PORTS['database']}/" in environment["EDGE_DATABASE_URL"]
    assert float(environment["POLL_TIMEOUT_S"]) * 1e6 == TOPOLOGY.services["risk"].probe.timeout_us
    assert dict(pair.split("=") for pair in environment["PLAN"].split(",")) == {
        service.deployment: str(service.replicas) for service in TOPOLOGY.services.values()
    }


def test_prometheus_and_alertmanager_are_as_fast_as_the_topology_says() -> None:
    files = _objects(EAST)["ConfigMap", "prometheus"]["data"]
    configuration = YAML(typ="safe").load(files["prometheus.yml"])
    monitoring = TOPOLOGY.monitoring
    assert configuration["global"]["scrape_interval"] == f"{monitoring.scrape_us // 10**6}s"
    assert configuration["global"]["evaluation_interval"] == f"{monitoring.evaluation_us // 10**6}s"
    rules = [
        (rule["labels"]["rules"], rule["alert"], rule["expr"], rule["for"])
        for group in YAML(typ="safe").load(files["rules.yml"])["groups"]
        for rule in group["rules"]
    ]
    assert sorted(rules) == sorted(
        (reading, alert.alert, getattr(alert, reading), f"{alert.for_us // 1000}ms")
        for alert in monitoring.alerts
        for reading in ("written", "intended")
    )
    route = YAML(typ="safe").load(rendering.alertmanager_file())["route"]
    assert route["group_wait"] == f"{monitoring.group_wait_us // 10**6}s"
    assert route["group_by"] == ["alertname"]


def test_names_live_as_long_and_leases_run_as_long_as_the_topology_says() -> None:
    outside = next(dict(spec.environment) for spec in containers.specs() if spec.name == layout.OUTSIDE)
    assert int(outside["TTL_S"]) * 10**6 == TOPOLOGY.dns.ttl_us
    assert float(outside["LEASE_S"]) == plan().seconds("postgres.commit_lease")


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.proves("no pod of the testbed runs as root, can write to its root filesystem, or has no limits")
def test_pods_are_confined(place: Place) -> None:
    for name, pod in _pods(place):
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] > 0, name
        for container in pod["containers"]:
            security, limits = container["securityContext"], container["resources"]["limits"]
            assert security["readOnlyRootFilesystem"] is True, name
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            cpu = str(limits["cpu"])
            assert (float(cpu[:-1]) / 1000 if cpu.endswith("m") else float(cpu)) >= 0.5, name
            assert limits["memory"], name
            assert container["imagePullPolicy"] == "IfNotPresent", name  # a node has what was loaded


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_what_all_pods_ask_for_fits_two_cores(place: Place) -> None:
    def cores(cpu: str) -> float:
        return float(cpu.removesuffix("m")) / 1000

    replicas = {service.deployment: service.replicas for service in TOPOLOGY.services.values()}
    asked = sum(
        cores(container["resources"]["requests"]["cpu"]) * replicas.get(name, 1)
        for name, pod in _pods(place)
        for container in pod["containers"]
    )
    assert asked < 1


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_kind_publishes_every_port_and_is_told_no_image(place: Place) -> None:
    document = YAML(typ="safe").load(rendering.cluster_file(place))
    control_plane, *workers = document["nodes"]
    published = {(p["listenAddress"], p["hostPort"], p["containerPort"]) for p in control_plane["extraPortMappings"]}
    assert published == {(place.address, port, port) for port in layout.PORTS.values()}
    assert len(workers) == place.workers == TOPOLOGY.regions[place.region].nodes
    assert not any("image" in node for node in document["nodes"])


def test_another_seed_makes_the_data_anew_and_nothing_else() -> None:
    def rendered(seed: str) -> list[dict[str, Any]]:
        return list(rendering.manifests(EAST, seed=seed, image_digest="abc", restarted="3"))

    different = [first for first, second in zip(rendered("7"), rendered("8"), strict=True) if first != second]
    assert [document["metadata"]["name"] for document in different] == ["postgres"]
