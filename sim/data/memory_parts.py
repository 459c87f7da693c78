"""What the kernel's memory asks about a system: columns of draws, rings of delays, whether anything goes back."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.data import layout
from sim.data.commands import Balancer
from sim.data.system import System

Table = NDArray[Any]
_FIELDS = ("kind", "which", "step", "scale", "sigma", "key")


def feeds_forward(system: System) -> bool:
    """Whether nothing that happens to a request later can change what happened to others before.

    No caller waits, tries again or counts failures: what a station does depends on what has arrived there.
    """
    inner = system.edge_caller >= 0
    goes_back = (
        (inner & system.edge_sync)
        | (system.edge_timeout > 0)
        | (system.max_retries > 0)
        | (system.breaker_window > 0)
        | (system.budget_milli >= 0)
        | (inner & (system.pool_size > 0))
    )
    return not goes_back.any()


class Columns:
    """What is drawn ahead for class 0; equal draws share a column, so a service has one for all regions."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], int] = {}

    def _add(self, kind: int, key: np.uint64, scale: float = 0.0, sigma: float = 0.0, which: int = 0) -> int:
        """Return the number of a column; column 0 is the client."""
        return self._known.setdefault((kind, which, float(scale), float(sigma), int(key)), len(self._known) + 1)

    def of_work(self, system: System, station: int) -> int:
        """Column of a station's own work, -1: nothing is drawn."""
        kind = layout.EXPONENTIAL if system.work_kind[station] == 1 else layout.LOGNORMAL
        if kind == layout.LOGNORMAL and system.work_sigma[station] == 0.0:
            return -1
        return self._add(kind, system.work_key[0, station], system.work_scale[station], system.work_sigma[station])

    def of_picks(self, system: System, edge: int) -> int:
        """Column of the first of an edge's picks, -1: nothing is drawn."""
        key = system.pick_key[0, edge]
        if system.edge_balancer[edge] == Balancer.RANDOM:
            return self._add(layout.PICK, key)
        if system.edge_balancer[edge] == Balancer.POWER_OF_TWO:
            first = self._add(layout.PICK, key, sigma=1.0)
            self._add(layout.PICK, key, sigma=1.0, which=1)
            return first
        return -1

    def table(self, client_key: np.uint64) -> Table:
        """All columns."""
        rows = np.zeros(len(self._known) + 1, dtype=layout.COLUMN)
        rows["step"] = 1
        rows["key"][0] = client_key
        for (kind, which, scale, sigma, key), number in self._known.items():
            step = 2 if kind == layout.PICK else 1
            for name, value in zip(_FIELDS, (kind, which, step, scale, sigma, key), strict=True):
                rows[name][number] = value
        return rows


class Delays:
    """A ring for each delay of each kind, numbered in the order of kinds; kinds must come in their order."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], int] = {}

    def rings(self, kind: int, delays_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Ring of each delay, -1 where there is none."""
        known = self._known
        return np.array([known.setdefault((kind, d), len(known)) if d > 0 else -1 for d in delays_ns.tolist()])

    def table(self) -> Table:
        """All rings, empty."""
        rings = np.zeros(len(self._known), dtype=layout.RING)
        rings["kind"] = [kind for kind, _ in self._known]
        return rings
