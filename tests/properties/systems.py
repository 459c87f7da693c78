"""Small systems for tests: a builder of System with defaults, arrivals, and timed commands."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sim.data.commands import Balancer, Patience
from sim.data.commands import Timed as Timed  # part of what scripts of tests are written with
from sim.data.draws import exponential, stream_key
from sim.data.system import I64, System

US = 1_000
MS = 1_000_000
S = 1_000_000_000

STATION = {
    "slots": 2,
    "queue_capacity": 1000,
    "queue_patience": 0,
    "patience_kind": Patience.FIXED,
    "patience_sigma": 0.5,
    "work_scale": 1.0 * MS,
    "work_sigma": 0.5,
    "work_kind": 0,
    "warm_milli": 2000,
    "warm_time": 1 * S,
    "database_of": -1,
}
EDGE = {
    "edge_sync": True,
    "edge_balancer": Balancer.RANDOM,
    "edge_timeout": 0,
    "max_retries": 0,
    "backoff_base": 10 * MS,
    "budget_milli": -1,
    "budget_burst": 0,
    "breaker_window": 0,
    "breaker_threshold_milli": 500,
    "breaker_open": 100 * MS,
    "pool_size": 0,
    "pool_queue": 0,
    "pool_patience": 0,
}


@dataclass
class SystemBuilder:
    """Collects stations, edges and probes; `build()` makes the arrays. Numbers are handed out in order of adding.

    Fields are given by their names in `System`, in nanoseconds. Edge 0, the clients' edge, exists from the start.
    """

    seed: int = 1
    regions: int = 1
    clients: int = 7
    dns_ttl: int = 1 * S
    initial_dns: int = 0
    ignoring_clients: int = 0
    databases: int = 0
    idempotent: bool = True
    unwritable: tuple[int, ...] = ()
    _stations: list[dict[str, Any]] = field(default_factory=list)
    _replicas: list[dict[str, Any]] = field(default_factory=list)
    _edges: list[dict[str, Any]] = field(default_factory=list)
    _entries: dict[int, int] = field(default_factory=dict)
    _probes: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._edges.append({**EDGE, "name": "client->edge", "edge_caller": -1, "initial_target": -1})

    def station(
        self,
        service: str,
        *,
        region: int = 0,
        replicas: int = 1,
        listed: int | None = None,
        cpu_milli: int = 0,
        entry: bool = False,
        **constants: Any,
    ) -> int:
        """Add a station with its replicas (the first `listed` of them listed); return its number."""
        unknown = set(constants) - set(STATION)
        assert not unknown, f"no such constants of a station: {unknown}"
        number = len(self._stations)
        row = {**STATION, **constants, "name": f"region-{region}/{service}", "region": region, "edge": -1}
        self._stations.append(row)
        for k in range(replicas):
            self._replicas.append(
                {"station": number, "listed": listed is None or k < listed, "state": 0, "cpu": cpu_milli}
            )
        if entry or region not in self._entries:
            self._entries[region] = number
        return number

    def client_edge(self, **constants: Any) -> "SystemBuilder":
        """Set constants of edge 0."""
        assert not set(constants) - set(EDGE)
        self._edges[0].update(constants)
        return self

    def edge(self, caller: int, target: int, **constants: Any) -> int:
        """Add an inner edge; return its number."""
        assert not set(constants) - set(EDGE)
        names = [self._stations[s]["name"].split("/")[1] for s in (caller, target)]
        number = len(self._edges)
        row = {**EDGE, **constants, "name": "->".join(names), "edge_caller": caller, "initial_target": target}
        self._edges.append(row)
        self._stations[caller]["edge"] = number
        return number

    def probe(
        self,
        *,
        region: int = -1,
        stations: tuple[int, ...] | None = None,
        chain: bool = True,
        writes: bool = False,
        spacing: int = 50 * MS,
        phase: int = 0,
        end: int = 3600 * S,
        timeout: int = 500 * MS,
        expiry: int = 0,
    ) -> int:
        """Add a probe class; return its number."""
        row = {
            "region": region,
            "expiry": expiry,
            "stations": stations,
            "chain": chain,
            "writes": writes,
            "spacing": spacing,
        }
        self._probes.append({**row, "phase": phase, "end": end, "timeout": timeout})
        return len(self._probes)

    def build(self, **changes: Any) -> System:
        """Make the arrays; `changes` replace whole fields."""
        names = tuple(row["name"] for row in self._stations)
        entries = np.array([self._entries[g] for g in range(self.regions)], dtype=np.int64)
        fields: dict[str, Any] = {
            "station_names": names,
            "region_names": tuple(f"region-{g}" for g in range(self.regions)),
            "class_names": ("load", *(f"probe-{p + 1}" for p in range(len(self._probes)))),
            "edge_names": tuple(row["name"] for row in self._edges),
            "station_region": _ints(row["region"] for row in self._stations),
            "station_edge": _ints(row["edge"] for row in self._stations),
            "replica_station": _ints(row["station"] for row in self._replicas),
            "initial_listed": np.array([row["listed"] for row in self._replicas], dtype=np.bool_),
            "initial_state": _ints(row["state"] for row in self._replicas),
            "initial_cpu_milli": _ints(row["cpu"] for row in self._replicas),
            "edge_caller": _ints(row["edge_caller"] for row in self._edges),
            "initial_target": _ints(row["initial_target"] for row in self._edges),
            "clients": self.clients,
            "client_ignores_ttl": np.arange(self.clients) < self.ignoring_clients,
            "dns_ttl": self.dns_ttl,
            "initial_dns": self.initial_dns,
            "entry_station": entries,
            "databases": self.databases,
            "initial_writable": np.array([d not in self.unwritable for d in range(self.databases)], dtype=np.bool_),
            "idempotent": self.idempotent,
        }
        for name, default in STATION.items():
            kind = np.float64 if isinstance(default, float) else np.int64
            fields[name] = np.array([row[name] for row in self._stations], dtype=kind)
        for name, default in EDGE.items():
            kind = np.bool_ if isinstance(default, bool) else np.int64
            fields[name] = np.array([row[name] for row in self._edges], dtype=kind)
        return System(**{**fields, **self._probe_fields(entries), **self._keys(names), **changes})

    def _probe_fields(self, entries: I64) -> dict[str, Any]:
        probes = self._probes
        stations = [entries, *(entries if p["stations"] is None else _ints(p["stations"]) for p in probes)]
        return {
            "class_writes": np.array([True, *(p["writes"] for p in probes)], dtype=np.bool_),
            "probe_phase": _ints([0, *(p["phase"] for p in probes)]),
            "probe_spacing": _ints([1, *(p["spacing"] for p in probes)]),
            "probe_end": _ints([0, *(p["end"] for p in probes)]),
            "probe_timeout": _ints([1, *(p["timeout"] for p in probes)]),
            "probe_region": _ints([-1, *(p["region"] for p in probes)]),
            "probe_expiry": _ints([0, *(p["expiry"] for p in probes)]),
            "probe_chain": np.array([True, *(p["chain"] for p in probes)], dtype=np.bool_),
            "probe_station": np.array(stations, dtype=np.int64),
        }

    def _keys(self, stations: tuple[str, ...]) -> dict[str, Any]:
        classes = range(len(self._probes) + 1)

        def table(names: list[str], purpose: str) -> Any:
            rows = [[stream_key(self.seed, 0, f"{kind} {name}", purpose) for name in names] for kind in classes]
            return np.array(rows, dtype=np.uint64)

        edges = [row["name"] for row in self._edges]
        return {
            "client_key": stream_key(self.seed, 0, "load", "client"),
            "expiry_key": stream_key(self.seed, 0, "load", "expiry"),
            "work_key": table([name.split("/")[1] for name in stations], "work"),
            "patience_key": table([name.split("/")[1] for name in stations], "patience"),
            "pick_key": table(edges, "pick"),
            "backoff_key": table(edges, "back-off"),
        }


def _ints(values: Any) -> I64:
    return np.array(list(values), dtype=np.int64)


def poisson_arrivals(rate_per_s: float, requests: int, seed: int = 1) -> I64:
    """Intended times of Poisson arrivals, in nanoseconds."""
    key = stream_key(seed, 0, "test", "arrivals")
    gaps = np.array([exponential(key, n) for n in range(requests)])
    return np.floor(np.cumsum(gaps) * (S / rate_per_s)).astype(np.int64)


def bursty_arrivals(rate_per_s: float, requests: int, seed: int = 1) -> I64:
    """Poisson arrivals rounded down to 100 us, so that many come at the same instant."""
    return poisson_arrivals(rate_per_s, requests, seed) // (100 * US) * (100 * US)
