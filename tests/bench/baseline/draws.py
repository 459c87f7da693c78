"""Draws for the baselines, shared with the kernel (docs/explanation/data-plane.md, section 2).

The processes draw a number where they need it; the callbacks draw those of the first attempts in blocks.
"""

import math
from collections.abc import Iterator

import numpy as np
from numba import njit

from sim.data.draws import attempt_key, normal, uniform
from sim.data.system import System

BLOCK = 4096


@njit(cache=False)
def _uniforms(key, first, count, stride):
    out = np.empty(count)
    for i in range(count):
        out[i] = uniform(key, (first + i) * stride)
    return out


@njit(cache=False)
def _works(key, first, count, scale, sigma):
    out = np.empty(count, dtype=np.int64)
    for i in range(count):
        z = normal(key, first + i)
        out[i] = max(1, int(scale * math.exp(sigma * z)))
    return out


class Draws:
    """All random numbers of a system: of first attempts in blocks, of others one by one."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._clients = system.clients
        self._stations = range(len(system.station_names))
        self._work = [(float(system.work_scale[s]), float(system.work_sigma[s])) for s in self._stations]
        self._keys: dict[tuple[int, int, int, int], np.uint64] = {}

    def clients(self, first: int, count: int) -> list[int]:
        """Clients of class-0 requests."""
        number = self._system.clients
        u = _uniforms(self._system.client_key, first, count, 1)
        return np.minimum((u * number).astype(np.int64), number - 1).tolist()

    def works(self, station: int, first: int, count: int) -> list[int]:
        """Own work (ns) of the first attempts of class 0 at a station."""
        return _works(self._system.work_key[0, station], first, count, *self._work[station]).tolist()

    def picks(self, edge: int, first: int, count: int) -> list[float]:
        """The balancer's first numbers for the first attempts of class 0 on an edge."""
        return _uniforms(self._system.pick_key[0, edge], first, count, 2).tolist()

    def client(self, index: int) -> int:
        """Client of a class-0 request."""
        return int(uniform(self._system.client_key, index) * self._clients)

    def _key(self, purpose: int, kind: int, where: int, lineage: int) -> np.uint64:
        name = (purpose, kind, where, lineage)
        key = self._keys.get(name)
        if key is None:
            table = (self._system.work_key, self._system.pick_key, self._system.backoff_key)[purpose]
            key = self._keys[name] = np.uint64(attempt_key(table[kind, where], lineage))
        return key

    def work(self, kind: int, station: int, lineage: int, index: int) -> int:
        """Own work (ns) of any call at a station."""
        scale, sigma = self._work[station]
        return max(1, int(scale * math.exp(sigma * normal(self._key(0, kind, station, lineage), index))))

    def pick(self, kind: int, edge: int, lineage: int, index: int) -> float:
        """The balancer's first number for any call."""
        return float(uniform(self._key(1, kind, edge, lineage), 2 * index))

    def back_off(self, edge: int, lineage: int, index: int) -> float:
        """The jitter before a later attempt of a class-0 request."""
        return float(uniform(self._key(2, 0, edge, lineage), index))

    def first_expiry(self, client: int) -> int:
        """When a client's DNS cache first expires (ns)."""
        return int(uniform(self._system.expiry_key, client) * self._system.dns_ttl)


def blocks(total: int) -> Iterator[tuple[int, int]]:
    """(first, count) of the blocks of so many requests."""
    for first in range(0, total, BLOCK):
        yield first, min(BLOCK, total - first)


def probe_times(system: System, until_ns: int) -> list[tuple[int, int, int]]:
    """(intended ns, class, index) of the probes before a horizon, in order."""
    times = []
    for kind in range(1, len(system.class_names)):
        phase, spacing = int(system.probe_phase[kind]), int(system.probe_spacing[kind])
        end = min(until_ns, int(system.probe_end[kind]))
        times += [(at, kind, i) for i, at in enumerate(range(phase, end, spacing))]
    return sorted(times)
