"""The product's system as a SimPy user would write it: a process for each request and for each of its attempts.

Of the data plane's page it has what the default topology uses; regions are lost whole, silently.
"""

from collections import deque
from collections.abc import Generator, Sequence
from heapq import heappop, heappush
from itertools import count
from typing import Any

import simpy

from sim.data.commands import Command, Outcome, ReplicaState, Status
from sim.data.system import I64, System
from tests.bench.baseline.common import (
    ARRIVAL,
    BACK_OFF,
    COMMAND,
    OWN_WORK_DONE,
    PATIENCE,
    TIMEOUT,
    Facts,
    Wake,
    count_seconds,
)
from tests.bench.baseline.draws import Draws, probe_times
from tests.bench.script import Timed

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


class Product:
    """The whole system; `play` returns what happened."""

    def __init__(self, system: System, arrivals: I64, script: Sequence[Timed], until_ns: int) -> None:
        self.env = simpy.Environment()
        self.facts = Facts(len(system.station_names))
        self._system, self._arrivals, self._script, self._until_ns = system, arrivals, script, until_ns
        self._draws = Draws(system)
        self._stations = [Station(self.env, system, s) for s in range(len(system.station_names))]
        for station in self._stations:
            if station.edge >= 0:
                station.callee = self._stations[system.initial_target[station.edge]]
        self._pods = [pod for station in self._stations for pod in station.pods]
        self._databases = [Database(d, bool(w)) for d, w in enumerate(system.initial_writable)]
        self._seq = count()
        self._lost: set[simpy.Process] = set()
        self._dns = system.initial_dns
        self._retries = int(system.max_retries[0])
        self._timeout_ns, self._back_off_ns = int(system.edge_timeout[0]), int(system.backoff_base[0])
        self._earned, self._saved = int(system.budget_milli[0]), int(system.budget_burst[0]) * 1000
        self._window, self._open_ns = int(system.breaker_window[0]), int(system.breaker_open[0])
        self._tolerated = int(system.breaker_threshold_milli[0]) * self._window
        self._clients = [self._client(c) for c in range(system.clients)]

    def _client(self, number: int) -> Client:
        ignores = bool(self._system.client_ignores_ttl[number])
        expiry_ns = float("inf") if ignores else self._draws.first_expiry(number)
        return Client(self._dns, expiry_ns, self._saved, self._window)

    def play(self) -> Facts:
        """Run to the horizon."""
        self.env.process(self._operator())
        self._begin()
        self.env.process(count_seconds(self.env, self.facts, self._until_ns))
        self.env.run(until=self._until_ns)
        self.facts.end_second(self._until_ns // 1_000_000_000)
        return self.facts

    def _begin(self) -> None:
        self.env.process(self._load())
        self.env.process(self._probers())

    # --- commands

    def _operator(self) -> Steps[None]:
        for entry in self._script:
            yield Wake(self.env, entry.at_ns - self.env.now, COMMAND)
            self._command(entry.command, entry.a, entry.b, entry.c)

    def _command(self, command: Command, a: int, b: int, c: int) -> None:
        if command == Command.STATE:
            self._pods[a].state = ReplicaState(b)
        elif command == Command.LIST:
            self._pods[a].listed = bool(b)
            self._pods[a].station.list_pods()
        elif command == Command.WARM:
            self._pods[a].warm_until_ns = b
        elif command == Command.DNS:
            self._dns = a
        elif command == Command.WRITABLE:
            self._databases[a].writable = bool(b)
        elif command == Command.FORK:
            new = self._databases[a]
            new.origin, new.wal, new.forked_at = self._databases[b], c, c
        else:
            assert command == Command.LOSE
            self._lose(self._pods[a])

    def _lose(self, pod: Pod) -> None:
        attempts = pod.attempts
        pod.fresh()
        for attempt in attempts - self._lost:  # it may have had jobs in other pods of the region
            attempt.interrupt()
        self._lost |= attempts

    # --- clients

    def _load(self) -> Steps[None]:
        for index, at_ns in enumerate(self._arrivals.tolist()):
            yield Wake(self.env, at_ns - self.env.now, ARRIVAL)
            self.env.process(self._order(Request(0, index, True, True), self._clients[self._draws.client(index)]))

    def _order(self, request: Request, client: Client) -> Steps[None]:
        """All attempts of an order."""
        env, edge = self.env, self.facts.tallies[-1]
        intended_ns = env.now
        edge.intended += 1
        edge.sent += 1
        client.tokens = min(self._saved, client.tokens + self._earned)
        timed_out = False
        for attempt in range(self._retries + 1):
            edge.attempts += 1
            station = self._stations[self._system.entry_station[self._region(client)]]
            trial = client.open_until_ns is not None
            if trial and (client.trial or env.now < client.open_until_ns):
                status = Status.BREAKER
                break
            client.trial = trial
            status, _ = yield from self._call(request, station, attempt, self._timeout_ns)
            timed_out |= status == Status.TIMEOUT
            self._record(client, trial, status == Status.OK)
            if status == Status.OK or attempt == self._retries or client.tokens < 1000:
                break
            client.tokens -= 1000
            jitter = self._draws.back_off(0, attempt + 1, request.index)
            yield Wake(env, int(jitter * (self._back_off_ns << attempt)), BACK_OFF)
        self._ended(request, intended_ns, status, attempt + 1, timed_out)

    def _ended(self, request: Request, intended_ns: int, status: Status, attempts: int, timed_out: bool) -> None:
        """Write down the end of an order."""
        edge, done_ns = self.facts.tallies[-1], self.env.now
        outcome = Outcome.OK if status == Status.OK else Outcome.UNKNOWN if timed_out else Outcome.FAILED
        self.facts.finished.append((request.index, intended_ns, done_ns, outcome, status, attempts))
        if outcome == Outcome.OK:
            edge.ok += 1
        elif outcome == Outcome.FAILED:
            edge.failed += 1
            return
        else:
            edge.unknown += 1
        edge.path.append(done_ns - intended_ns)

    def _region(self, client: Client) -> int:
        if self.env.now >= client.expiry_ns:
            client.region = self._dns
            client.expiry_ns = self.env.now + self._system.dns_ttl
        return client.region

    def _record(self, client: Client, trial: bool, good: bool) -> None:
        """What the breaker makes of a result."""
        if trial:
            client.trial = False
            client.open_until_ns = None if good else self.env.now + self._open_ns
        elif client.open_until_ns is None:
            client.results.append(good)
            failures = client.results.count(False)
            if len(client.results) == self._window and failures * 1000 >= self._tolerated:
                client.open_until_ns = self.env.now + self._open_ns
                client.results.clear()

    def _call(self, request: Request, station: Station, lineage: int, timeout_ns: int) -> Steps[tuple[Status, int]]:
        """A client's or prober's call: until its answer or its timeout. Also the pod that answered, -1: none."""
        env = self.env
        issued_ns = env.now
        seq = next(self._seq)
        if not station.listed:
            status, number = Status.NO_ENDPOINT, -1
        else:
            pod = min(station.listed, key=lambda pod: pod.outstanding)
            pod.outstanding += 1
            attempt = env.process(self._attempt(request, pod, lineage, seq))
            yield attempt | Wake(env, timeout_ns, TIMEOUT)
            pod.outstanding -= 1
            status, number = (attempt.value, pod.number) if attempt.triggered else (Status.TIMEOUT, -1)
        self.facts.tallies[station.number].caller.append(env.now - issued_ns)
        return status, number

    # --- probes

    def _probers(self) -> Steps[None]:
        system = self._system
        probers = self._prober_caches()
        for at_ns, kind, index in probe_times(system, self._until_ns):
            yield Wake(self.env, at_ns - self.env.now, ARRIVAL + kind)
            request = Request(kind, index, bool(system.probe_chain[kind]), bool(system.class_writes[kind]))
            self.env.process(self._probe(request, probers[kind]))

    def _prober_caches(self) -> list[Client]:
        region_of = {-1: self._dns, -2: self._dns}
        regions = self._system.probe_region.tolist()
        return [Client(region_of.get(r, r), 0 if r == -1 else float("inf"), 0, 1) for r in regions]

    def _probe(self, request: Request, client: Client) -> Steps[None]:
        intended_ns, kind = self.env.now, request.kind
        station = self._stations[self._system.probe_station[kind, self._region(client)]]
        status, pod = yield from self._call(request, station, 0, int(self._system.probe_timeout[kind]))
        row = (kind, request.index, intended_ns, self.env.now, station.number, pod, int(status))
        self.facts.probes.append(row)

    # --- pods

    def _attempt(self, request: Request, pod: Pod, lineage: int, seq: int) -> Steps[Status]:
        """A client's call on its way through the pods, whether the client still waits or not."""
        try:
            return (yield from self._serve(request, pod, lineage, seq))
        except simpy.Interrupt:
            yield self.env.event()  # lost: nobody will ever answer
            raise AssertionError from None

    def _serve(self, request: Request, pod: Pod, lineage: int, seq: int) -> Steps[Status]:
        """A call at a pod: slot, own work, the call to the next service, answer."""
        env, station = self.env, pod.station
        tally = self.facts.tallies[station.number]
        tally.attempts += 1
        if pod.state != ReplicaState.SERVING:
            if pod.state == ReplicaState.BLACK_HOLE:
                yield env.event()
            return Status.REFUSED
        slots = pod.slots
        if not slots.free and len(slots.queue) >= station.capacity:
            tally.failed += 1
            return Status.QUEUE_FULL
        accepted_ns = env.now
        tally.sent += 1
        process = env.active_process
        pod.attempts.add(process)
        turn = slots.take()
        if turn is None or (yield from slots.wait(turn, station.patience_ns)):
            yield pod.processor.work(self._work_ns(request, pod, lineage), seq)
            tally.own.append(env.now - accepted_ns)
            if station.callee is not None and request.chain:
                status = yield from self._go_on(request, pod, station.callee, lineage * 8)
            elif station.database >= 0:
                status = self._commit(request, self._databases[station.database])
            else:
                status = Status.OK
            slots.give()
        else:
            status = Status.QUEUE_TIMEOUT
        pod.attempts.discard(process)
        if status == Status.OK:
            tally.ok += 1
        else:
            tally.failed += 1
        return status

    def _work_ns(self, request: Request, pod: Pod, lineage: int, drawn_ns: int | None = None) -> int:
        station, now = pod.station, self.env.now
        work_ns = drawn_ns
        if work_ns is None:
            work_ns = self._draws.work(request.kind, station.number, lineage, request.index)
        if pod.warm_until_ns > now:
            slower = (station.warm_milli - 1000) * (pod.warm_until_ns - now) // station.warm_time
            work_ns = max(1, work_ns * (1000 + slower) // 1000)
        return work_ns

    def _go_on(self, request: Request, pod: Pod, callee: Station, lineage: int) -> Steps[Status]:
        """The pod's call to the next service, over a connection of its pool if it has one."""
        env, station = self.env, pod.station
        issued_ns, seq = env.now, next(self._seq)
        pool = pod.pool
        if pool is None:
            status = yield from self._deliver(request, callee, station.edge, lineage, seq)
        elif not pool.free and len(pool.queue) >= station.pool_queue:
            status = Status.POOL_FULL
        else:
            turn = pool.take()
            if turn is None or (yield from pool.wait(turn, station.pool_patience_ns)):
                status = yield from self._deliver(request, callee, station.edge, lineage, seq)
                pool.give()
            else:
                status = Status.POOL_TIMEOUT
        self.facts.tallies[callee.number].caller.append(env.now - issued_ns)
        return Status.OK if status == Status.OK else Status.CALLEE_FAILED

    def _deliver(self, request: Request, callee: Station, edge: int, lineage: int, seq: int) -> Steps[Status]:
        listed = callee.listed
        if not listed:
            return Status.NO_ENDPOINT
        u = self._draws.pick(request.kind, edge, lineage, request.index)
        return (yield from self._serve(request, listed[int(u * len(listed))], lineage, seq))

    def _commit(self, request: Request, database: Database) -> Status:
        if not request.writes:
            return Status.OK
        if not database.writable:
            return Status.READ_ONLY
        if not database.has(request.key):
            database.wal += 1
            database.position[request.key] = database.wal
            self.facts.rows.append((request.key, database.number, database.wal, self.env.now))
        return Status.OK
