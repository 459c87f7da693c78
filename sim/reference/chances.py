"""The draws of the data plane's page, section 2, by what they are for."""

import numpy as np

from sim.data.commands import Patience
from sim.data.draws import attempt_key, exp, exponential, normal, uniform
from sim.data.system import U64, System
from sim.reference.things import Call, Station

LONGEST_PATIENCE_NS = 2.0**60


class Chances:
    """Every random number a model needs, as a function of the request and the lineage of the call."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._clients = int(system.clients)
        self._keys: dict[tuple[str, int, int, int], np.uint64] = {}

    def _key(self, purpose: str, table: U64, kind: int, where: int, lineage: int) -> np.uint64:
        name = (purpose, kind, where, lineage)
        if name not in self._keys:
            self._keys[name] = np.uint64(attempt_key(table[kind, where], lineage))
        return self._keys[name]

    def client_of(self, index: int) -> int:
        """Number of the client that sends class-0 request `index`."""
        u = uniform(self._system.client_key, index)
        return min(int(u * self._clients), self._clients - 1)

    def first_expiry_ns(self, client: int) -> int:
        """When a client's DNS cache first expires."""
        return int(uniform(self._system.expiry_key, client) * int(self._system.dns_ttl))

    def work_ns(self, call: Call, station: Station) -> int:
        """Own work of a call at a station, before slowdown and warm-up."""
        if not station.exponential_work and station.work_sigma == 0.0:
            return max(1, int(station.work_scale))
        key = self._key("work", self._system.work_key, call.request.kind, station.number, call.lineage)
        if station.exponential_work:
            return max(1, int(station.work_scale * exponential(key, call.request.index)))
        z = normal(key, call.request.index)
        return max(1, int(station.work_scale * exp(station.work_sigma * z)))

    def patience_ns(self, call: Call, station: Station) -> int:
        """How long a call's job waits in a station's queue at most."""
        if station.patience_kind == Patience.FIXED:
            return station.queue_patience
        table = self._system.patience_key
        key = self._key("patience", table, call.request.kind, station.number, call.lineage)
        if station.patience_kind == Patience.EXPONENTIAL:
            drawn = station.queue_patience * exponential(key, call.request.index)
        else:
            drawn = station.queue_patience * exp(station.patience_sigma * normal(key, call.request.index))
        return max(1, int(min(drawn, LONGEST_PATIENCE_NS)))

    def pick(self, call: Call, which: int, among: int) -> int:
        """Position of the balancer's first (0) or second (1) pick among so many replicas."""
        key = self._key("pick", self._system.pick_key, call.request.kind, call.edge.number, call.lineage)
        u = uniform(key, 2 * call.request.index + which)
        return min(int(u * among), among - 1)

    def back_off_ns(self, call: Call, next_lineage: int, longest_ns: int) -> int:
        """Time to wait after a failed call before its next attempt."""
        key = self._key("back-off", self._system.backoff_key, call.request.kind, call.edge.number, next_lineage)
        return int(uniform(key, call.request.index) * longest_ns)
