"""What the reference model is made of: stations, replicas, edges, clients, requests, calls, jobs."""

from collections import deque
from dataclasses import dataclass, field

from sim.data.commands import Balancer, Patience, ReplicaState
from sim.data.system import System
from sim.reference.clockwork import Occurrence

SPEED_ONE = 65536  # virtual work per nanosecond of a job with a core of its own


@dataclass(slots=True, eq=False)
class Station:
    """One service in one region, and its constants."""

    number: int
    slots: int
    queue_capacity: int
    queue_patience: int
    patience_kind: Patience
    patience_sigma: float
    work_scale: float
    work_sigma: float
    exponential_work: bool
    warm_milli: int
    warm_time: int
    database: int
    edge: int
    replicas: list["Replica"] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Edge:
    """How a caller calls a callee."""

    number: int
    caller: int
    target: int
    sync: bool
    balancer: Balancer
    timeout: int
    max_retries: int
    backoff_base: int
    budget_milli: int
    budget_burst: int
    breaker_window: int
    breaker_threshold_milli: int
    breaker_open: int
    pool_size: int
    pool_queue: int
    pool_patience: int
    cut: bool = False
    round_robin: dict[int, int] = field(default_factory=dict)  # next number, by target station
    outstanding: dict[int, int] = field(default_factory=dict)  # by replica


@dataclass(slots=True, eq=False)
class Breaker:
    """State of a breaker: closed while `open_until_ns` is None."""

    results: deque[bool]  # the last ones, True for OK
    open_until_ns: int | None = None
    half_open: bool = False


@dataclass(slots=True, eq=False)
class Pool:
    """Connections of one replica over one edge."""

    in_use: int = 0
    waiting: deque["Call"] = field(default_factory=deque)


@dataclass(slots=True, eq=False)
class Owner:
    """Who issues calls: a client or a replica. Budgets are in thousandths of a retry, by edge."""

    budgets: dict[int, int] = field(default_factory=dict)
    breakers: dict[int, Breaker] = field(default_factory=dict)
    pools: dict[int, Pool] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Client(Owner):
    """A client of the load, or a probe class."""

    obeys_ttl: bool = True
    cached_region: int = -1
    expiry_ns: int = 0


@dataclass(slots=True, eq=False)
class Replica(Owner):
    """A pod: its slots, queue, and the virtual work of processor sharing."""

    number: int = 0
    station: int = 0
    listed: bool = True
    state: ReplicaState = ReplicaState.SERVING
    cpu_milli: int = 0
    slow_milli: int = 1000
    warm_until_ns: int = 0
    slots_held: int = 0
    queue: deque["Job"] = field(default_factory=deque)
    working: list[tuple[int, int, "Job"]] = field(default_factory=list)  # heap of (goal, seq, job)
    virtual_work: int = 0
    updated_ns: int = 0
    completion: Occurrence | None = None
    completion_of: tuple[int, int, int] = (0, 0, 0)  # goal, seq and speed it was planned for
    jobs: dict[int, "Job"] = field(default_factory=dict)  # all it has accepted and not finished, by seq of the call
    answered_ok: int = 0
    answered_failed: int = 0
    work_done_ns: int = 0

    @property
    def speed(self) -> int:
        """Virtual work per nanosecond of each working job."""
        n = len(self.working)
        if self.cpu_milli == 0 or n * 1000 <= self.cpu_milli:
            return SPEED_ONE
        return max(1, self.cpu_milli * SPEED_ONE // (n * 1000))


@dataclass(slots=True, eq=False)
class Request:
    """What a client wants: all its attempts together."""

    kind: int  # class: 0 the load, else the probe class
    index: int
    intended_ns: int
    client: Client
    attempts: int = 0
    timed_out: bool = False


@dataclass(slots=True, eq=False)
class Call:
    """One attempt to get an answer over an edge."""

    seq: int
    edge: Edge
    owner: Owner
    request: Request
    lineage: int
    attempt: int  # on this edge: 0, 1, 2 ...
    issued_ns: int
    station: int  # target, -1: none
    job: "Job | None" = None  # the job that waits for it (sync inner edge)
    carries: "Call | None" = None  # the call it carries on (async inner edge)
    replica: Replica | None = None  # where it was delivered
    outstanding: bool = False
    has_connection: bool = False
    is_trial: bool = False
    detached: bool = False
    timeout: Occurrence | None = None
    patience: Occurrence | None = None


@dataclass(slots=True, eq=False)
class Job:
    """A call that a replica accepted."""

    call: Call
    replica: Replica
    accepted_ns: int
    work_ns: int = 0
    patience: Occurrence | None = None
    inner_call: Call | None = None
    back_off: Occurrence | None = None
    commits_in: int = -1  # database whose gate it waits for

    @property
    def condition(self) -> str:
        """What it is doing, in a word."""
        if self.commits_in >= 0:
            return "committing"
        if self.back_off is not None:
            return "in back-off"
        if self.inner_call is not None:
            return "holding"
        return "queued" if self in self.replica.queue else "working"


def make_stations(system: System) -> list[Station]:
    """All stations with their replicas, at time 0."""
    stations = [
        Station(
            number=s,
            slots=int(system.slots[s]),
            queue_capacity=int(system.queue_capacity[s]),
            queue_patience=int(system.queue_patience[s]),
            patience_kind=Patience(int(system.patience_kind[s])),
            patience_sigma=float(system.patience_sigma[s]),
            work_scale=float(system.work_scale[s]),
            work_sigma=float(system.work_sigma[s]),
            exponential_work=int(system.work_kind[s]) == 1,
            warm_milli=int(system.warm_milli[s]),
            warm_time=int(system.warm_time[s]),
            database=int(system.database_of[s]),
            edge=int(system.station_edge[s]),
        )
        for s in range(len(system.station_names))
    ]
    for r, s in enumerate(system.replica_station.tolist()):
        replica = Replica(
            number=r,
            station=s,
            listed=bool(system.initial_listed[r]),
            state=ReplicaState(int(system.initial_state[r])),
            cpu_milli=int(system.initial_cpu_milli[r]),
        )
        stations[s].replicas.append(replica)
    return stations


def make_edges(system: System) -> list[Edge]:
    """All edges, at time 0."""
    return [
        Edge(
            number=e,
            caller=int(system.edge_caller[e]),
            target=int(system.initial_target[e]),
            sync=bool(system.edge_sync[e]),
            balancer=Balancer(int(system.edge_balancer[e])),
            timeout=int(system.edge_timeout[e]),
            max_retries=int(system.max_retries[e]),
            backoff_base=int(system.backoff_base[e]),
            budget_milli=int(system.budget_milli[e]),
            budget_burst=int(system.budget_burst[e]),
            breaker_window=int(system.breaker_window[e]),
            breaker_threshold_milli=int(system.breaker_threshold_milli[e]),
            breaker_open=int(system.breaker_open[e]),
            pool_size=int(system.pool_size[e]),
            pool_queue=int(system.pool_queue[e]),
            pool_patience=int(system.pool_patience[e]),
        )
        for e in range(len(system.edge_names))
    ]
