"""Settings of the measuring processes: JSON documents that the parent makes from a scenario and from where it works.

A document holds addresses and ports as they are, so that a process needs to know nothing else, and a test can have it
ask a server of its own.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.observe.clock import Clock, Origin
from experiments.platforms.site import Address, site
from scenarios.files.resolved import Resolved
from scenarios.model.promql import look_back_us
from scenarios.model.topology import Database, Service

SIDE_ROUTES = 4  # direct and stale probes only inform: they come so many times slower
AGAIN_US = 5_000_000  # a process that ended is started again within this time
DATABASE_SIDE_ROUTES = 20  # a new connection costs the database some ten milliseconds of its CPU
PAGE_SPACING_US = 10_000_000
PAGE_TIMEOUT_US = 60_000_000  # a test page that has not come by then does not come
ORDER_TIMEOUT_US = 10_000_000


@dataclass(frozen=True)
class Where:
    """Where everything is."""

    places: Mapping[str, str]  # region: address of its edge
    ports: Mapping[str, int]
    databases: Mapping[str, Address]  # region: where its database is, when it is not behind the edge
    dns: Address
    name: str  # that users go to
    outside: Address | None  # the page receiver

    @staticmethod
    def of(document: Mapping[str, Any]) -> "Where":
        """Read it back from a process's settings."""
        dns, outside = _address(document["dns"]), document["outside"]
        databases = {region: _address(found) for region, found in document.get("databases", {}).items()}
        return Where(
            document["places"], document["ports"], databases, dns, document["name"],
            None if outside is None else _address(outside),
        )  # fmt: skip

    def database(self, region: str) -> Address:
        """Where a region's database is asked."""
        return self.databases.get(region) or (self.places[region], self.ports["database"])

    @property
    def edges(self) -> Collection[str]:
        """Addresses, or names, of the regions' edges."""
        return self.places.values()

    def region(self, address: str | None) -> str | None:
        """Region at an address; None: none of ours."""
        return next((r for r, a in self.places.items() if a == address), None)


def where() -> dict[str, Any]:
    """Where this process works, as a document."""
    here = site()
    return {
        "places": {region: place.address for region, place in here.places.items()},
        "ports": dict(here.ports),
        "databases": dict(here.databases),
        "dns": here.dns,
        "name": here.name,
        "outside": here.outside,
        "site": here.to_json(),
    }


def _address(found: Any) -> Address:
    host, port = found
    return str(host), int(port)


def _begin(role: str, origin: Origin) -> dict[str, Any]:
    return {"role": role, "origin_ns": origin.monotonic_ns, "origin_epoch_us": origin.epoch_us, **where()}


def probers(resolved: Resolved, origin: Origin) -> dict[str, Any]:
    """Settings of the probers: the probes that the topology declares.

    They stand in the order in which they are started; their phases are spread over the spacing.
    """
    topology = resolved.topology
    parts: dict[str, Service | Database] = {**topology.services, "database": topology.database}
    users = [_probe("user", "dns", s, p, p.probe.spacing_us) for s, p in parts.items()]
    order_us = resolved.parameters.duration_us("client.order_probe_spacing")
    users.append(
        {"client": "user", "route": "dns", "service": "order", "spacing_us": order_us, "timeout_us": ORDER_TIMEOUT_US}
    )
    if site().outside is not None:
        users.append(
            {"client": "pager", "route": "dns", "service": "page", "spacing_us": PAGE_SPACING_US,
             "timeout_us": PAGE_TIMEOUT_US}
        )  # fmt: skip
    side = []
    for service, part in parts.items():
        slower = (DATABASE_SIDE_ROUTES if service == "database" else SIDE_ROUTES) * part.probe.spacing_us
        side.append(_probe("stale-user", "stale", service, part, slower))
        side += [{**_probe(f"direct-{r}", "direct", service, part, slower), "to": r} for r in topology.regions]
    return {**_begin("probers", origin), "probes": [*users, *side]}


def _probe(client: str, route: str, service: str, part: Service | Database, spacing_us: int) -> dict[str, Any]:
    probe = part.probe
    return {
        "client": client, "route": route, "service": service, "spacing_us": spacing_us,
        "timeout_us": probe.timeout_us, "greatest_age_us": probe.greatest_age_us,
    }  # fmt: skip


def watchers(resolved: Resolved, origin: Origin) -> dict[str, Any]:
    """Settings of watchers that are started now: what is looked at, and how it is meant to be.

    When they are started again, what others reported before is on record, save of the moments in between; and nobody is
    asked any more what was before the run.
    """
    since_us = max(0, Clock(origin).now_us() - AGAIN_US)
    topology = resolved.topology
    return {
        **_begin("watchers", origin),
        "since_epoch_us": origin.epoch_us + since_us,
        "first_key": origin.epoch_us,
        "home": topology.database.home,
        "services": {name: service.deployment for name, service in topology.services.items()},
        "entry": next(c.callee for c in topology.calls if c.caller == "client"),
        "copies": sorted(topology.database.copies),
        "monitoring": list(topology.monitoring.regions),
        "look_back_us": 0 if since_us else look_back_us(alert.intended for alert in topology.monitoring.alerts),
        "scrape_us": topology.monitoring.scrape_us,
    }


def sender(resolved: Resolved, origin: Origin, *, seed: int = 0, first_seq: int = 0) -> dict[str, Any]:
    """Settings of the sender of orders. `first_seq`: number of the next order, when it is started again."""
    topology, workload = resolved.topology, resolved.scenario.workload
    entry = next(c for c in topology.calls if c.caller == "client")
    names = ("opening_first_minute", "opening_first_five_minutes", "diurnal_edges", "diurnal_trough")
    return {
        **_begin("sender", origin),
        "seed": seed,
        "profile": workload.profile,
        "rate_per_s": workload.rate_per_s,
        "factors": {name: resolved.parameters.number(f"client.{name}") for name in names},
        "first_seq": first_seq,
        "first_key": origin.epoch_us,
        "entry": entry.callee,
        "services": [*topology.services, "database"],
        "clients": topology.client.count,
        "ignore_ttl": topology.client.ignore_ttl,
        "timeout_us": entry.timeout_us,
        "retries": entry.retries,
        "back_off_us": entry.back_off_us,
        "budget": entry.budget,
        "budget_burst": entry.budget_burst,
        "breaker": entry.breaker.model_dump() if entry.breaker else None,
    }


def users(resolved: Resolved, origin: Origin, count: int, *, seed: int = 0, first_seq: int = 0) -> dict[str, Any]:
    """Settings of users who wait for their answers and send the workload's steady rate together; else as `sender`."""
    return {**sender(resolved, origin, seed=seed, first_seq=first_seq), "role": "users", "users": count}
