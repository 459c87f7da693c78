"""Request classes at fidelity `control`: when each is due, where it leads, which chances apply to it."""

import numpy as np
from numpy.typing import NDArray

from sim.control.caches import Caches
from sim.control.streams import uniforms
from sim.data.system import System

I64 = NDArray[np.int64]
SECOND = 1_000_000_000


class Classes:
    """When probes of each class are due, where they lead, and which row of a flow says how they end."""

    def __init__(self, system: System) -> None:
        stations = len(system.station_names)
        classes, regions = len(system.class_names), len(system.region_names)
        chain = system.probe_chain.copy()
        chain[0] = True
        entries = np.broadcast_to(system.entry_station, (classes, regions))
        self.station = np.where(chain[:, None], entries, system.probe_station)
        in_chain = 2 * stations + np.broadcast_to(np.arange(regions), (classes, regions))
        answered = self.station + np.where(system.class_writes, stations, 0)[:, None]
        self.row = np.where(chain[:, None], in_chain, answered)
        timeouts = system.probe_timeout.copy()
        timeouts[0] = int(system.edge_timeout[0]) or SECOND
        self.timeout = timeouts
        self._phase, self._spacing, self._end = system.probe_phase, system.probe_spacing, system.probe_end
        self._fixed = np.where(system.probe_region == -2, system.initial_dns, system.probe_region)
        self._client_key, self._clients = system.client_key, system.clients
        ttl = max(1, int(system.dns_ttl))
        self._refresh = np.maximum(1, -(-ttl // self._spacing)) * self._spacing  # by the first probe after the TTL
        first = np.maximum(-(-(system.probe_expiry - self._phase) // self._spacing), 0)
        self._asks = self._phase + first * self._spacing  # the first probe that asks

    def due(self, from_ns: int, until_ns: int) -> tuple[I64, I64, I64]:
        """Class, index and intended time of every probe in [from, until)."""
        phase, spacing = self._phase, self._spacing
        first = np.maximum(-(-(from_ns - phase) // spacing), 0)
        last = np.maximum(-(-(np.minimum(until_ns, self._end) - phase) // spacing), first)
        count = last - first
        count[0] = 0
        kind = np.repeat(np.arange(len(count)), count)
        index = np.arange(len(kind)) - np.repeat(np.cumsum(count) - count - first, count)
        return kind, index, phase[kind] + index * spacing[kind]

    def region(self, p: int, at_ns: int, caches: Caches) -> int:
        """Where one probe is led."""
        fixed = int(self._fixed[p])
        if fixed >= 0:
            return fixed
        asks, refresh = int(self._asks[p]), int(self._refresh[p])
        return caches.answer_at(asks + (at_ns - asks) // refresh * refresh if at_ns >= asks else 0)

    def regions(self, kind: I64, index: I64, at_ns: I64, caches: Caches) -> I64:
        """Where requests of any classes are led; those of class 0 stand first."""
        asks, refresh = self._asks[kind], self._refresh[kind]
        asked = np.where(at_ns >= asks, asks + (at_ns - asks) // refresh * refresh, 0)
        led = np.where(self._fixed[kind] >= 0, self._fixed[kind], caches.answers_at(asked))
        orders = int(np.searchsorted(kind, 0, side="right"))
        clients = (uniforms(self._client_key, index[:orders]) * self._clients).astype(np.int64)
        led[:orders] = caches.regions(np.minimum(clients, self._clients - 1), at_ns[:orders])
        return led
