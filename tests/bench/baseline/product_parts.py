"""What the product's baselines are made of: processors, slots, pods, stations, databases, clients, requests."""

from collections import deque
from collections.abc import Generator
from heapq import heappop, heappush
from typing import Any

import simpy

from sim.data.commands import ReplicaState
from sim.data.system import System
from tests.bench.baseline.common import OWN_WORK_DONE, PATIENCE, Wake

type Steps[T] = Generator[simpy.Event, Any, T]

SPEED_ONE = 65536


class Processor:
    """A pod's CPU, shared by the jobs that are working."""

    def __init__(self, env: simpy.Environment, number: int, cpu_milli: int) -> None:
        self.env = env
        self.number = number
        self.cpu_milli = cpu_milli
        self.speed = SPEED_ONE
        self.virtual = 0
        self.updated_ns = 0
        self.jobs: list[tuple[int, int, Any]] = []
        self.next: Wake | None = None
        self.next_of = (0, 0, 0)

    def work(self, work_ns: int, seq: int) -> simpy.Event:
        """Begin so much work; the event says when it is done."""
        done = simpy.Event(self.env)
        self.add(work_ns, seq, done)
        return done

    def add(self, work_ns: int, seq: int, done: Any) -> None:
        """Begin so much work; `done.succeed()` is called when it is done."""
        self._update()
        heappush(self.jobs, (self.virtual + work_ns * SPEED_ONE, seq, done))
        self._plan()

    def _update(self) -> None:
        now = self.env.now
        if self.jobs:
            self.virtual += (now - self.updated_ns) * self.speed
        self.updated_ns = now

    def _plan(self) -> None:
        """Plan when the job with the least goal is done, now that the number of jobs has changed."""
        jobs = self.jobs
        if not jobs:
            self.virtual = 0
            return
        n = len(jobs) * 1000
        self.speed = speed = SPEED_ONE if n <= self.cpu_milli else max(1, self.cpu_milli * SPEED_ONE // n)
        goal, seq, _ = jobs[0]
        if self.next is not None:
            if self.next_of == (goal, seq, speed):
                return
            self.next.callbacks = []
        self.next_of = (goal, seq, speed)
        self.next = Wake(self.env, -(-(goal - self.virtual) // speed), OWN_WORK_DONE + self.number)
        self.next.callbacks.append(self._done)

    def _done(self, _: simpy.Event) -> None:
        self._update()
        _, _, done = heappop(self.jobs)
        self.next = None
        self._plan()
        done.succeed()


class Slots:
    """So many at a time, the others in a FIFO queue. (A simpy.Resource would be slower than the reference model.)"""

    def __init__(self, env: simpy.Environment, number: int) -> None:
        self.env = env
        self.free = number
        self.queue: deque[simpy.Event] = deque()

    def take(self) -> simpy.Event | None:
        """A slot at once, or the event of its turn."""
        if self.free:
            self.free -= 1
            return None
        turn = simpy.Event(self.env)
        self.queue.append(turn)
        return turn

    def give(self) -> None:
        """Hand a slot back, to the head of the queue if there is one."""
        if self.queue:
            self.queue.popleft().succeed()
        else:
            self.free += 1

    def wait(self, turn: simpy.Event, patience_ns: int) -> Steps[bool]:
        """Wait for a turn; False when patience ended first."""
        yield turn | Wake(self.env, patience_ns, PATIENCE)
        if not turn.triggered:
            self.queue.remove(turn)
        return turn.triggered


class Pod:
    """A replica: slots, processor, and connections to the service it calls."""

    def __init__(self, env: simpy.Environment, system: System, number: int, station: "Station") -> None:
        self.env = env
        self.number = number
        self.station = station
        self.listed = bool(system.initial_listed[number])
        self.state = ReplicaState(int(system.initial_state[number]))
        self.warm_until_ns = 0
        self.outstanding = 0  # calls of clients
        self.cpu_milli = int(system.initial_cpu_milli[number])
        self.fresh()

    def fresh(self) -> None:
        """Without any work: at the start, and when the pod is lost."""
        self.slots = Slots(self.env, self.station.slots)
        self.processor = Processor(self.env, self.number, self.cpu_milli)
        self.pool = Slots(self.env, self.station.pool) if self.station.pool else None
        self.attempts: set[simpy.Process] = set()


class Station:
    """A service in a region: constants, pods, and the station it calls."""

    def __init__(self, env: simpy.Environment, system: System, number: int) -> None:
        self.number = number
        self.slots = int(system.slots[number])
        self.capacity = int(system.queue_capacity[number])
        self.patience_ns = int(system.queue_patience[number])
        self.warm_milli = int(system.warm_milli[number])
        self.warm_time = int(system.warm_time[number])
        self.database = int(system.database_of[number])
        self.edge = int(system.station_edge[number])
        self.pool = int(system.pool_size[self.edge]) if self.edge >= 0 else 0
        self.pool_queue = int(system.pool_queue[self.edge])
        self.pool_patience_ns = int(system.pool_patience[self.edge])
        self.callee: Station | None = None
        self.pods = [Pod(env, system, r, self) for r, s in enumerate(system.replica_station) if s == number]
        self.list_pods()

    def list_pods(self) -> None:
        """Bring the endpoints up to date."""
        self.listed = [pod for pod in self.pods if pod.listed]


class Database:
    """A timeline: positions by key, and what it was forked from."""

    def __init__(self, number: int, writable: bool) -> None:
        self.number = number
        self.writable = writable
        self.wal = 0
        self.position: dict[int, int] = {}
        self.origin: Database | None = None
        self.forked_at = 0

    def has(self, key: int) -> bool:
        """Whether the key's row is there."""
        if key in self.position:
            return True
        return self.origin is not None and 0 < self.origin.position.get(key, 0) <= self.forked_at


class Client:
    """DNS cache, retry budget and breaker of a client; probers use the cache only."""

    def __init__(self, region: int, expiry_ns: float, tokens: int, window: int) -> None:
        self.region = region
        self.expiry_ns = expiry_ns  # infinite: ignores the TTL
        self.tokens = tokens
        self.results: deque[bool] = deque(maxlen=window)
        self.open_until_ns: int | None = None
        self.trial = False


class Request:
    """What all attempts of a request have in common."""

    __slots__ = ("chain", "index", "key", "kind", "writes")

    def __init__(self, kind: int, index: int, chain: bool, writes: bool) -> None:
        self.kind = kind
        self.index = index
        self.key = index if kind == 0 else -1 - (kind << 40) - index
        self.chain = chain
        self.writes = writes
