"""The data plane as a plain SimPy model: slow, readable, written from docs/explanation/data-plane.md alone.

It answers to the same contract as the compiled kernel (`sim.data.plane.DataPlane`), so that either can stand
behind the control plane, and the two can be compared bit for bit (`sim.reference.check`).
"""

from collections import Counter
from collections.abc import Callable

import numpy as np

from sim.data.commands import Command, Outcome, ReplicaState, Status
from sim.data.plane import I64, Chunk, Counters, Stop
from sim.data.system import System
from sim.reference.calls import Calls
from sim.reference.chances import Chances
from sim.reference.clockwork import Clockwork, Kind
from sim.reference.databases import Databases
from sim.reference.ledger import EDGE, Ledger
from sim.reference.servers import Servers
from sim.reference.things import Client, Replica, Request, make_edges, make_stations
from sim.reference.watches import Watches


class ReferencePlane:
    """One run's data plane. Times in nanoseconds; the clock starts at 0."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._env = Clockwork()
        self._stations = make_stations(system)
        self._edges = make_edges(system)
        self._replicas = [replica for station in self._stations for replica in station.replicas]
        self._chances = Chances(system)
        self._ledger = Ledger(len(self._stations))
        self._databases = Databases(system, self._ledger)
        stays = [kind > 0 and not bool(goes_on) for kind, goes_on in enumerate(system.probe_chain)]
        self._servers = Servers(self._env, self._stations, self._databases, self._chances, self._ledger, stays)
        self._calls = Calls(
            self._env,
            self._stations,
            self._edges,
            self._servers,
            self._chances,
            self._ledger,
            [int(timeout) for timeout in system.probe_timeout],
            self._target_of,
        )
        self._watches = Watches()
        self._calls.probe_ended = self._watches.saw
        self._dns = int(system.initial_dns)
        self._dns_ttl = int(system.dns_ttl)
        self._trading = True
        self._sending = True
        self._clients = [self._client(c) for c in range(int(system.clients))]
        self._probers = {kind: self._prober(kind) for kind in range(1, len(system.class_names))}
        self._arrivals: list[int] = []
        self._arrived = 0
        self._arrival_planned = False
        for kind in self._probers:
            self._plan_probe(kind, 0)
        self._commands = self._command_table()

    # Requests -----------------------------------------------------------------------------------------------------

    def _client(self, number: int) -> Client:
        ignores = bool(self._system.client_ignores_ttl[number])
        return Client(obeys_ttl=not ignores, cached_region=self._dns, expiry_ns=self._chances.first_expiry_ns(number))

    def _prober(self, kind: int) -> Client:
        region = int(self._system.probe_region[kind])
        if region >= 0:
            return Client(obeys_ttl=False, cached_region=region)
        expiry_ns = int(self._system.probe_expiry[kind])
        return Client(obeys_ttl=region == -1, cached_region=self._dns, expiry_ns=expiry_ns)

    def _target_of(self, request: Request) -> int:
        """DNS at every attempt, then the station behind the answer."""
        client, now = request.client, self._env.now_ns
        if client.obeys_ttl and now >= client.expiry_ns:
            client.cached_region = self._dns
            client.expiry_ns = now + self._dns_ttl
        region = client.cached_region
        if region < 0:
            return -1
        if request.kind == 0:
            return int(self._system.entry_station[region])
        return int(self._system.probe_station[request.kind, region])

    def _plan_probe(self, kind: int, index: int) -> None:
        at_ns = int(self._system.probe_phase[kind]) + index * int(self._system.probe_spacing[kind])
        if at_ns < int(self._system.probe_end[kind]):
            self._env.plan(at_ns, Kind.ARRIVAL, (kind, index), self._probe_arrives, kind, index)

    def _probe_arrives(self, kind: int, index: int) -> None:
        self._plan_probe(kind, index + 1)
        self._calls.send(Request(kind, index, self._env.now_ns, self._probers[kind]))

    def _plan_arrival(self) -> None:
        self._arrival_planned = self._arrived < len(self._arrivals)
        if self._arrival_planned:
            at_ns = self._arrivals[self._arrived]
            self._env.plan(at_ns, Kind.ARRIVAL, (0, self._arrived), self._request_arrives)

    def _request_arrives(self) -> None:
        index, now = self._arrived, self._env.now_ns
        self._arrived += 1
        self._plan_arrival()
        tally = self._ledger.tally(now, EDGE)
        tally.intended += 1
        if not self._sending:
            return
        request = Request(0, index, now, self._clients[self._chances.client_of(index)])
        if self._trading:
            self._calls.send(request)
        else:
            tally.sent += 1
            self._calls.end_request(request, Outcome.FAILED, Status.STOPPED)

    # The contract between the planes ------------------------------------------------------------------------------

    @property
    def features(self) -> Counter[str]:
        """How often each rule came to bear in this run, by name."""
        return self._ledger.features

    def feed(self, arrivals_ns: I64) -> None:
        """Append the intended times of the next class-0 requests (increasing)."""
        self._arrivals.extend(arrivals_ns.tolist())
        if not self._arrival_planned:
            self._plan_arrival()

    def needs_arrivals_before(self, horizon_ns: int) -> bool:
        """Whether the last arrival fed is earlier than this horizon."""
        return not self._arrivals or self._arrivals[-1] < horizon_ns

    def advance(self, horizon_ns: int) -> Stop:
        """Perform everything strictly before the horizon, or up to a watch that fires."""
        while self._watches.fired < 0 and self._env.peek() < horizon_ns:
            self._env.step()
        if self._watches.fired >= 0:
            return Stop(self._env.now_ns, self._watches.take())
        self._env.set_clock(horizon_ns)
        return Stop(horizon_ns, -1)

    def command(self, command: Command, a: int = 0, b: int = 0, c: int = 0) -> None:
        """Apply a command at the plane's clock."""
        self._commands[command](a, b, c)
        self._env.work_off()

    def watch(self, probe_class: int, failures: int, successes: int) -> None:
        """Stop `advance` when that many probes of the class in a row failed (or, once fired, succeeded)."""
        self._watches.watch(probe_class, failures, successes)

    def counters(self) -> Counters:
        """Scrape: copy the counters at the plane's clock."""
        replicas = self._replicas
        stations = [station.replicas for station in self._stations]
        return Counters(
            at_ns=self._env.now_ns,
            answered_ok=np.array([sum(r.answered_ok for r in of) for of in stations], dtype=np.int64),
            answered_failed=np.array([sum(r.answered_failed for r in of) for of in stations], dtype=np.int64),
            replica_ok=np.array([r.answered_ok for r in replicas], dtype=np.int64),
            replica_failed=np.array([r.answered_failed for r in replicas], dtype=np.int64),
            busy=np.array([r.slots_held for r in replicas], dtype=np.int64),
            waiting=np.array([len(r.queue) for r in replicas], dtype=np.int64),
            work_ns=np.array([r.work_done_ns for r in replicas], dtype=np.int64),
        )

    def wal_position(self, database: int) -> int:
        """Rows in the database's timeline at the plane's clock."""
        return self._databases[database].wal

    def wal_position_at(self, database: int, at_ns: int) -> int:
        """Rows in the timeline committed strictly before an earlier instant."""
        return self._databases[database].position_before(at_ns)

    def drain(self, *, final: bool = False) -> Chunk:
        """Take the facts recorded since the last drain; `final` includes the unfinished second."""
        return self._ledger.drain(self._env.now_ns, final=final)

    # Commands -----------------------------------------------------------------------------------------------------

    def _command_table(self) -> dict[Command, Callable[[int, int, int], None]]:
        replicas, edges, databases = self._replicas, self._edges, self._databases
        return {
            Command.LIST: lambda r, listed, _: setattr(replicas[r], "listed", bool(listed)),
            Command.STATE: lambda r, state, _: setattr(replicas[r], "state", ReplicaState(state)),
            Command.LOSE: lambda r, heard, _: self._lose(replicas[r], bool(heard)),
            Command.WARM: lambda r, until_ns, _: setattr(replicas[r], "warm_until_ns", until_ns),
            Command.SLOW: lambda r, milli, _: setattr(replicas[r], "slow_milli", milli),
            Command.CPU: lambda r, milli, _: self._set_cpu(replicas[r], milli),
            Command.SLOTS: lambda s, n, _: self._set_slots(s, n),
            Command.POOL: lambda e, n, _: self._set_pool(e, n),
            Command.DNS: lambda region, _b, _c: setattr(self, "_dns", region),
            Command.TARGET: lambda e, station, _: setattr(edges[e], "target", station),
            Command.CUT: lambda e, cut, _: setattr(edges[e], "cut", bool(cut)),
            Command.WRITABLE: lambda d, writable, _: setattr(databases[d], "writable", bool(writable)),
            Command.GATE: lambda d, is_open, _: self._set_gate(d, bool(is_open)),
            Command.FORK: databases.fork,
            Command.TRADING: lambda on, _b, _c: setattr(self, "_trading", bool(on)),
            Command.SEND: lambda on, _b, _c: setattr(self, "_sending", bool(on)),
        }

    def _lose(self, replica: Replica, callers_hear: bool) -> None:
        """All that the replica had is lost, in order of seq."""
        for _, job in sorted(replica.jobs.items()):
            self.features[f"lost {job.condition}"] += 1
            for occurrence in (job.patience, job.back_off):
                if occurrence is not None:
                    occurrence.call_off()
            if job.inner_call is not None:
                self._calls.detach(job.inner_call)
            if job.commits_in >= 0:
                self._databases[job.commits_in].waiting.remove(job)
            if callers_hear:
                self._env.add(self._calls.result, job.call, Status.RESET)
        replica.jobs.clear()
        replica.queue.clear()
        replica.working.clear()
        replica.slots_held = 0
        self._servers.plan_completion(replica)
        replica.pools.clear()
        replica.budgets.clear()
        replica.breakers.clear()

    def _set_cpu(self, replica: Replica, milli: int) -> None:
        self._servers.update_work(replica)
        replica.cpu_milli = milli
        self._servers.plan_completion(replica)

    def _set_slots(self, number: int, slots: int) -> None:
        station = self._stations[number]
        before, station.slots = station.slots, slots
        if slots > before:
            for replica in station.replicas:
                self._env.add(self._servers.start_next, replica)

    def _set_pool(self, number: int, size: int) -> None:
        edge = self._edges[number]
        before, edge.pool_size = edge.pool_size, size
        if size > before:
            for replica in self._stations[edge.caller].replicas:
                self._env.add(self._calls.pool_next, replica, edge)

    def _set_gate(self, database: int, is_open: bool) -> None:
        if is_open:
            self._servers.open_gate(database)
        else:
            self._databases[database].gate_open = False
