"""Lay out the kernel's memory for a system, and enlarge it at safe points."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.data import kernel_commands, layout
from sim.data.commands import Balancer, Patience
from sim.data.memory_parts import Columns, Delays, feeds_forward, uniforms
from sim.data.system import System

Table = NDArray[Any]

FIRST_CALLS = 1 << 12
FIRST_RING = 1 << 12
LEAST_LEAVES_BITS = 7  # of the tree: as many levels as kernel_state goes up without asking
MOST_CALLS = 1 << 26
APART = 72  # entries more, so that the columns of a table do not all take the same places of the cache
_GLOBALS = {name: number for number, name in enumerate(layout.STATE.names or ())}  # all are 64 bits wide
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

    def __init__(self, system: System, stages_from: int) -> None:
        self.state = np.zeros(1, dtype=layout.STATE)
        self.address = self.state.ctypes.data
        self._words = memoryview(self.state.view(np.int64))  # the globals: read and set with each command
        self.tables: dict[str, Table] = {}
        self._ring_entries: list[Table] = []
        self._globals(system)
        columns = Columns()
        self._stations(system, columns)
        self._replicas(system)
        self._edges(system, columns)
        self._draws(columns)
        self._clients(system)
        self._probes(system)
        self._databases(system)
        self._occurrences()
        self._output()
        self._stages(system, stages_from)
        self._enlarge_calls(FIRST_CALLS)
        self._enlarge_requests(FIRST_CALLS)
        kernel_commands.begin(self.address)

    def __getitem__(self, name: str) -> int:
        """Value of a global."""
        return int(self._words[_GLOBALS[name]])

    def __setitem__(self, name: str, value: int) -> None:
        """Set a global."""
        self._words[_GLOBALS[name]] = value

    def put(self, name: str, table: Table, length: int | None = None) -> None:
        """Make a table known to the kernel."""
        table = np.ascontiguousarray(table)
        self.tables[name] = table
        self[name] = table.ctypes.data  # `__array_interface__` would describe each field of a record first
        self[f"{name}_n"] = len(table) if length is None else length

    def take(self, name: str) -> NDArray[np.int64]:
        """Take a table of output away: a copy of its columns, which are then forgotten."""
        used = self[f"{name}_used"]
        self[f"{name}_used"] = 0
        return self.tables[name][:, :used].copy()

    def _put_output(self, name: str, room: int) -> None:
        """Make an empty table of output known, with room for so many entries."""
        table = np.empty((WIDTHS[name], room), dtype=np.int64)
        self.put(name, table, table.size)
        self[f"{name}_room"] = room

    def has_room(self) -> bool:
        """Whether a command's consequences fit: each request may end, each call may be made again."""
        output = min(self[f"{name}_room"] - self[f"{name}_used"] for name in ("finished", "probed"))
        return 2 * self["live_calls"] < self["calls_n"] and self["live_requests"] < output

    def make_room(self) -> None:
        """Enlarge what is nearly full; the output has been taken."""
        flights = min(self["live_requests"], layout.FLIGHTS) + layout.BATCH + layout.PROBES
        staged = self["depth"] * flights  # calls that the stages may hand back; depth 0: they are not taken
        if max(2 * self["live_calls"], staged + FIRST_CALLS // 8) >= self["calls_n"]:
            self._enlarge_calls(2 * self["calls_n"])
        if 2 * self["live_requests"] >= self["requests_n"]:
            self._enlarge_requests(2 * self["requests_n"])
        wanted = 2 * self["live_requests"] + FIRST_CALLS
        for name in ("finished", "probed"):
            if self[f"{name}_room"] < wanted:
                self._put_output(name, 2 * wanted)

    def allow_slots(self, station: int, slots: int) -> None:
        """Make room for so many jobs working at each replica of a station."""
        if slots > self._most_slots[station]:
            self._most_slots[station] = slots
            self._jobs()

    def _jobs(self) -> None:
        """Places for the jobs that work at each replica; an odd number of cache lines keeps their beginnings apart."""
        replicas = self.tables["replicas"]
        lines = -(-self._most_slots[replicas["station"]] // layout.LANES) | 1
        first = np.concatenate([[0], np.cumsum(lines * layout.LANES)])
        goals = _aligned(first[-1])
        goals[:] = layout.INF
        jobs = np.zeros(first[-1], dtype=np.int32)
        for replica, at in zip(replicas, first, strict=False):
            n, old = int(replica["working"]), int(replica["jobs"])
            if n:
                goals[at : at + n] = self.tables["goals"][old : old + n]
                jobs[at : at + n] = self.tables["jobs"][old : old + n]
            replica["jobs"] = at
        self.put("goals", goals)
        self.put("jobs", jobs)

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
        self._client_key = system.client_key
        for table in ("work_keys", "patience_keys", "pick_keys", "backoff_keys"):
            self.put(table, getattr(system, table[:-1]).astype(np.uint64).ravel())

    def _stations(self, system: System, columns: Columns) -> None:
        count = self["station_count"]
        table = np.zeros(count, dtype=layout.STATION)
        for name in (
            "slots",
            "queue_capacity",
            "queue_patience",
            "patience_kind",
            "patience_sigma",
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
        for s, station in enumerate(table):
            station["column"] = columns.of_work(system, s)
        self._most_slots = system.slots.astype(np.int64)
        self.put("stations", table)
        self.put("entry_stations", system.entry_station.astype(np.int64))
        self.put("counts", np.zeros(count, dtype=layout.COUNTS))
        rows = (count + 1) * 3
        self.put("cells", np.zeros(rows * layout.BINS, dtype=np.int32))
        self.put("marks", np.zeros(rows, dtype=np.uint8))

    def _replicas(self, system: System) -> None:
        table = np.zeros(self["replica_count"], dtype=layout.REPLICA)
        table["station"] = system.replica_station
        table["state"] = system.initial_state
        table["listed"] = system.initial_listed
        table["cpu"] = system.initial_cpu_milli
        table["full"] = np.where(table["cpu"] > 0, table["cpu"] // 1000, layout.MOST_JOBS)
        table["slow"] = 1000
        table["speed"] = 65536
        table["least"] = layout.INF
        self.put("replicas", table)
        listed = np.zeros(len(table), dtype=np.int64)
        for station in self.tables["stations"]:
            places = np.arange(station["first"], station["first"] + station["places"])
            mine = places[system.initial_listed[places]]
            listed[station["first"] : station["first"] + len(mine)] = mine
        self.put("listed", listed)
        self._jobs()

    def _edges(self, system: System, columns: Columns) -> None:
        table = np.zeros(self["edge_count"], dtype=layout.EDGE)
        balancers = system.edge_balancer
        fields = {
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
            "balancer": balancers,
            "retries": system.max_retries,
            "pool": system.pool_size,
            "pool_queue": system.pool_queue,
            "counted": (balancers == Balancer.LEAST_CONNECTIONS) | (balancers == Balancer.POWER_OF_TWO),
            "guarded": (system.breaker_window > 0) | (system.budget_milli >= 0),
        }
        for name, values in fields.items():
            table[name] = values
        for e, edge in enumerate(table):
            edge["column"] = columns.of_picks(system, e)
        self.put("edges", table)
        packed = np.arange(self["replica_count"]) + np.where(system.initial_listed, 0, layout.UNLISTED)
        self.put("connections", np.tile(packed.astype(np.int64), len(table)))
        self.put("turns", np.zeros(len(table) * self["station_count"], dtype=np.int64))

    def _draws(self, columns: Columns) -> None:
        """Draws made ahead: what each column is, and the rows of the last requests."""
        self.put("columns", columns.table(self._client_key))
        self["column_count"] = len(self.tables["columns"])
        self["first_kept"] = -layout.WINDOW
        self.put("drawing", np.zeros(layout.AHEAD, dtype=np.float64))
        self.put("drawn", np.zeros(layout.WINDOW * self["column_count"], dtype=np.float64))

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
        caches["expiry"][: system.clients] = uniforms(system.expiry_key, system.clients) * system.dns_ttl
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

    def _occurrences(self) -> None:
        """Rings of deadlines and the tree of what comes next; sources are numbered in the order of kinds."""
        edges, stations, probes = (self.tables[name] for name in ("edges", "stations", "probes"))
        delays = Delays()
        edges["pool_ring"] = delays.rings(layout.POOL_PATIENCE, edges["pool_patience"])
        drawn = stations["patience_kind"] != Patience.FIXED
        stations["ring"] = delays.rings(layout.QUEUE_PATIENCE, stations["queue_patience"], drawn)
        edges["timeout_ring"] = delays.rings(layout.CALL_TIMEOUT, edges["timeout"])
        probes["ring"] = delays.rings(layout.CALL_TIMEOUT, probes["timeout"])
        self["backoff_ring"] = delays.heap(layout.BACK_OFF)
        self.put("rings", delays.table())
        replicas = self["replica_count"]
        self["ring_count"] = len(self.tables["rings"])
        self["first_ring"] = replicas
        self["first_arrival"] = replicas + self["ring_count"]
        bits = max(LEAST_LEAVES_BITS, (self["first_arrival"] + self["class_count"] - 1).bit_length())
        self["source_bits"] = bits
        self["leaves"] = 1 << bits
        self["never"] = layout.INF >> bits
        self.put("tree", np.full(2 << bits, layout.INF, dtype=np.int64))
        self.put("arrivals", np.zeros(0, dtype=np.int64))

    def _output(self) -> None:
        stations = self["station_count"]
        lengths = {
            "finished": 8 * FIRST_CALLS + APART,
            "rows": 8 * FIRST_CALLS + APART,
            "probed": 2 * FIRST_CALLS,
            "loads": 64 * (stations + 1),
            "bins": max(1 << 16, (stations + 1) * 3 * layout.BINS),
        }
        for name, length in lengths.items():
            self._put_output(name, length)

    def _stages(self, system: System, stages_from: int) -> None:
        """The path in stages, which is taken for so many arrivals or more; 0 where something may go back."""
        self["stages_from"] = stages_from if feeds_forward(system) else 0
        used = self["stages_from"] > 0
        replicas = self["replica_count"]
        lengths = {
            "stages": (layout.STAGE, layout.DEPTH),
            "lines": (layout.LINE, replicas),
            "heads": (np.dtype(np.int64), replicas),
            "dones": (layout.DONE, replicas * layout.FLIGHTS),
            "endings": (layout.ENDING, layout.DEPTH * layout.FLIGHTS),
            "moves": (layout.MOVE, 2 * layout.FLIGHTS),
            "entering": (layout.ENTERING, layout.PROBES + 1),
        }
        for name, (dtype, length) in lengths.items():
            self.put(name, np.empty(length if used else 0, dtype=dtype))  # all is written before it is read

    def _enlarge_calls(self, count: int) -> None:
        """More calls, and what has a place for each: an entry in each ring, entries of the agenda."""
        if count > MOST_CALLS:
            raise CapacityError(
                f"{self['live_calls']:,} calls are open at {self['now']} ns, at most {MOST_CALLS:,} fit"
            )
        calls, known = self._enlarged("calls", count, layout.CALL, "free_call")
        calls["place"][known:] = layout.FREE
        agenda = 1 << (4 * (count + self["replica_count"])).bit_length()
        self.put("agenda", np.empty(agenda, dtype=layout.AGENDA))  # all is written before it is read
        self["agenda_mask"] = agenda - 1
        old, self._ring_entries = self._ring_entries, []
        for i, ring in enumerate(self.tables["rings"]):
            entries = np.empty(2 * count, dtype=layout.ENTRY)
            if old:
                entries[: len(old[i])] = old[i]
            self._ring_entries.append(entries)
            ring["entries"] = entries.ctypes.data
            ring["most"] = len(entries)
            ring["limit"] = max(ring["limit"], min(FIRST_RING, len(entries)))

    def _enlarge_requests(self, count: int) -> None:
        """More requests, and the position of each one's row in each timeline."""
        positions = np.zeros((self["database_count"], count), dtype=np.int64)
        if "positions" in self.tables:
            known = self["requests_n"]
            positions[:, :known] = self.tables["positions"].reshape(-1, known)
        self.put("positions", positions.ravel())
        staged = count if self["stages_from"] else 0
        self.put("flights", np.empty(staged, dtype=layout.FLIGHT))
        self.put("issues", np.empty(staged * layout.DEPTH, dtype=np.int64))
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


def _aligned(count: int) -> NDArray[np.int64]:
    """Integers that begin with a cache line."""
    line = 64 // 8
    room = np.empty(count + line, dtype=np.int64)
    skipped = -room.ctypes.data // 8 % line
    return room[skipped : skipped + count]
