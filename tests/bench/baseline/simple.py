"""The simple system as a SimPy user would write it: a process for each order, a Resource for each replica."""

from collections.abc import Generator, Sequence
from typing import Any

import simpy

from sim.data.commands import Balancer, Command, Outcome, Status
from sim.data.system import I64, System
from tests.bench.baseline.common import ARRIVAL, COMMAND, OWN_WORK_DONE, PATIENCE, Facts, Wake, count_seconds
from tests.bench.baseline.draws import Draws, probe_times
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

    def at(self, u: float) -> Server:
        """The server that a number in (0, 1) stands for."""
        return self.listed[int(u * len(self.listed))]

    def least_connected(self, enters: bool) -> Server:
        """The server with the fewest outstanding calls."""
        return min(self.listed, key=lambda server: server.outstanding[enters])


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
            yield Wake(self.env, entry.at_ns - self.env.now, COMMAND)
            assert entry.command == Command.LIST
            for station in self._stations:
                if entry.a in station.servers:
                    station.in_endpoints[entry.a] = bool(entry.b)
                    station.list_servers()

    def _clients(self) -> Steps[None]:
        for index, at_ns in enumerate(self._arrivals.tolist()):
            yield Wake(self.env, at_ns - self.env.now, ARRIVAL)
            self.env.process(self._order(index))

    def _order(self, index: int) -> Steps[None]:
        env, clients = self.env, self.facts.tallies[-1]
        intended_ns = env.now
        clients.intended += 1
        clients.sent += 1
        clients.attempts += 1
        _, status = yield from self._chain(0, index, self._stations, key=index)
        if status == Status.OK:
            outcome = Outcome.OK
            clients.ok += 1
            clients.path.append(env.now - intended_ns)
        else:
            outcome = Outcome.FAILED
            clients.failed += 1
        self.facts.finished.append((index, intended_ns, env.now, outcome, status, 1))

    def _chain(self, kind: int, index: int, stations: Sequence[Station], key: int | None) -> Steps[tuple[int, Status]]:
        """From station to station; each caller hears at the end."""
        env, draws, tallies = self.env, self._draws, self.facts.tallies
        enters = stations[0].number > 0
        status = Status.OK
        called: list[tuple[int, int]] = []
        servers = []
        for hop, station in enumerate(stations):
            number = station.number
            called.append((number, env.now))
            if station.least_connections:
                server = station.least_connected(enters)
            else:
                server = station.at(draws.pick(kind, number if hop else 0, 0, index))
            servers.append(server.number)
            served = yield from self._serve(station, server, kind, index, enters)
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

    def _serve(self, station: Station, server: Server, kind: int, index: int, enters: bool) -> Steps[bool]:
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
                work_ns = self._draws.work(kind, station.number, 0, index)
                yield Wake(env, work_ns, OWN_WORK_DONE + server.number)
                tally.ok += 1
                tally.own.append(env.now - accepted_ns)
            else:
                tally.failed += 1
        server.outstanding[enters] -= 1
        return slot.triggered

    def _probers(self) -> Steps[None]:
        for at_ns, kind, index in probe_times(self._system, self._until_ns):
            yield Wake(self.env, at_ns - self.env.now, ARRIVAL + kind)
            self.env.process(self._probe(kind, index))

    def _probe(self, kind: int, index: int) -> Steps[None]:
        system = self._system
        intended_ns = self.env.now
        entry = int(system.probe_station[kind, 0])
        chain = self._stations[entry:] if system.probe_chain[kind] else self._stations[entry : entry + 1]
        writes = bool(system.class_writes[kind]) and chain[-1] is self._stations[-1]
        key = -1 - (kind << 40) - index if writes else None
        replica, status = yield from self._chain(kind, index, chain, key)
        row = (kind, index, intended_ns, self.env.now, entry, replica, status)
        self.facts.probes.append(row)
