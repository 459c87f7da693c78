"""What the data plane plays: the system as plain arrays, read by the kernel and by the reference alike."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
U64 = NDArray[np.uint64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class System:
    """Constants of one run's data plane. Times in nanoseconds; see docs/explanation/data-plane.md.

    Shapes: S stations, R replicas, E edges, C clients, G regions, P classes (0 is the load), D databases.
    `initial_*` hold the state at time 0 of what commands may change later.
    """

    station_names: tuple[str, ...]  # S, "region/service"
    region_names: tuple[str, ...]  # G
    class_names: tuple[str, ...]  # P
    edge_names: tuple[str, ...]  # E, "caller->callee"; edge 0 is "client->edge"

    slots: I64  # S, per replica
    queue_capacity: I64  # S
    queue_patience: I64  # S, ns, 0: for ever; the median of a lognormal, the mean of an exponential
    patience_kind: I64  # S, Patience
    patience_sigma: F64  # S, of a lognormal
    work_scale: F64  # S, ns; median of the lognormal
    work_sigma: F64  # S
    work_kind: I64  # S, 0: lognormal, 1: exponential (work_scale is then the mean)
    warm_milli: I64  # S, work factor right after a start, in thousandths
    warm_time: I64  # S, ns
    database_of: I64  # S, database number or -1
    station_region: I64  # S
    station_edge: I64  # S, outgoing edge or -1

    replica_station: I64  # R, ascending
    initial_listed: Bool  # R
    initial_state: I64  # R, ReplicaState
    initial_cpu_milli: I64  # R, 0: a core for each job

    edge_caller: I64  # E, station or -1 (edge 0)
    initial_target: I64  # E, station; -1 for edge 0
    edge_sync: Bool  # E
    edge_balancer: I64  # E, Balancer
    edge_timeout: I64  # E, 0: none
    max_retries: I64  # E
    backoff_base: I64  # E, ns
    budget_milli: I64  # E, -1: no budget
    budget_burst: I64  # E, whole retries
    breaker_window: I64  # E, 0: no breaker
    breaker_threshold_milli: I64  # E
    breaker_open: I64  # E, ns
    pool_size: I64  # E, per calling replica, 0: no pool
    pool_queue: I64  # E
    pool_patience: I64  # E, 0: for ever

    clients: int
    client_ignores_ttl: Bool  # C
    dns_ttl: int
    initial_dns: int  # region or -1
    entry_station: I64  # G, where class 0 enters in a region

    class_writes: Bool  # P, whether it commits a row at a database
    probe_phase: I64  # P (entry 0 unused)
    probe_spacing: I64  # P
    probe_end: I64  # P
    probe_timeout: I64  # P, > 0
    probe_region: I64  # P, region, -1: through DNS, -2: stale
    probe_expiry: I64  # P, first expiry of the DNS cache of a class that goes through DNS
    probe_chain: Bool  # P, goes on along the call chain or is answered by the entry station
    probe_station: I64  # P x G

    databases: int
    initial_writable: Bool  # D
    idempotent: bool

    client_key: np.uint64
    expiry_key: np.uint64
    work_key: U64  # P x S
    patience_key: U64  # P x S
    pick_key: U64  # P x E
    backoff_key: U64  # P x E

    def describe(self) -> dict[str, Any]:
        """All fields as plain JSON values, for a digest."""
        plain = {}
        for name, value in self.__dict__.items():
            plain[name] = value.tolist() if isinstance(value, np.ndarray) else value
        return {k: int(v) if isinstance(v, np.uint64) else v for k, v in plain.items()}
