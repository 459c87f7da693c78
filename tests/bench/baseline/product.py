"""The product's system as a SimPy user would write it: a process for each request and for each of its attempts.

Of the data plane's page it has what the default topology uses; regions are lost whole, silently.
"""

from collections.abc import Sequence
from itertools import count

import simpy

from sim.data.commands import Command, Outcome, ReplicaState, Status
from sim.data.system import I64, System
from tests.bench.baseline.common import ARRIVAL, BACK_OFF, COMMAND, TIMEOUT, Facts, Wake, count_seconds
from tests.bench.baseline.draws import Draws, probe_times
from tests.bench.baseline.product_parts import Client, Database, Pod, Request, Station, Steps
from tests.bench.script import Timed


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
        probes = zip(self._system.probe_region.tolist(), self._system.probe_expiry.tolist(), strict=True)
        return [Client(region_of.get(r, r), expiry if r == -1 else float("inf"), 0, 1) for r, expiry in probes]

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
