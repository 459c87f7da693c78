"""The product's system on SimPy's event queue alone: callbacks instead of processes. To be run without gc."""

from collections.abc import Iterator, Sequence

from sim.data.commands import ReplicaState, Status
from tests.bench.baseline.common import ARRIVAL, BACK_OFF, PATIENCE, TIMEOUT, Wake
from tests.bench.baseline.draws import blocks, probe_times
from tests.bench.baseline.product import Product
from tests.bench.baseline.product_parts import Client, Pod, Request, Station


class Order:
    """A request of a client or prober: which attempt it is at."""

    __slots__ = ("attempt", "client", "intended", "picks", "request", "timed_out", "trial", "works")

    def __init__(self, request: Request, client: Client, intended: int) -> None:
        self.request = request
        self.client = client
        self.intended = intended
        self.attempt = 0
        self.timed_out = self.trial = False
        self.works: Sequence[int] = ()  # draws of the first attempt, by depth in the chain
        self.picks: Sequence[float] = ()


class Call:
    """A call on its way: issued, queued at a pod or for a connection, working, holding for a call of its own."""

    __slots__ = ("accepted", "caller", "depth", "heard", "issued", "lineage", "order", "owner", "pod", "seq", "station")
    __slots__ += ("waits",)

    def __init__(
        self, owner: "ProductCallbacks", order: Order, caller: "Call | None", station: Station, now: int
    ) -> None:
        self.owner = owner
        self.order = order
        self.caller = caller
        self.station = station
        self.issued = now
        self.lineage = order.attempt if caller is None else caller.lineage * 8
        self.depth = 0 if caller is None else caller.depth + 1
        self.heard = False  # the client knows its answer, or gave up
        self.waits = False

    def succeed(self) -> None:
        """The processor says that the call's own work is done."""
        self.owner.own_done(self)


class ProductCallbacks(Product):
    """The whole system; `play` returns what happened."""

    def _begin(self) -> None:
        self._orders = self._all_orders()
        self._probes = self._all_probes()
        self._next(self._orders)
        self._next(self._probes)

    def _all_orders(self) -> Iterator[Order]:
        draws, chain = self._draws, self._stations[self._system.entry_station[self._dns] :]
        chain = chain[: next(i for i, s in enumerate(chain) if s.callee is None) + 1]
        for first, size in blocks(len(self._arrivals)):
            works = zip(*(draws.works(s.number, first, size) for s in chain), strict=True)
            picks = zip(*(draws.picks(s.edge, first, size) for s in chain[:-1]), strict=True)
            clients, times = draws.clients(first, size), self._arrivals[first : first + size].tolist()
            for i in range(size):
                order = Order(Request(0, first + i, True, True), self._clients[clients[i]], times[i])
                order.works, order.picks = next(works), next(picks)
                yield order

    def _all_probes(self) -> Iterator[Order]:
        system, probers = self._system, self._prober_caches()
        for at_ns, kind, index in probe_times(system, self._until_ns):
            request = Request(kind, index, bool(system.probe_chain[kind]), bool(system.class_writes[kind]))
            yield Order(request, probers[kind], at_ns)

    def _next(self, source: Iterator[Order]) -> None:
        order = next(source, None)
        if order is not None:
            wake = Wake(self.env, order.intended - self.env.now, ARRIVAL + order.request.kind)
            wake.order = order
            wake.callbacks.append(self._arrives)

    def _arrives(self, wake: Wake) -> None:
        order = wake.order
        if order.request.kind > 0:
            self._next(self._probes)
            entry = self._system.probe_station[order.request.kind, self._region(order.client)]
            self._issue(order, self._stations[entry], int(self._system.probe_timeout[order.request.kind]))
            return
        self._next(self._orders)
        edge, client = self.facts.tallies[-1], order.client
        edge.intended += 1
        edge.sent += 1
        client.tokens = min(self._saved, client.tokens + self._earned)
        self._attempts(order)

    def _attempts(self, order: Order) -> None:
        """An order's first or next attempt."""
        client, now = order.client, self.env.now
        self.facts.tallies[-1].attempts += 1
        station = self._stations[self._system.entry_station[self._region(client)]]
        order.trial = client.open_until_ns is not None
        if order.trial and (client.trial or now < client.open_until_ns):
            self._ended(order.request, order.intended, Status.BREAKER, order.attempt + 1, order.timed_out)
            return
        client.trial = order.trial
        self._issue(order, station, self._timeout_ns)

    def _issue(self, order: Order, station: Station, timeout_ns: int) -> None:
        """A client's or prober's call."""
        call = Call(self, order, None, station, self.env.now)
        call.seq = next(self._seq)
        if not station.listed:
            self._hears(call, Status.NO_ENDPOINT, -1)
            return
        call.pod = pod = min(station.listed, key=lambda pod: pod.outstanding)
        pod.outstanding += 1
        timeout = Wake(self.env, timeout_ns, TIMEOUT)
        timeout.call = call
        timeout.callbacks.append(self._timed_out)
        self._deliver(call, pod)

    def _timed_out(self, timeout: Wake) -> None:
        call = timeout.call
        if not call.heard:
            call.pod.outstanding -= 1
            self._hears(call, Status.TIMEOUT, -1)

    def _hears(self, call: Call, status: Status, pod: int) -> None:
        """The client or prober knows how its call ended."""
        call.heard = True
        order, now = call.order, self.env.now
        request = order.request
        self.facts.tallies[call.station.number].caller.append(now - call.issued)
        if request.kind > 0:
            row = (request.kind, request.index, order.intended, now, call.station.number, pod, status)
            self.facts.probes.append(row)
            return
        client = order.client
        order.timed_out |= status == Status.TIMEOUT
        self._record(client, order.trial, status == Status.OK)
        if status == Status.OK or order.attempt == self._retries or client.tokens < 1000:
            self._ended(request, order.intended, status, order.attempt + 1, order.timed_out)
            return
        client.tokens -= 1000
        jitter = self._draws.back_off(0, order.attempt + 1, request.index)
        wake = Wake(self.env, int(jitter * (self._back_off_ns << order.attempt)), BACK_OFF)
        order.attempt += 1
        wake.callbacks.append(lambda _: self._attempts(order))

    # --- pods

    def _deliver(self, call: Call, pod: Pod) -> None:
        call.pod = pod
        station = pod.station
        tally = self.facts.tallies[station.number]
        tally.attempts += 1
        if pod.state != ReplicaState.SERVING:
            if pod.state == ReplicaState.REFUSING:
                self._over(call, Status.REFUSED)
            return
        slots = pod.slots
        if not slots.free and len(slots.queue) >= station.capacity:
            tally.failed += 1
            self._over(call, Status.QUEUE_FULL)
            return
        call.accepted = self.env.now
        tally.sent += 1
        if slots.free:
            slots.free -= 1
            self._start(call)
            return
        slots.queue.append(call)
        self._waits(call, station.patience_ns, self._patience_ends)

    def _waits(self, call: Call, patience_ns: int, ends: object) -> None:
        call.waits = True
        wake = Wake(self.env, patience_ns, PATIENCE)
        wake.call, wake.since = call, self.env.now
        wake.callbacks.append(ends)

    def _start(self, call: Call) -> None:
        call.waits = False
        first = call.lineage == 0 and call.order.works
        drawn_ns = call.order.works[call.depth] if first else None
        call.pod.processor.add(self._work_ns(call.order.request, call.pod, call.lineage, drawn_ns), call.seq, call)

    def _patience_ends(self, wake: Wake) -> None:
        call = wake.call
        if call.waits and wake.since == call.accepted:
            call.waits = False
            call.pod.slots.queue.remove(call)
            self.facts.tallies[call.station.number].failed += 1
            self._over(call, Status.QUEUE_TIMEOUT)

    def own_done(self, call: Call) -> None:
        """A call's own work is done: it goes on, or commits and answers."""
        station, request = call.pod.station, call.order.request
        self.facts.tallies[station.number].own.append(self.env.now - call.accepted)
        if station.callee is not None and request.chain:
            self._go_on(call, station)
        elif station.database >= 0:
            self._answer(call, self._commit(request, self._databases[station.database]))
        else:
            self._answer(call, Status.OK)

    def _go_on(self, caller: Call, station: Station) -> None:
        call = Call(self, caller.order, caller, station.callee, self.env.now)
        call.seq = next(self._seq)
        pool = caller.pod.pool
        if pool is None or pool.free:
            if pool is not None:
                pool.free -= 1
            self._connected(call)
        elif len(pool.queue) >= station.pool_queue:
            self._result(call, Status.POOL_FULL)
        else:
            pool.queue.append(call)
            self._waits(call, station.pool_patience_ns, self._pool_patience_ends)

    def _pool_patience_ends(self, wake: Wake) -> None:
        call = wake.call
        if call.waits and wake.since == call.issued:
            call.waits = False
            call.caller.pod.pool.queue.remove(call)
            self._result(call, Status.POOL_TIMEOUT)

    def _connected(self, call: Call) -> None:
        call.waits = False
        listed = call.station.listed
        if not listed:
            self._over(call, Status.NO_ENDPOINT)
            return
        order, request = call.order, call.order.request
        if call.lineage == 0 and order.picks:
            u = order.picks[call.depth - 1]
        else:
            u = self._draws.pick(request.kind, call.caller.pod.station.edge, call.lineage, request.index)
        self._deliver(call, listed[int(u * len(listed))])

    def _answer(self, call: Call, status: Status) -> None:
        tally = self.facts.tallies[call.station.number]
        if status == Status.OK:
            tally.ok += 1
        else:
            tally.failed += 1
        slots = call.pod.slots
        if slots.queue:
            self._start(slots.queue.popleft())
        else:
            slots.free += 1
        self._over(call, status)

    def _over(self, call: Call, status: Status) -> None:
        """The result of a call that was delivered: its connection is free."""
        if call.caller is not None and (pool := call.caller.pod.pool) is not None:
            if pool.queue:
                self._connected(pool.queue.popleft())
            else:
                pool.free += 1
        self._result(call, status)

    def _result(self, call: Call, status: Status) -> None:
        """The caller hears."""
        if call.caller is not None:
            self.facts.tallies[call.station.number].caller.append(self.env.now - call.issued)
            self._answer(call.caller, Status.OK if status == Status.OK else Status.CALLEE_FAILED)
        elif not call.heard:
            call.pod.outstanding -= 1
            self._hears(call, status, call.pod.number)

    def _lose(self, pod: Pod) -> None:
        pool = pod.pool.queue if pod.pool is not None else ()
        for call in (*pod.slots.queue, *pool):
            call.waits = False
        if pod.processor.next is not None:
            pod.processor.next.callbacks = []
        pod.fresh()
