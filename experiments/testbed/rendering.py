"""Templates to files: kind's configurations, manifests, and what Prometheus, Alertmanager and CoreDNS are told."""

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from ruamel.yaml import YAML

from experiments.testbed import layout
from experiments.testbed.layout import PORTS, Place
from experiments.testbed.plan import Plan, plan
from scenarios.model.topology import AlertRule, Service

HERE = Path(__file__).parent
OUTSIDE_URL = f"http://{layout.OUTSIDE}:{layout.OUTSIDE_PORT}"
_DATABASE_FILES = ("bootstrap.sh", "postgresql.conf", "pg_hba.conf", "schema.sql")
Document = dict[str, Any]


def cluster_file(place: Place) -> str:
    """Configuration of kind for a region."""
    return _template("config/cluster.yaml.j2").render(place=place, ports=PORTS)


def manifests(place: Place, *, seed: str, image_digest: str, restarted: str) -> Iterator[Document]:
    """All objects of a region, in the order in which they are applied.

    Args:
        place: the region.
        seed: which making of the data this is; another one makes the database anew.
        image_digest: of our image; another one restarts its pods.
        restarted: another value restarts what remembers: copies, Prometheus.
    """
    values = {**_values(place), "seed": seed, "image_digest": image_digest, "restarted": restarted}
    for path in sorted((HERE / "manifests").glob("*.yaml.j2")):
        text = _template(f"manifests/{path.name}").render(values)
        yield from (document for document in YAML(typ="safe").load_all(text) if document)


def alertmanager_file() -> str:
    """Configuration of the Alertmanager outside both regions."""
    known = plan()
    return _template("config/alertmanager.yaml.j2").render(
        group_wait_s=_whole(known.topology.monitoring.group_wait_us / 1e6),
        group_interval_s=_whole(known.seconds("monitoring.group_interval")),
        outside_url=OUTSIDE_URL,
    )


def dns_file() -> str:
    """Configuration of CoreDNS outside both regions."""
    return _template("config/Corefile.j2").render(zone=layout.ZONE)


def seconds_by_class(key: str) -> str:
    """Intervals of the copied classes as the role `copies` reads them: `models=10,logs=5`."""
    copies = plan().topology.database.copies
    return ",".join(f"{name}={_whole(getattr(copy, key) / 1e6)}" for name, copy in copies.items())


def digest(value: Any) -> str:
    """Short digest of JSON values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"digest": digest, "json": json.dumps}
    return environment


def _template(name: str) -> Template:
    return _environment().get_template(name)


def _values(place: Place) -> Document:
    """What the templates of a region are filled with."""
    known = plan()
    topology, seconds = known.topology, known.seconds
    peer = next(other for other in layout.PLACES.values() if other != place)
    services = list(_services(known, place))
    return {
        "namespace": layout.NAMESPACE,
        "monitoring_namespace": layout.MONITORING_NAMESPACE,
        "region": place.region,
        "home": place == known.home,
        "home_region": known.home.region,
        "home_edge": known.home.control_plane,
        "ports": PORTS,
        "scrape_ports": layout.SCRAPE_PORTS,
        "link": layout.LINK,
        "outside_url": OUTSIDE_URL,
        "system_image": layout.SYSTEM_IMAGE,
        "postgres_image": layout.POSTGRES_IMAGE,
        "redis_image": layout.REDIS_IMAGE,
        "prometheus_image": layout.PROMETHEUS_IMAGE,
        "services": services,
        "database_cpu": _whole(topology.database.cpu),
        "database_files": {name: (HERE / "database" / name).read_text(encoding="utf-8") for name in _DATABASE_FILES},
        "prometheus_files": _prometheus_files(known, place, peer, services),
        "pool_size": next(call.pool for call in topology.calls if call.callee == "database"),
        "deadline_ms": next(call.timeout_us for call in topology.calls if call.caller == "client") // 1000,
        "termination_grace_s": _whole(seconds("kubernetes.termination_grace")),
        "readiness_period_s": _whole(seconds("kubernetes.readiness_period")),
        "readiness_timeout_s": _whole(seconds("kubernetes.readiness_timeout")),
        "readiness_failures": _whole(known.parameters.number("kubernetes.readiness_failures")),
        "lease_renewal_s": _whole(seconds("postgres.commit_lease_renewal")),
        "copies_write": seconds_by_class("write_spacing_us"),
        "copies_pull": seconds_by_class("interval_us"),
        "automation": _automation(known, place),
    }


def _services(known: Plan, place: Place) -> Iterator[Document]:
    """What the template needs to know of each service, in the order of the call graph."""
    replicas = known.replicas(place)
    callees = {call.caller: call.callee for call in known.topology.calls}
    for name, service in known.topology.services.items():
        callee = callees.get(name)
        inner = callee in known.topology.services
        yield {
            "name": name,
            "deployment": service.deployment,
            "replicas": replicas[service.deployment],
            "cpu": _whole(service.cpu),
            "image": layout.RISK_IMAGE if name == "risk" else layout.SYSTEM_IMAGE,
            "next_url": f"http://{callee}-service:8080" if inner else "",
        }


def _automation(known: Plan, place: Place) -> Document | None:
    """What the automation is told; nothing in a region where there is none."""
    automation = known.topology.automation
    if automation is None or automation.region != place.region:
        return None
    services: dict[str, Service] = known.topology.services
    writer = next(call.caller for call in known.topology.calls if call.callee == "database")
    return {
        "polls": writer,  # it and the database, as in the twin
        "patience_s": _whole(services[writer].probe.timeout_us / 1e6),
        "poll_s": _whole(automation.poll_us / 1e6),
        "failures": automation.failures,
        "working": automation.working,
        "plan": ",".join(f"{service.deployment}={service.replicas}" for service in services.values()),
        "verify_urls": ",".join(f"http://{name}-service:8080/probe" for name in services),
    }


def _prometheus_files(known: Plan, place: Place, peer: Place, services: list[Document]) -> dict[str, str]:
    monitoring = known.topology.monitoring
    scrape_s = _whole(monitoring.scrape_us / 1e6)
    prometheus = _template("config/prometheus.yaml.j2").render(
        scrape_s=scrape_s,
        scrape_timeout_s=min(scrape_s, 3),
        evaluation_s=_whole(monitoring.evaluation_us / 1e6),
        alertmanager=layout.ALERTMANAGER,
        services=services,
        namespace=layout.NAMESPACE,
        region=place.region,
        peer_region=peer.region,
        peer_edge=peer.control_plane,
        scrape_ports=layout.SCRAPE_PORTS,
    )
    rules = _template("config/rules.yaml.j2").render(groups=list(_rule_groups(known)))
    return {"prometheus.yml": prometheus, "rules.yml": rules}


def _rule_groups(known: Plan) -> Iterator[tuple[str, float, list[AlertRule]]]:
    """Rules by reading and interval; an intended one whose `for` is shorter than the evaluation has the fast one."""
    monitoring = known.topology.monitoring
    for reading in ("written", "intended"):
        by_interval: dict[int, list[AlertRule]] = {}
        for alert in monitoring.alerts:
            fast = reading == "intended" and alert.for_us < monitoring.evaluation_us
            interval_us = monitoring.fast_evaluation_us if fast else monitoring.evaluation_us
            by_interval.setdefault(interval_us, []).append(alert)
        yield from ((reading, _whole(interval_us / 1e6), alerts) for interval_us, alerts in by_interval.items())


def _whole(value: float) -> float:
    """A number as one writes it: 5, not 5.0."""
    return int(value) if float(value).is_integer() else value
