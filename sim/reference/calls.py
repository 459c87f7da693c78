"""The caller's side of the data plane's page, section 3: issue, deliver, result, timeout, retry, budget, breaker."""

from collections import deque
from collections.abc import Callable
from itertools import count

from sim.data.commands import Balancer, Outcome, Status
from sim.reference.chances import Chances
from sim.reference.clockwork import Clockwork, Kind
from sim.reference.ledger import EDGE, Ledger, bin_of
from sim.reference.servers import Servers
from sim.reference.things import Breaker, Call, Edge, Job, Owner, Pool, Replica, Request, Station

NO_CALLERS_LATENCY = (Status.BREAKER, Status.NO_ADDRESS, Status.STOPPED)


class Calls:
    """All calls. `target_of` gives a client's target station, -1 without an address; probes have no retries."""

    def __init__(
        self,
        env: Clockwork,
        stations: list[Station],
        edges: list[Edge],
        servers: Servers,
        chances: Chances,
        ledger: Ledger,
        probe_timeout: list[int],
        target_of: Callable[[Request], int],
    ) -> None:
        self._env = env
        self._stations = stations
        self._edges = edges
        self._servers = servers
        self._chances = chances
        self._ledger = ledger
        self._probe_timeout = probe_timeout
        self._target_of = target_of
        self._seq = count()
        self.probe_ended: Callable[[int, bool], None] = lambda probe_class, good: None
        servers.go_on = self._go_on
        servers.result = self.result

    # Who calls ----------------------------------------------------------------------------------------------------

    def send(self, request: Request) -> None:
        """A client's attempt, the first or a later one."""
        attempt = request.attempts
        request.attempts += 1
        if request.kind == 0:
            tally = self._ledger.tally(self._env.now_ns, EDGE)
            tally.attempts += 1
            tally.sent += attempt == 0
        station = self._target_of(request)
        self._issue(self._new_call(self._edges[0], request.client, request, attempt, attempt, station))

    def _go_on(self, job: Job) -> None:
        edge = self._edges[self._stations[job.replica.station].edge]
        if edge.sync:
            self._call_for(job, 0)
            return
        self._servers.count_passed_on(job)
        self._servers.leave(job)
        over = job.call
        call = self._new_call(edge, job.replica, over.request, over.lineage * 8, 0, edge.target)
        call.carries = over
        self._no_longer_outstanding(over)
        self._issue(call)

    def _call_for(self, job: Job, attempt: int) -> None:
        """Issue a call over a sync edge on behalf of a job."""
        edge = self._edges[self._stations[job.replica.station].edge]
        lineage = job.call.lineage * 8 + attempt
        call = self._new_call(edge, job.replica, job.call.request, lineage, attempt, edge.target)
        call.job = job
        job.back_off = None
        job.inner_call = call
        self._issue(call)

    def _new_call(self, edge: Edge, owner: Owner, request: Request, lineage: int, attempt: int, station: int) -> Call:
        return Call(next(self._seq), edge, owner, request, lineage, attempt, self._env.now_ns, station)

    # Issue and deliver --------------------------------------------------------------------------------------------

    def _issue(self, call: Call) -> None:
        env, edge = self._env, call.edge
        self._ledger.features["sync call" if call.job else "async call" if call.carries else "client call"] += 1
        of_probe = _is_of_a_probe_itself(call)
        if edge.budget_milli >= 0 and call.attempt == 0 and not of_probe:
            full = edge.budget_burst * 1000
            call.owner.budgets[edge.number] = min(full, self._budget(call) + edge.budget_milli)
        if edge.breaker_window > 0 and not of_probe and not self._breaker_lets_through(call):
            env.add(self.result, call, Status.BREAKER)
            return
        if call.station < 0:
            env.add(self.result, call, Status.NO_ADDRESS)
            return
        timeout = self._probe_timeout[call.request.kind] if of_probe else edge.timeout
        if timeout > 0:
            call.timeout = env.plan(env.now_ns + timeout, Kind.TIMEOUT, (call.seq,), self._timed_out, call)
        if edge.pool_size > 0:
            self._take_connection(call)
        else:
            self._deliver(call)

    def _take_connection(self, call: Call) -> None:
        env, edge, pool = self._env, call.edge, self._pool(call.owner, call.edge)
        if pool.in_use < edge.pool_size:
            pool.in_use += 1
            call.has_connection = True
            self._deliver(call)
        elif len(pool.waiting) < edge.pool_queue:
            pool.waiting.append(call)
            self._ledger.features["pool wait"] += 1
            if edge.pool_patience > 0:
                deadline = env.now_ns + edge.pool_patience
                call.patience = env.plan(deadline, Kind.POOL_PATIENCE_ENDS, (call.seq,), self._pool_patience_ends, call)
        else:
            env.add(self.result, call, Status.POOL_FULL)

    def _pool_patience_ends(self, call: Call) -> None:
        self._pool(call.owner, call.edge).waiting.remove(call)
        self._env.add(self.result, call, Status.POOL_TIMEOUT)

    def pool_next(self, owner: Owner, edge: Edge) -> None:
        """POOL_NEXT: while a connection is free and a call waits, hand it over and deliver."""
        pool = self._pool(owner, edge)
        while pool.waiting and pool.in_use < edge.pool_size:
            call = pool.waiting.popleft()
            if call.patience is not None:
                call.patience.call_off()
            pool.in_use += 1
            call.has_connection = True
            self._deliver(call)

    def _pool(self, owner: Owner, edge: Edge) -> Pool:
        return owner.pools.setdefault(edge.number, Pool())

    def _deliver(self, call: Call) -> None:
        edge = call.edge
        if edge.number != 0:
            call.station = edge.target
        if edge.cut:
            self._ledger.features["cut"] += 1
            return
        listed = [replica for replica in self._stations[call.station].replicas if replica.listed]
        if not listed:
            self._env.add(self.result, call, Status.NO_ENDPOINT)
            return
        call.replica = self._pick(call, listed)
        call.outstanding = True
        edge.outstanding[call.replica.number] = edge.outstanding.get(call.replica.number, 0) + 1
        self._servers.deliver(call, call.replica)

    def _pick(self, call: Call, listed: list[Replica]) -> Replica:
        edge, m = call.edge, len(listed)
        self._ledger.features[f"picked {edge.balancer.name}"] += m > 1
        if edge.balancer == Balancer.RANDOM:
            return listed[self._chances.pick(call, 0, m)]
        if edge.balancer == Balancer.ROUND_ROBIN:
            number = edge.round_robin.get(call.station, 0)
            edge.round_robin[call.station] = number + 1
            return listed[number % m]
        if edge.balancer == Balancer.LEAST_CONNECTIONS:
            return min(listed, key=lambda replica: edge.outstanding.get(replica.number, 0))
        first, second = (listed[self._chances.pick(call, which, m)] for which in (0, 1))
        fewer = edge.outstanding.get(second.number, 0) < edge.outstanding.get(first.number, 0)
        return second if fewer else first

    # How a call ends ----------------------------------------------------------------------------------------------

    def result(self, call: Call, status: Status) -> None:
        """RESULT: the caller hears how its call ended, unless it was detached."""
        if call.detached:
            self._ledger.features["result nobody hears"] += 1
            return
        self._end(call, status)
        if call.carries is not None:
            self._env.add(self.result, call.carries, status)
        elif status != Status.OK:
            self._failed(call, status)
        elif call.job is not None:
            call.job.inner_call = None
            self._servers.answer(call.job, Status.OK)
        else:
            self._finish(call, status)

    def _timed_out(self, call: Call) -> None:
        if _is_of_a_client(call):
            call.request.timed_out = True
        if call.patience is not None:
            call.patience.call_off()
        pool = call.owner.pools.get(call.edge.number)
        if pool is not None and call in pool.waiting:
            pool.waiting.remove(call)
        self._end(call, Status.TIMEOUT)
        self._failed(call, Status.TIMEOUT)

    def _end(self, call: Call, status: Status) -> None:
        """What a result and a timeout have in common: nothing that happens later to the call is heard."""
        env, edge = self._env, call.edge
        if call.timeout is not None:
            call.timeout.call_off()
        call.detached = True
        self._ledger.features[f"call ended {status.name}"] += 1
        self._no_longer_outstanding(call)
        if call.has_connection:
            call.has_connection = False
            self._pool(call.owner, edge).in_use -= 1
            env.add(self.pool_next, call.owner, edge)
        if edge.breaker_window > 0 and status != Status.BREAKER and not _is_of_a_probe_itself(call):
            self._breaker_records(call, status == Status.OK)
        if status not in NO_CALLERS_LATENCY:
            self._ledger.tally(env.now_ns, call.station).caller[bin_of(env.now_ns - call.issued_ns)] += 1

    def _no_longer_outstanding(self, call: Call) -> None:
        if call.outstanding:
            assert call.replica is not None
            call.outstanding = False
            call.edge.outstanding[call.replica.number] -= 1

    def detach(self, call: Call) -> None:
        """The caller is lost: whatever becomes of the call, nobody hears of it."""
        for occurrence in (call.timeout, call.patience):
            if occurrence is not None:
                occurrence.call_off()
        call.detached = True
        call.has_connection = False
        self._no_longer_outstanding(call)

    def _failed(self, call: Call, status: Status) -> None:
        env, edge, so_far = self._env, call.edge, call.attempt + 1
        allowed = 1 if _is_of_a_probe_itself(call) else 1 + edge.max_retries
        if so_far < allowed and status != Status.BREAKER and self._budget_allows(call):
            lineage = so_far if call.job is None else call.job.call.lineage * 8 + so_far
            self._ledger.features["retry"] += 1
            wait_ns = self._chances.back_off_ns(call, lineage, edge.backoff_base << (so_far - 1))
            back_off = env.plan(env.now_ns + wait_ns, Kind.BACK_OFF_ENDS, (call.seq,), self._retry, call)
            if call.job is not None:
                call.job.inner_call = None
                call.job.back_off = back_off
        elif call.job is not None:
            call.job.inner_call = None
            self._servers.answer(call.job, Status.CALLEE_FAILED)
        else:
            self._finish(call, status)

    def _retry(self, failed: Call) -> None:
        if failed.job is not None:
            self._call_for(failed.job, failed.attempt + 1)
        else:
            self.send(failed.request)

    def _finish(self, call: Call, status: Status) -> None:
        """The client's request is over."""
        request = call.request
        if request.kind > 0:
            pod = call.replica.number if call.replica is not None and status != Status.TIMEOUT else -1
            now, station = self._env.now_ns, call.station
            row = (request.kind, request.index, request.intended_ns, now, station, pod, int(status))
            self._ledger.probes.append(row)
            self.probe_ended(request.kind, status == Status.OK)
        elif status == Status.OK:
            self.end_request(request, Outcome.OK, status)
        else:
            self.end_request(request, Outcome.UNKNOWN if request.timed_out else Outcome.FAILED, status)

    def end_request(self, request: Request, outcome: Outcome, status: Status) -> None:
        """Write down the end of a class-0 request."""
        now = self._env.now_ns
        row = (request.index, request.intended_ns, now, int(outcome), int(status), request.attempts)
        self._ledger.finished.append(row)
        tally = self._ledger.tally(now, EDGE)
        if outcome == Outcome.FAILED:
            tally.failed += 1
            return
        tally.path[bin_of(now - request.intended_ns)] += 1
        if outcome == Outcome.OK:
            tally.ok += 1
        else:
            tally.unknown += 1

    # Budgets and breakers -----------------------------------------------------------------------------------------

    def _budget(self, call: Call) -> int:
        return call.owner.budgets.get(call.edge.number, call.edge.budget_burst * 1000)

    def _budget_allows(self, call: Call) -> bool:
        """Take a retry's 1000 if they are there."""
        if call.edge.budget_milli < 0:
            return True
        tokens = self._budget(call)
        if tokens < 1000:
            self._ledger.features["budget refused"] += 1
            return False
        call.owner.budgets[call.edge.number] = tokens - 1000
        return True

    def _breaker(self, call: Call) -> Breaker:
        edge = call.edge
        return call.owner.breakers.setdefault(edge.number, Breaker(deque(maxlen=edge.breaker_window)))

    def _breaker_lets_through(self, call: Call) -> bool:
        breaker = self._breaker(call)
        if breaker.half_open:
            return False
        if breaker.open_until_ns is None:
            return True
        if self._env.now_ns < breaker.open_until_ns:
            return False
        breaker.half_open = call.is_trial = True
        self._ledger.features["breaker trial"] += 1
        return True

    def _breaker_records(self, call: Call, good: bool) -> None:
        edge, breaker = call.edge, self._breaker(call)
        if call.is_trial:
            breaker.half_open = False
            breaker.open_until_ns = None if good else self._env.now_ns + edge.breaker_open
        elif breaker.open_until_ns is None:
            breaker.results.append(good)
            failures = breaker.results.count(False)
            full = len(breaker.results) == edge.breaker_window
            if full and failures * 1000 >= edge.breaker_threshold_milli * edge.breaker_window:
                breaker.open_until_ns = self._env.now_ns + edge.breaker_open
                breaker.results.clear()
                self._ledger.features["breaker opened"] += 1


def _is_of_a_client(call: Call) -> bool:
    return call.edge.number == 0


def _is_of_a_probe_itself(call: Call) -> bool:
    return call.edge.number == 0 and call.request.kind > 0
