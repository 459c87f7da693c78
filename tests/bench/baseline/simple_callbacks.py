"""The simple system on SimPy's event queue alone: callbacks instead of processes, own queues instead of Resources."""

from collections import deque
from collections.abc import Iterator, Sequence

import simpy

from sim.data.commands import Balancer, Command, Outcome, Status
from sim.data.system import I64, System
from tests.bench.baseline.common import ARRIVAL, COMMAND, OWN_WORK_DONE, PATIENCE, Facts, Wake, count_seconds
from tests.bench.baseline.draws import Draws, blocks, probe_times
from tests.bench.script import Timed


class Order:
    """An order or a probe on its way along the chain."""

    __slots__ = ("accepted", "enters", "first", "hop", "index", "intended", "issued", "key", "kind", "picks", "queued")
    __slots__ += ("server", "stations", "work")

    def __init__(self, kind: int, index: int, intended: int, work: Sequence[int], picks: Sequence[float]) -> None:
        self.kind = kind
        self.index = index
        self.intended = intended
        self.work = work
        self.picks = picks
        self.hop = 0
        self.issued: list[int] = []
        self.queued = False
        self.enters = False
        self.key: int | None = index


class Server:
    """A replica: slots, and a FIFO queue."""

    __slots__ = ("free", "number", "outstanding", "queue", "station")

    def __init__(self, station: "Station", number: int, slots: int) -> None:
        self.station = station
        self.number = number
        self.free = slots
        self.queue: deque[Order] = deque()
        self.outstanding = [0, 0]


class Station:
    """A service: its servers, those that are listed, and its constants."""

    def __init__(self, system: System, number: int) -> None:
        self.number = number
        self.patience_ns = int(system.queue_patience[number])
        slots = int(system.slots[number])
        self.servers = {r: Server(self, r, slots) for r, s in enumerate(system.replica_station) if s == number}
        self.in_endpoints = {r: bool(system.initial_listed[r]) for r in self.servers}
        self.least_connections = system.edge_balancer[number] == Balancer.LEAST_CONNECTIONS
        self.list_servers()

    def list_servers(self) -> None:
        """Bring the list of servers up to date."""
        self.listed = [server for r, server in self.servers.items() if self.in_endpoints[r]]


class SimpleCallbacks:
    """The whole system; `play` returns what happened. To be run with the garbage collector off."""

    def __init__(self, system: System, arrivals: I64, script: Sequence[Timed], until_ns: int) -> None:
        self.env = simpy.Environment()
        self.facts = Facts(len(system.station_names))
        self._system = system
        self._draws = Draws(system)
        self._stations = [Station(system, s) for s in range(len(system.station_names))]
        self._arrivals, self._script, self._until_ns = arrivals, script, until_ns
        self._wal = 0

    def play(self) -> Facts:
        """Run to the horizon."""
        self._orders = self._all_orders()
        self._probes = self._all_probes()
        for entry in self._script:
            wake = Wake(self.env, entry.at_ns, COMMAND)
            wake.callbacks.append(lambda _, entry=entry: self._command(entry))
        self._plan(self._orders, 0)
        self._plan(self._probes, 1)
        self.env.process(count_seconds(self.env, self.facts, self._until_ns))
        self.env.run(until=self._until_ns)
        self.facts.end_second(self._until_ns // 1_000_000_000)
        return self.facts

    def _command(self, entry: Timed) -> None:
        assert entry.command == Command.LIST
        for station in self._stations:
            if entry.a in station.servers:
                station.in_endpoints[entry.a] = bool(entry.b)
                station.list_servers()

    def _all_orders(self) -> Iterator[Order]:
        draws, stations = self._draws, self._stations
        for first, count in blocks(len(self._arrivals)):
            works = zip(*(draws.works(s.number, first, count) for s in stations), strict=True)
            picks = zip(*(draws.picks(s.number, first, count) for s in stations), strict=True)
            times = self._arrivals[first : first + count].tolist()
            for index, (at_ns, work, u) in enumerate(zip(times, works, picks, strict=True), first):
                order = Order(0, index, at_ns, work, u)
                order.stations = stations
                yield order

    def _all_probes(self) -> Iterator[Order]:
        system, draws = self._system, self._draws
        for at_ns, kind, index in probe_times(system, self._until_ns):
            entry = int(system.probe_station[kind, 0])
            chain = self._stations[entry:] if system.probe_chain[kind] else self._stations[entry : entry + 1]
            work = [draws.work(kind, station.number, 0, index) for station in chain]
            u = [draws.pick(kind, station.number if hop else 0, 0, index) for hop, station in enumerate(chain)]
            probe = Order(kind, index, at_ns, work, u)
            probe.stations = chain
            probe.enters = entry > 0
            writes = bool(system.class_writes[kind]) and chain[-1] is self._stations[-1]
            probe.key = -1 - (kind << 40) - index if writes else None
            yield probe

    def _plan(self, source: Iterator[Order], kind: int) -> None:
        order = next(source, None)
        if order is not None:
            wake = Wake(self.env, order.intended - self.env._now, ARRIVAL + order.kind)
            wake.order = order
            wake.callbacks.append(self._arrives)

    def _arrives(self, wake: Wake) -> None:
        order = wake.order
        if order.kind == 0:
            clients = self.facts.tallies[-1]
            clients.intended += 1
            clients.sent += 1
            clients.attempts += 1
            self._plan(self._orders, 0)
        else:
            self._plan(self._probes, 1)
        self._call(order)

    def _call(self, order: Order) -> None:
        env = self.env
        station = order.stations[order.hop]
        listed = station.listed
        if station.least_connections:
            enters = order.enters
            server = min(listed, key=lambda server: server.outstanding[enters])
        else:
            server = listed[int(order.picks[order.hop] * len(listed))]
        if order.hop == 0:
            order.first = server.number
        order.server = server
        now = env._now
        order.accepted = now
        order.issued.append(now)
        tally = self.facts.tallies[station.number]
        tally.attempts += 1
        tally.sent += 1
        server.outstanding[order.enters] += 1
        if server.free:
            server.free -= 1
            self._start(order)
            return
        server.queue.append(order)
        order.queued = True
        if station.patience_ns:
            wake = Wake(env, station.patience_ns, PATIENCE)
            wake.order = (order, server)
            wake.callbacks.append(self._patience_ends)

    def _start(self, order: Order) -> None:
        wake = Wake(self.env, order.work[order.hop], OWN_WORK_DONE + order.server.number)
        wake.order = order
        wake.callbacks.append(self._work_done)

    def _work_done(self, wake: Wake) -> None:
        order = wake.order
        server = order.server
        station = server.station
        tally = self.facts.tallies[station.number]
        tally.ok += 1
        tally.own.append(self.env._now - order.accepted)
        server.outstanding[order.enters] -= 1
        order.hop += 1
        if order.hop < len(order.stations):
            self._call(order)
        else:
            if order.key is not None:
                self._wal += 1
                self.facts.rows.append((order.key, 0, self._wal, self.env._now))
            self._ends(order, Status.OK)
        if server.queue:
            head = server.queue.popleft()
            head.queued = False
            self._start(head)
        else:
            server.free += 1

    def _patience_ends(self, wake: Wake) -> None:
        order, server = wake.order
        if order.queued and order.server is server:
            server.queue.remove(order)
            order.queued = False
            server.outstanding[order.enters] -= 1
            self.facts.tallies[server.station.number].failed += 1
            self._ends(order, Status.QUEUE_TIMEOUT)

    def _ends(self, order: Order, status: Status) -> None:
        facts, now = self.facts, self.env._now
        for station, issued in zip(order.stations, order.issued, strict=False):
            facts.tallies[station.number].caller.append(now - issued)
        if order.kind > 0:
            entry = order.stations[0].number
            row = (order.kind, order.index, order.intended, now, entry, order.first, int(status))
            facts.probes.append(row)
            return
        clients = facts.tallies[-1]
        if status == Status.OK:
            clients.ok += 1
            clients.path.append(now - order.intended)
            facts.finished.append((order.index, order.intended, now, Outcome.OK, status, 1))
        else:
            clients.failed += 1
            facts.finished.append((order.index, order.intended, now, Outcome.FAILED, status, 1))
