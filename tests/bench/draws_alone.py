"""The random numbers of the simple system, drawn and thrown away: what no kernel can do without."""

import math

import numpy as np
from numba import njit

from sim.data.draws import exponential, normal, stream_key, uniform
from tests.bench.cases import Case


def draw(case: Case, requests: int) -> float:
    """Draw what first attempts need: arrival, client, own work of each hop, picks where there is a choice."""
    system = case.system
    several = np.bincount(system.replica_station, weights=system.initial_listed) > 1
    return float(
        _draw(
            requests,
            stream_key(1, 0, "client", "arrivals"),
            system.client_key,
            system.work_key[0],
            system.work_scale,
            system.work_sigma,
            system.pick_key[0][several],
        )
    )


@njit(error_model="numpy")
def _draw(requests, arrivals, client, work, scale, sigma, pick):
    total = 0.0
    for n in range(requests):
        total += exponential(arrivals, n) + uniform(client, n)
        for s in range(len(work)):
            total += scale[s] * math.exp(sigma[s] * normal(work[s], n))
        for e in range(len(pick)):
            total += uniform(pick[e], 2 * n)
    return total
