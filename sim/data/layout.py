"""Where the kernel keeps what: one record of globals, and tables of records that it points to.

Numbers of stations, replicas, edges, calls and requests are places in their tables; -1 is none. Times are nanoseconds.
"""

from typing import Any, Final

import numpy as np

from sim.data.commands import Balancer, Outcome, Patience, ReplicaState, Status


def _record(
    words: str = "",
    halves: str = "",
    floats: str = "",
    keys: str = "",
    *,
    more: str = "",
    rest: str = "",
    size: int = 0,
) -> np.dtype[Any]:
    """Record of 64-bit integers, floats, keys, 32-bit integers, then more of both, padded to `size` bytes.

    What is used together is named together, so that it lies in one cache line.
    """
    kinds = (
        (words, np.int64),
        (floats, np.float64),
        (keys, np.uint64),
        (halves, np.int32),
        (more, np.int64),
        (rest, np.int32),
    )
    fields = [(name, np.dtype(kind)) for names, kind in kinds for name in names.split()]
    unused = size - np.dtype(fields, align=True).itemsize
    padding = [(f"padding{i}", np.dtype(np.int32)) for i in range(unused // 4)]
    return np.dtype(fields + padding, align=True)


# Tables are named by their plural, with their length in `<table>_n`; each name is an address.
TABLES: Final = (
    *("stations", "replicas", "edges", "owners", "windows", "caches", "probes", "probe_stations", "databases"),
    *("rings", "goals", "jobs", "listed", "connections", "turns", "entry_stations"),
    *("work_keys", "patience_keys", "pick_keys", "backoff_keys", "columns", "drawn", "drawing", "tree", "agenda"),
    *("calls", "requests", "positions", "arrivals", "counts", "cells", "marks"),
    *("finished", "rows", "probed", "loads", "bins"),
    *("stages", "lines", "heads", "dones", "endings", "moves", "entering", "flights", "issues"),
)

STATE: Final = _record(
    """
    now second_end seq events watch arrival_key arrival arrival_first arrivals_fed
    free_call free_request live_calls live_requests joined agenda_head agenda_tail agenda_mask
    dns trading sending idempotent clients ttl
    next_drawn first_kept column_count
    leaves source_bits never first_ring backoff_ring first_arrival
    station_count replica_count edge_count class_count database_count region_count ring_count window_each
    intended sent ok failed unknown attempts
    finished_used rows_used probed_used loads_used bins_used
    finished_room rows_room probed_room loads_room bins_room
    stages_from staged depth moved entering_used next_ending
    """
    + " ".join(TABLES)
    + " "
    + " ".join(f"{name}_n" for name in TABLES),
)

STATION: Final = _record(
    "slots queue_capacity queue_patience warm_milli warm_time work_kind",
    "database edge first places listed column ring patience_kind",
    "work_scale work_sigma patience_sigma",
)
REPLICA: Final = _record(
    "virtual last speed least",
    "working busy waiting station state full jobs top",
    more="accepted ok work warm_until",
    rest="slow cpu connections pool_waiting head tail pool_head pool_tail listed failed turned_away",
    size=192,
)
EDGE: Final = _record(
    "timeout backoff budget burst open_time window threshold pool_patience",
    "target sync balancer retries pool pool_queue cut counted guarded column timeout_ring pool_ring",
    size=128,
)
OWNER: Final = _record("tokens until", "breaker results failures place")
CACHE: Final = _record("expiry", "region ignores")
PROBE: Final = _record("phase spacing end timeout next", "region chain writes down up run fired ring")
DATABASE: Final = _record("wal forked", "writable gate origin")
RING: Final = _record("entries head tail limit most", "kind place heap")
ENTRY: Final = _record("deadline seq", "call")
AGENDA: Final = _record("", "what a b")
COLUMN: Final = _record("kind which step", "", "scale sigma", "key")
CALL: Final = _record(
    "seq issued deadline accepted work lineage index row",
    "request edge owner parent place detached connected trial child replica connection station attempt next kind",
    size=128,
)
REQUEST: Final = _record("index intended", "kind attempts timed_out live done client next station replica", size=64)
# The path in stages: one station of the chain after the other (kernel_stages).
STAGE: Final = _record("head tail counted next", "station edge first places balanced")
LINE: Final = _record("head tail")  # of a replica: its jobs whose ends are known, in `dones`
DONE: Final = _record("key", "request last")
ENDING: Final = _record("key", "request status")
MOVE: Final = _record("key", "request")
ENTERING: Final = _record("key", "request stage")
FLIGHT: Final = _record("work number done", "replica first stage call")  # of a request under way
COUNTS: Final = _record("sent ok failed attempts")  # of a station, as they were at the last second's end

FINISHED_WIDTH: Final = 6
ROW_WIDTH: Final = 4
PROBED_WIDTH: Final = 7
LOAD_WIDTH: Final = 12  # second, station, six counts, where the three histograms begin, where they end

# --- place of a call
NEW: Final = 0
IN_POOL: Final = 1
QUEUED: Final = 2
WORKING: Final = 3
HOLDING: Final = 4
HANGING: Final = 5
COMMITTING: Final = 6
OVER: Final = 7
BACKING_OFF: Final = 8
FORWARDED: Final = 9
FREE: Final = 10

# --- statuses and states of the lists in commands.py, as plain numbers
OK: Final = int(Status.OK)
BREAKER: Final = int(Status.BREAKER)
NO_ADDRESS: Final = int(Status.NO_ADDRESS)
POOL_FULL: Final = int(Status.POOL_FULL)
POOL_TIMEOUT: Final = int(Status.POOL_TIMEOUT)
NO_ENDPOINT: Final = int(Status.NO_ENDPOINT)
REFUSED: Final = int(Status.REFUSED)
QUEUE_FULL: Final = int(Status.QUEUE_FULL)
QUEUE_TIMEOUT: Final = int(Status.QUEUE_TIMEOUT)
READ_ONLY: Final = int(Status.READ_ONLY)
CALLEE_FAILED: Final = int(Status.CALLEE_FAILED)
RESET: Final = int(Status.RESET)
TIMEOUT: Final = int(Status.TIMEOUT)
STOPPED: Final = int(Status.STOPPED)
WAITS: Final = -1  # a commit whose answer comes when the gate opens
SERVING: Final = int(ReplicaState.SERVING)
REFUSING: Final = int(ReplicaState.REFUSING)
DONE_OK: Final = int(Outcome.OK)
DONE_FAILED: Final = int(Outcome.FAILED)
DONE_UNKNOWN: Final = int(Outcome.UNKNOWN)
BY_RANDOM: Final = int(Balancer.RANDOM)
BY_TURNS: Final = int(Balancer.ROUND_ROBIN)
BY_CONNECTIONS: Final = int(Balancer.LEAST_CONNECTIONS)

# --- breaker
CLOSED: Final = 0
OPEN: Final = 1
HALF_OPEN: Final = 2

# --- agenda
START_NEXT: Final = 1
POOL_NEXT: Final = 2
RESULT: Final = 3

# --- rings, by what ends at their deadlines, in the order of kinds
POOL_PATIENCE: Final = 1
QUEUE_PATIENCE: Final = 2
CALL_TIMEOUT: Final = 3
BACK_OFF: Final = 4

# --- histograms: 128 bins an octave, up to 2^63
BINS: Final = 57 * 128
BLOCK: Final = 64
OWN: Final = 0
CALLER: Final = 1
PATH: Final = 2

# --- draws of class 0, made ahead: so many requests at a time, so many kept
AHEAD: Final = 128
WINDOW: Final = 2048
CLIENT: Final = 0
LOGNORMAL: Final = int(Patience.LOGNORMAL)
EXPONENTIAL: Final = int(Patience.EXPONENTIAL)
PICK: Final = 3

# --- how a job's patience in a queue is found
FIXED: Final = int(Patience.FIXED)
LONGEST_PATIENCE: Final = float(1 << 60)  # so that a deadline is a 64-bit number

# --- connections of a replica over an edge, packed with its number; not listed: beyond all counts
UNLISTED: Final = 1 << 62
ONE_CONNECTION: Final = 1 << 32

LANES: Final = 16  # goals of a replica are looked at so many at a time
MOST_JOBS: Final = (1 << 31) - 1  # that work at full speed where each has a core of its own
INF: Final = 1 << 62

# --- the path in stages: stations of a chain, requests under way, arrivals and probes played at a time
DEPTH: Final = 8
FLIGHTS: Final = 4096
BATCH: Final = 256
PROBES: Final = 64

SECOND: Final = 1_000_000_000

# --- why the loop stopped
HORIZON: Final = 0
WATCH: Final = 1
FULL: Final = 2
