"""Lay out the kernel's memory for a system, and enlarge it at safe points."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.data import kernel_commands, layout
from sim.data.commands import Balancer
from sim.data.draws import uniform
from sim.data.system import System

Table = NDArray[Any]

FIRST_CALLS = 1 << 12
FIRST_RING = 1 << 7
MOST_CALLS = 1 << 26
_COUNTED = (Balancer.LEAST_CONNECTIONS, Balancer.POWER_OF_TWO)
WIDTHS = {
    "finished": layout.FINISHED_WIDTH,
    "rows": layout.ROW_WIDTH,
    "probed": layout.PROBED_WIDTH,
    "loads": layout.LOAD_WIDTH,
    "bins": 2,
}


class CapacityError(RuntimeError):
    """The kernel would need more memory than it may take: our bug, or a system far beyond what it was built for."""


class Memory:
    """The record of globals and the tables it points to, kept alive as long as the kernel uses them."""

    def __init__(self, system: System) -> None:
        self.state = np.zeros(1, dtype=layout.STATE)
        self.address = self.state.ctypes.data
        self.tables: dict[str, Table] = {}
        self._ring_entries: list[Table] = []
        self._globals(system)
        self._stations(system)
        self._replicas(system)
        self._edges(system)
        self._clients(system)
        self._probes(system)
        self._databases(system)
        self._occurrences(system)
        self._output(system)
        self._enlarge_calls(FIRST_CALLS)
        self._enlarge_requests(FIRST_CALLS)
        kernel_commands.begin(self.address)

    def __getitem__(self, name: str) -> int:
        """Value of a global."""
        return int(self.state[name][0])

    def __setitem__(self, name: str, value: int) -> None:
        """Set a global."""
        self.state[name][0] = value

    def put(self, name: str, table: Table, length: int | None = None) -> None:
        """Make a table known to the kernel."""
        table = np.ascontiguousarray(table)
        self.tables[name] = table
        self[name] = table.ctypes.data
        self[f"{name}_n"] = len(table) if length is None else length

    def take(self, name: str) -> NDArray[np.int64]:
        """Take a table of output away: a copy of its rows, which are then forgotten."""
        used = self[f"{name}_used"]
        self[f"{name}_used"] = 0
        return self.tables[name][:used].copy()

    def make_room(self) -> None:
        """Enlarge what is nearly full; the output has been taken."""
        if 2 * self["live_calls"] >= self["calls_n"]:
            self._enlarge_calls(2 * self["calls_n"])
        if 2 * self["live_requests"] >= self["requests_n"]:
            self._enlarge_requests(2 * self["requests_n"])
        wanted = 2 * self["live_requests"] + FIRST_CALLS
        for name in ("finished", "probed"):
            if self[f"{name}_n"] < wanted:
                self.put(name, np.zeros((2 * wanted, WIDTHS[name]), dtype=np.int64))
        if self["backoffs_n"] < self["backoffs_used"] + self["live_calls"] + FIRST_CALLS:
            self.put("backoffs", _longer(self.tables["backoffs"], 2 * self["backoffs_n"]))

    def allow_slots(self, slots: int) -> None:
        """Make room for so many jobs working at a replica."""
        each = self["jobs_each"]
        if slots > each:
            jobs = np.zeros((self["replica_count"], slots), dtype=layout.JOB)
            jobs[:, :each] = self.tables["jobs"].reshape(-1, each)
            self.put("jobs", jobs.ravel())
            self["jobs_each"] = slots

    def _globals(self, system: System) -> None:
        counts = {
            "station_count": len(system.station_names),
            "replica_count": len(system.replica_station),
            "edge_count": len(system.edge_names),
            "class_count": len(system.class_names),
            "database_count": system.databases,
            "region_count": len(system.region_names),
            "second_end": layout.SECOND,
            "watch": -1,
            "free_call": -1,
            "free_request": -1,
            "dns": system.initial_dns,
            "trading": 1,
            "sending": 1,
            "idempotent": int(system.idempotent),
            "clients": system.clients,
            "ttl": system.dns_ttl,
            "arrival_key": layout.INF,
        }
        for name, value in counts.items():
            self[name] = value
        self.state["client_key"] = system.client_key
        for table in ("work_keys", "pick_keys", "backoff_keys"):
            self.put(table, getattr(system, table[:-1]).astype(np.uint64).ravel())

    def _stations(self, system: System) -> None:
        count = self["station_count"]
        table = np.zeros(count, dtype=layout.STATION)
        for name in (
            "slots",
            "queue_capacity",
            "queue_patience",
            "warm_milli",
            "work_kind",
            "work_scale",
            "work_sigma",
        ):
            table[name] = getattr(system, name)
        table["warm_time"] = np.maximum(system.warm_time, 1)
        table["database"] = system.database_of
        table["edge"] = system.station_edge
        table["first"] = np.searchsorted(system.replica_station, np.arange(count), side="left")
        table["places"] = np.bincount(system.replica_station, minlength=count)
        table["listed"] = np.bincount(system.replica_station[system.initial_listed], minlength=count)
        self.put("stations", table)
        self.put("entry_stations", system.entry_station.astype(np.int64))
        self.put("counts", np.zeros(count, dtype=layout.COUNTS))
        rows = (count + 1) * 3
        self.put("cells", np.zeros(rows * layout.BINS, dtype=np.int32))
        self.put("marks", np.zeros(rows * layout.BLOCKS, dtype=np.uint8))

    def _replicas(self, system: System) -> None:
        table = np.zeros(self["replica_count"], dtype=layout.REPLICA)
        table["station"] = system.replica_station
        table["state"] = system.initial_state
        table["listed"] = system.initial_listed
        table["cpu"] = system.initial_cpu_milli
        table["slow"] = 1000
        table["speed"] = 65536
        self.put("replicas", table)
        listed = np.zeros(len(table), dtype=np.int64)
        for station in self.tables["stations"]:
            places = np.arange(station["first"], station["first"] + station["places"])
            mine = places[system.initial_listed[places]]
            listed[station["first"] : station["first"] + len(mine)] = mine
        self.put("listed", listed)
        self["jobs_each"] = max(1, int(system.slots.max()))
        self.put("jobs", np.zeros(len(table) * self["jobs_each"], dtype=layout.JOB))

    def _edges(self, system: System) -> None:
        table = np.zeros(self["edge_count"], dtype=layout.EDGE)
        columns = {
            "timeout": system.edge_timeout,
            "backoff": system.backoff_base,
            "budget": system.budget_milli,
            "burst": system.budget_burst,
            "open_time": system.breaker_open,
            "window": system.breaker_window,
            "threshold": system.breaker_threshold_milli,
            "pool_patience": system.pool_patience,
            "target": system.initial_target,
            "sync": system.edge_sync,
            "balancer": system.edge_balancer,
            "retries": system.max_retries,
            "pool": system.pool_size,
            "pool_queue": system.pool_queue,
            "counted": np.isin(system.edge_balancer, _COUNTED),
        }
        for name, column in columns.items():
            table[name] = column
        self.put("edges", table)
        self.put("outstanding", np.zeros(len(table) * self["replica_count"], dtype=np.int64))
        self.put("turns", np.zeros(len(table) * self["station_count"], dtype=np.int64))

    def _clients(self, system: System) -> None:
        """Budgets and breakers of clients, then replicas; DNS caches of clients, then probe classes."""
        owners = np.zeros(system.clients + self["replica_count"], dtype=layout.OWNER)
        owners["tokens"][: system.clients] = system.budget_burst[0] * 1000
        out = system.station_edge[system.replica_station]
        owners["tokens"][system.clients :] = np.where(out >= 0, system.budget_burst[out] * 1000, 0)
        self.put("owners", owners)
        self["window_each"] = max(1, int(system.breaker_window.max()))
        self.put("windows", np.zeros(len(owners) * self["window_each"], dtype=np.uint8))
        caches = np.zeros(system.clients + self["class_count"], dtype=layout.CACHE)
        caches["region"] = system.initial_dns
        expiry = [int(uniform(system.expiry_key, client) * system.dns_ttl) for client in range(system.clients)]
        caches["expiry"][: system.clients] = expiry
        caches["expiry"][system.clients :] = system.probe_expiry
        caches["ignores"][: system.clients] = system.client_ignores_ttl
        caches["ignores"][system.clients :] = system.probe_region == -2
        self.put("caches", caches)

    def _probes(self, system: System) -> None:
        table = np.zeros(self["class_count"], dtype=layout.PROBE)
        for name in ("phase", "spacing", "end", "timeout", "region", "chain"):
            table[name] = getattr(system, f"probe_{name}")
        table["writes"] = system.class_writes
        self.put("probes", table)
        self.put("probe_stations", system.probe_station.astype(np.int64).ravel())

    def _databases(self, system: System) -> None:
        table = np.zeros(system.databases, dtype=layout.DATABASE)
        table["writable"] = system.initial_writable
        table["gate"] = 1
        table["origin"] = -1
        self.put("databases", table)

    def _occurrences(self, system: System) -> None:
        """Rings, back-offs and the tree of what comes next; sources are numbered in the order of kinds."""
        edges, stations, classes = self["edge_count"], self["station_count"], self["class_count"]
        kinds = [layout.POOL_PATIENCE] * edges + [layout.QUEUE_PATIENCE] * stations
        kinds += [layout.CALL_TIMEOUT] * (edges + classes)
        rings = np.zeros(len(kinds), dtype=layout.RING)
        rings["kind"] = kinds
        self.put("rings", rings)
        self.put("backoffs", np.zeros(2 * FIRST_CALLS, dtype=layout.BACKOFF))
        replicas = self["replica_count"]
        self["ring_count"] = len(kinds)
        self["first_ring"] = replicas
        self["first_timeout"] = edges + stations
        self["backoff_source"] = replicas + len(kinds)
        self["first_arrival"] = self["backoff_source"] + 1
        bits = (self["first_arrival"] + classes - 1).bit_length()
        self["source_bits"] = bits
        self["leaves"] = 1 << bits
        self["never"] = layout.INF >> bits
        self.put("tree", np.full(2 << bits, layout.INF, dtype=np.int64))
        self.put("arrivals", np.zeros(0, dtype=np.int64))

    def _output(self, system: System) -> None:
        stations = self["station_count"]
        lengths = {
            "finished": 8 * FIRST_CALLS,
            "rows": 8 * FIRST_CALLS,
            "probed": 2 * FIRST_CALLS,
            "loads": 64 * (stations + 1),
            "bins": max(1 << 16, (stations + 1) * 3 * layout.BINS),
        }
        for name, length in lengths.items():
            self.put(name, np.empty((length, WIDTHS[name]), dtype=np.int64))

    def _enlarge_calls(self, count: int) -> None:
        """More calls, and what has a place for each: an entry in each ring, entries of the agenda."""
        if count > MOST_CALLS:
            raise CapacityError(
                f"{self['live_calls']:,} calls are open at {self['now']} ns, at most {MOST_CALLS:,} fit"
            )
        calls, known = self._enlarged("calls", count, layout.CALL, "free_call")
        calls["seq"][known:] = -1
        calls["place"][known:] = layout.FREE
        agenda = 1 << (4 * (count + self["replica_count"])).bit_length()
        self.put("agenda", np.zeros(agenda, dtype=layout.AGENDA))
        self["agenda_mask"] = agenda - 1
        old = self._ring_entries
        self._ring_entries = []
        for i, ring in enumerate(self.tables["rings"]):
            entries = np.empty(2 * count, dtype=layout.ENTRY)
            if old:
                entries[: len(old[i])] = old[i]
            self._ring_entries.append(entries)
            ring["entries"] = entries.ctypes.data
            ring["most"] = len(entries)
            ring["limit"] = max(ring["limit"], FIRST_RING)

    def _enlarge_requests(self, count: int) -> None:
        """More requests, and the positions of their rows in each timeline."""
        known = len(self.tables["positions"]) if "positions" in self.tables else 0
        positions = np.zeros(count * self["database_count"], dtype=np.int64)
        if known:
            positions[:known] = self.tables["positions"]
        self.put("positions", positions)
        self._enlarged("requests", count, layout.REQUEST, "free_request")

    def _enlarged(self, name: str, count: int, dtype: np.dtype[Any], head: str) -> tuple[Table, int]:
        """Replace a table of linked free places by a longer one; return it and how long it was."""
        table = np.zeros(count, dtype=dtype)
        known = len(self.tables[name]) if name in self.tables else 0
        if known:
            table[:known] = self.tables[name]
        table["next"][known:] = np.arange(known + 1, count + 1)
        table["next"][-1] = self[head]
        self[head] = known
        self.put(name, table)
        return self.tables[name], known


def _longer(table: Table, count: int) -> Table:
    longer = np.zeros(count, dtype=table.dtype)
    longer[: len(table)] = table
    return longer
