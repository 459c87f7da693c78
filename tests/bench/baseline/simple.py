"""The simple system as a SimPy user would write it: a process for each order, a Resource for each replica."""

from collections.abc import Generator, Sequence
from typing import Any

import simpy

from sim.data.commands import Balancer, Command, Outcome, Status
from sim.data.system import I64, System
from tests.bench.baseline.common import ARRIVAL, COMMAND, OWN_WORK_DONE, PATIENCE, Facts, Wake, count_seconds
from tests.bench.baseline.draws import Draws, blocks, probe_times
from tests.bench.script import Timed

type Steps[T] = Generator[simpy.Event, Any, T]


class Server(simpy.Resource):
    """A replica: its slots are the resource's capacity."""

    def __init__(self, env: simpy.Environment, number: int, slots: int) -> None:
        super().__init__(env, slots)
        self.number = number
        self.outstanding = [0, 0]  # calls along the chain, and of probes that enter here


class Station:
    """A service: its servers, those that are listed, and how one is picked.

    The edge that leads here along the chain has the station's own number.
    """

    def __init__(self, env: simpy.Environment, system: System, number: int) -> None:
        self.number = number
        self.patience_ns = int(system.queue_patience[number])
        mine = [r for r, s in enumerate(system.replica_station) if s == number]
        self.servers = {r: Server(env, r, int(system.slots[number])) for r in mine}
        self.in_endpoints = {r: bool(system.initial_listed[r]) for r in mine}
        self.least_connections = system.edge_balancer[number] == Balancer.LEAST_CONNECTIONS
        self.list_servers()

    def list_servers(self) -> None:
        """Bring the list of servers up to date."""
        self.listed = [server for r, server in self.servers.items() if self.in_endpoints[r]]

    def pick(self, u: float, enters: bool) -> Server:
        """The balancer's choice."""
        if self.least_connections:
            return min(self.listed, key=lambda server: server.outstanding[enters])
        return self.listed[int(u * len(self.listed))]


class Simple:
    """The whole system; `play` returns what happened."""

    def __init__(self, system: System, arrivals: I64, script: Sequence[Timed], until_ns: int) -> None:
        self.env = simpy.Environment()
        self.facts = Facts(len(system.station_names))
        self._system = system
        self._draws = Draws(system)
        self._stations = [Station(self.env, system, s) for s in range(len(system.station_names))]
        self._arrivals, self._script, self._until_ns = arrivals, script, until_ns
        self._wal = 0

    def play(self) -> Facts:
        """Run to the horizon."""
        self.env.process(self._operator())
        self.env.process(self._clients())
        self.env.process(self._probers())
        self.env.process(count_seconds(self.env, self.facts, self._until_ns))
        self.env.run(until=self._until_ns)
        self.facts.end_second(self._until_ns // 1_000_000_000)
        return self.facts

    def _operator(self) -> Steps[None]:
        for entry in self._script:
            yield Wake(self.env, entry.at_ns - int(self.env.now), COMMAND)
            assert entry.command == Command.LIST
            for station in self._stations:
                if entry.a in station.servers:
                    station.in_endpoints[entry.a] = bool(entry.b)
                    station.list_servers()

    def _clients(self) -> Steps[None]:
        env, draws = self.env, self._draws
        for first, count in blocks(len(self._arrivals)):
            works = zip(*(draws.works(s.number, first, count) for s in self._stations), strict=True)
            picks = zip(*(draws.picks(s.number, first, count) for s in self._stations), strict=True)
            times = self._arrivals[first : first + count].tolist()
            for index, (at_ns, work_ns, u) in enumerate(zip(times, works, picks, strict=True), first):
                yield Wake(env, at_ns - env.now, ARRIVAL)
                env.process(self._order(index, work_ns, u))

    def _order(self, index: int, work_ns: Sequence[int], u: Sequence[float]) -> Steps[None]:
        env, clients = self.env, self.facts.tallies[-1]
        intended_ns = env.now
        clients.intended += 1
        clients.sent += 1
        clients.attempts += 1
        _, status = yield from self._chain(self._stations, work_ns, u, index, enters=False)
        if status == Status.OK:
            outcome = Outcome.OK
            clients.ok += 1
            clients.path.append(env.now - intended_ns)
        else:
            outcome = Outcome.FAILED
            clients.failed += 1
        self.facts.finished.append((index, intended_ns, env.now, outcome, status, 1))

    def _chain(
        self, stations: Sequence[Station], work_ns: Sequence[int], u: Sequence[float], key: int | None, enters: bool
    ) -> Steps[tuple[int, Status]]:
        """From station to station; each caller hears at the end."""
        env, tallies = self.env, self.facts.tallies
        status = Status.OK
        called: list[tuple[int, int]] = []
        servers = []
        for hop, station in enumerate(stations):
            number = station.number
            called.append((number, env.now))
            server = station.pick(u[hop], enters)
            servers.append(server.number)
            served = yield from self._serve(station, server, work_ns[hop], enters)
            if not served:
                status = Status.QUEUE_TIMEOUT
                break
        else:
            if key is not None:
                self._wal += 1
                self.facts.rows.append((key, 0, self._wal, env.now))
        for number, issued_ns in called:
            tallies[number].caller.append(env.now - issued_ns)
        return servers[0], status

    def _serve(self, station: Station, server: Server, work_ns: int, enters: bool) -> Steps[bool]:
        """Wait for a slot, then work; False when patience ended first."""
        env, tally = self.env, self.facts.tallies[station.number]
        accepted_ns = env.now
        tally.attempts += 1
        tally.sent += 1
        server.outstanding[enters] += 1
        with server.request() as slot:
            if not slot.triggered:
                yield slot | Wake(env, station.patience_ns, PATIENCE) if station.patience_ns else slot
            if slot.triggered:
                yield Wake(env, work_ns, OWN_WORK_DONE + server.number)
                tally.ok += 1
                tally.own.append(env.now - accepted_ns)
            else:
                tally.failed += 1
        server.outstanding[enters] -= 1
        return slot.triggered

    def _probers(self) -> Steps[None]:
        for at_ns, kind, index in probe_times(self._system, self._until_ns):
            yield Wake(self.env, at_ns - int(self.env.now), ARRIVAL + kind)
            self.env.process(self._probe(kind, index))

    def _probe(self, kind: int, index: int) -> Steps[None]:
        system, draws = self._system, self._draws
        intended_ns = int(self.env.now)
        entry = int(system.probe_station[kind, 0])
        chain = self._stations[entry:] if system.probe_chain[kind] else self._stations[entry : entry + 1]
        work_ns = [draws.work(kind, station.number, 0, index) for station in chain]
        u = [draws.pick(kind, station.number if hop else 0, 0, index) for hop, station in enumerate(chain)]
        writes = bool(system.class_writes[kind]) and chain[-1] is self._stations[-1]
        key = -1 - (kind << 40) - index if writes else None
        replica, status = yield from self._chain(chain, work_ns, u, key, enters=entry > 0)
        row = (kind, index, intended_ns, int(self.env.now), chain[0].number, replica, int(status))
        self.facts.probes.append(row)
