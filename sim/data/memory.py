"""Lay out the kernel's memory for a system."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.data import layout as at
from sim.data.draws import uniform
from sim.data.system import System

I64 = NDArray[np.int64]


@dataclass
class Memory:
    """All arrays of the kernel (kernel_loop says what each is)."""

    m: I64
    fl: NDArray[np.float64]
    ky: NDArray[np.uint64]
    cl: I64
    rq: I64
    arr: I64
    fin: I64
    row: I64
    prb: I64
    lod: I64
    hst: I64


class _Image:
    """Grows a flat memory part by part; each part's base is kept in a global."""

    def __init__(self) -> None:
        self.parts: list[I64] = [np.zeros(at.GLOBALS, dtype=np.int64)]
        self.size = at.GLOBALS

    def add(self, base: int, columns: list[object] | I64) -> None:
        part = np.asarray(columns, dtype=np.int64).ravel()
        self.parts[0][base] = self.size
        self.parts.append(part)
        self.size += len(part)

    def whole(self) -> I64:
        return np.concatenate(self.parts)


def _free_list(pool: I64, link: int, start: int) -> None:
    pool[start:, link] = np.arange(start + 1, len(pool) + 1)


def build(system: System, *, calls: int = 1 << 15, requests: int = 1 << 15, rings: int = 1 << 15) -> Memory:
    """Memory of a system at time 0; pools grow later when they are full."""
    image = _Image()
    g = image.parts[0]
    counts = _globals(system, g)
    _tables(system, image)
    ring_capacity = [rings] * counts["rings"]
    _rings(system, image, ring_capacity)
    heap = int(system.slots.max()) + 1
    g[at.G_HEAPCAP] = heap
    image.add(at.G_HEAP, np.zeros(counts["R"] * heap * 3, dtype=np.int64))
    backoffs = 1 << 16
    image.add(at.G_BACKOFF_BASE, np.zeros(backoffs * 3, dtype=np.int64))
    g[at.G_BACKOFF_CAP] = backoffs
    agenda = 1 << 16
    image.add(at.G_AGENDA_BASE, np.zeros(agenda * 3, dtype=np.int64))
    g[at.G_AGENDA_MASK] = agenda - 1
    _statistics(counts["S"], image)
    _tree(counts, image)
    cl = np.zeros((calls, at.C_N), dtype=np.int64)
    cl[:, at.C_SEQ] = -1
    cl[:, at.C_LOC] = at.LOC_FREE
    _free_list(cl, at.C_NEXT, 0)
    rq = np.zeros((requests, at.Q_N), dtype=np.int64)
    _free_list(rq, at.Q_NEXT, 0)
    floats = np.column_stack([system.work_scale, system.work_sigma]).ravel().astype(np.float64)
    keys = np.concatenate(
        [[system.client_key], system.work_key.ravel(), system.pick_key.ravel(), system.backoff_key.ravel()]
    ).astype(np.uint64)
    memory = Memory(
        image.whole(),
        floats,
        keys,
        cl,
        rq,
        np.zeros(0, dtype=np.int64),
        np.zeros((1 << 17, 6), dtype=np.int64),
        np.zeros((1 << 17, 4), dtype=np.int64),
        np.zeros((1 << 16, 7), dtype=np.int64),
        np.zeros((1 << 14, 8), dtype=np.int64),
        np.zeros((1 << 19, 4), dtype=np.int64),
    )
    _first_occurrences(system, memory)
    return memory


def _globals(system: System, g: I64) -> dict[str, int]:
    counts = {
        "S": len(system.station_names),
        "R": len(system.replica_station),
        "E": len(system.edge_names),
        "P": len(system.class_names),
        "D": system.databases,
        "G": len(system.region_names),
    }
    counts["rings"] = 2 * counts["E"] + counts["S"] + counts["P"]
    for name, place in (("S", at.G_S), ("R", at.G_R), ("E", at.G_E), ("P", at.G_P), ("D", at.G_D), ("G", at.G_REGIONS)):
        g[place] = counts[name]
    g[at.G_SECOND_END] = 1_000_000_000
    g[at.G_WATCH] = -1
    g[at.G_DNS] = system.initial_dns
    g[at.G_TRADING] = g[at.G_SEND] = 1
    g[at.G_IDEMPOTENT] = int(system.idempotent)
    g[at.G_CLIENTS] = system.clients
    g[at.G_TTL] = system.dns_ttl
    return counts


def _tables(system: System, image: _Image) -> None:
    s_count, r_count, g_count = len(system.station_names), len(system.replica_station), len(system.region_names)
    first = np.searchsorted(system.replica_station, np.arange(s_count), side="left")
    places = np.bincount(system.replica_station, minlength=s_count)
    listed_n = np.bincount(system.replica_station[system.initial_listed], minlength=s_count)
    zero = np.zeros(s_count, dtype=np.int64)
    image.add(
        at.G_ST,
        np.column_stack(
            [
                system.slots,
                system.queue_capacity,
                system.queue_patience,
                system.warm_milli,
                np.maximum(system.warm_time, 1),
                system.database_of,
                system.station_edge,
                first,
                places,
                listed_n,
                system.work_kind,
                zero,
                zero,
            ]
        ),
    )
    replicas = np.zeros((r_count, at.RP_N), dtype=np.int64)
    replicas[:, at.RP_STATION] = system.replica_station
    replicas[:, at.RP_STATE] = system.initial_state
    replicas[:, at.RP_LISTED] = system.initial_listed
    replicas[:, at.RP_CPU] = system.initial_cpu_milli
    replicas[:, at.RP_SLOW] = 1000
    replicas[:, at.RP_SPEED] = 65536
    image.add(at.G_RP, replicas)
    edges = np.column_stack(
        [
            system.initial_target,
            system.edge_sync,
            system.edge_balancer,
            system.edge_timeout,
            system.max_retries,
            system.backoff_base,
            system.budget_milli,
            system.budget_burst,
            system.breaker_window,
            system.breaker_threshold_milli,
            system.breaker_open,
            system.pool_size,
            system.pool_queue,
            system.pool_patience,
            np.zeros(len(system.edge_names), dtype=np.int64),
        ]
    )
    image.add(at.G_ED, edges)
    owners = np.zeros((system.clients + r_count, at.OW_N), dtype=np.int64)
    owners[: system.clients, at.OW_TOKENS] = system.budget_burst[0] * 1000
    out = system.station_edge[system.replica_station]
    owners[system.clients :, at.OW_TOKENS] = np.where(out >= 0, system.budget_burst[out] * 1000, 0)
    image.add(at.G_OW, owners)
    image.add(at.G_CL, _caches(system))
    image.add(
        at.G_PC,
        np.column_stack(
            [
                system.probe_phase,
                system.probe_spacing,
                system.probe_end,
                system.probe_timeout,
                system.probe_region,
                system.probe_chain,
                system.class_writes,
                *[np.zeros(len(system.class_names), dtype=np.int64)] * 5,
            ]
        ),
    )
    image.add(at.G_PS, system.probe_station)
    databases = np.zeros((system.databases, at.DB_N), dtype=np.int64)
    databases[:, at.DB_WRITABLE] = system.initial_writable
    databases[:, at.DB_GATE] = 1
    databases[:, at.DB_FROM] = -1
    image.add(at.G_DB, databases)
    listed = np.zeros(r_count, dtype=np.int64)
    for s in range(s_count):
        mine = np.flatnonzero((system.replica_station == s) & system.initial_listed)
        listed[first[s] : first[s] + len(mine)] = mine
    image.add(at.G_LISTED, listed)
    image.add(at.G_OUTST, np.zeros(len(edges) * r_count, dtype=np.int64))
    image.add(at.G_RR, np.zeros(len(edges) * s_count, dtype=np.int64))
    image.add(at.G_ENTRY, system.entry_station[:g_count])


def _caches(system: System) -> I64:
    """DNS caches: clients, then one for each probe class."""
    caches = np.zeros((system.clients + len(system.class_names), at.CL_N), dtype=np.int64)
    caches[:, at.CL_CACHED] = system.initial_dns
    for client in range(system.clients):
        caches[client, at.CL_EXPIRY] = int(uniform(system.expiry_key, client) * system.dns_ttl)
    caches[: system.clients, at.CL_IGNORES] = system.client_ignores_ttl
    caches[system.clients :, at.CL_IGNORES] = system.probe_region == -2
    return caches


def _rings(system: System, image: _Image, capacity: list[int]) -> None:
    edges, stations, classes = len(system.edge_names), len(system.station_names), len(system.class_names)
    kinds = [1] * edges + [2] * stations + [3] * edges + [3] * classes
    for i in range(classes):
        capacity[2 * edges + stations + i] = min(capacity[-1], 1 << 12)
    base = image.size + len(kinds) * at.RI_N
    headers = []
    for kind, size in zip(kinds, capacity, strict=True):
        headers.append([base, size - 1, 0, 0, kind])
        base += size * 3
    image.add(at.G_RING, np.array(headers))
    image.add(at.GLOBALS - 1, np.zeros(sum(capacity) * 3, dtype=np.int64))


def _statistics(stations: int, image: _Image) -> None:
    cells = (stations + 1) * 3 * at.HIST_BINS
    image.add(at.G_HIST, np.zeros(cells, dtype=np.int64))
    image.add(at.G_TOUCHED, np.zeros(cells, dtype=np.int64))
    image.add(at.G_LOAD, np.zeros((stations + 1) * at.L_N, dtype=np.int64))


def _tree(counts: dict[str, int], image: _Image) -> None:
    sources = counts["R"] + counts["rings"] + 1 + counts["P"]
    leaves = 1
    while leaves < sources:
        leaves *= 2
    image.parts[0][at.G_LEAVES] = leaves
    image.add(at.G_TREE_BASE, np.full(2 * leaves, at.INF, dtype=np.int64))


def _first_occurrences(system: System, memory: Memory) -> None:
    from sim.data.kernel_state import backoff_source, set_next

    base = backoff_source(memory.m) + 1
    for p in range(1, len(system.class_names)):
        if system.probe_phase[p] < system.probe_end[p]:
            set_next(memory.m, base + p, int(system.probe_phase[p]))


def grow(memory: Memory) -> None:
    """Double the pool that is nearly full."""
    m = memory.m
    if m[at.G_CALLS_LIVE] * 2 + 64 >= len(memory.cl):
        memory.cl = _doubled(memory.cl, at.C_NEXT, m, at.G_CALL_FREE)
        memory.cl[len(memory.cl) // 2 :, at.C_SEQ] = -1
        memory.cl[len(memory.cl) // 2 :, at.C_LOC] = at.LOC_FREE
    if m[at.G_REQS_LIVE] + 8 >= len(memory.rq):
        memory.rq = _doubled(memory.rq, at.Q_NEXT, m, at.G_REQ_FREE)
    spare = int(m[at.G_CALLS_LIVE]) * 3 + 64
    memory.fin = _at_least(memory.fin, spare)
    memory.row = _at_least(memory.row, spare)
    memory.prb = _at_least(memory.prb, spare)
    memory.hst = _at_least(memory.hst, int(m[at.G_TOUCHED_N]) + spare)


def _doubled(pool: I64, link: int, m: I64, head: int) -> I64:
    old = len(pool)
    bigger = np.zeros((2 * old, pool.shape[1]), dtype=np.int64)
    bigger[:old] = pool
    _free_list(bigger, link, old)
    bigger[-1, link] = m[head]
    m[head] = old
    return bigger


def _at_least(rows: I64, spare: int) -> I64:
    if len(rows) >= 2 * spare:
        return rows
    bigger = np.zeros((4 * spare, rows.shape[1]), dtype=np.int64)
    bigger[: len(rows)] = rows
    return bigger
