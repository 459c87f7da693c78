"""What the DNS cache of each client leads to, from the answers that the name servers have given so far.

A client asks again with its first order after its TTL; with many orders a second that is when the TTL ends. The data
plane keeps each cache exactly; here they are computed, so that the share of stale clients costs nothing.
"""

from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from sim.control.streams import uniforms
from sim.data.system import System

I64 = NDArray[np.int64]


class Caches:
    """Clients' DNS caches of one trial. Regions are numbers, -1: no answer."""

    def __init__(self, system: System) -> None:
        self._ttl = max(1, int(system.dns_ttl))  # without a TTL it asks with each order
        self._ignores = system.client_ignores_ttl
        self._expiry = (uniforms(system.expiry_key, np.arange(system.clients)) * self._ttl).astype(np.int64)
        self._since, self._answer = [0], [int(system.initial_dns)]

    def answered(self, now_ns: int, region: int) -> None:
        """The name servers give another answer from now on."""
        self._since.append(now_ns)
        self._answer.append(region)

    def answer_at(self, instant_ns: int) -> int:
        """What the name servers answer at an instant."""
        return self._answer[max(0, bisect_right(self._since, instant_ns) - 1)]

    def answers_at(self, instants_ns: I64) -> I64:
        """What they answer at each instant."""
        if len(self._since) == 1:
            return np.full(np.shape(instants_ns), self._answer[0], dtype=np.int64)
        i = np.searchsorted(np.array(self._since), instants_ns, side="right") - 1
        return np.array(self._answer)[np.maximum(i, 0)]

    def regions(self, clients: I64, instants_ns: I64) -> I64:
        """Where each of these clients is led at these instants (shapes are broadcast)."""
        first = self._answer[0]
        if len(self._since) == 1:
            return np.full(np.broadcast(clients, instants_ns).shape, first, dtype=np.int64)
        expiry = self._expiry[clients]
        asked = np.where(instants_ns >= expiry, expiry + (instants_ns - expiry) // self._ttl * self._ttl, -1)
        led = np.where(asked >= 0, self.answers_at(np.maximum(asked, 0)), first)
        return np.where(self._ignores[clients], first, led)

    def shares(self, instants_ns: I64, regions: int) -> NDArray[np.float64]:
        """Share of the clients led to each region; shape instants x regions."""
        led = self.regions(np.arange(len(self._expiry)), instants_ns[:, None])
        return np.stack([(led == g).mean(axis=1) for g in range(regions)], axis=1)
