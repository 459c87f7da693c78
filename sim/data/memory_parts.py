"""What the kernel's memory asks about a system: columns of draws, rings of delays, whether anything goes back."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.data import layout
from sim.data.commands import Balancer, Patience
from sim.data.draws import bits
from sim.data.system import System

Table = NDArray[Any]
_FIELDS = ("kind", "which", "step", "scale", "sigma", "key")
_DRAWN = 0  # in place of a delay
_PLACES = {  # of a call whose deadline is alive; a call may time out wherever it is
    layout.POOL_PATIENCE: layout.IN_POOL,
    layout.QUEUE_PATIENCE: layout.QUEUED,
    layout.CALL_TIMEOUT: -1,
    layout.BACK_OFF: layout.BACKING_OFF,
}


def uniforms(key: np.uint64, count: int) -> NDArray[np.float64]:
    """Numbers 0, 1, ... of a stream, as `draws.uniform` draws them one by one."""
    drawn: NDArray[np.uint64] = bits.py_func(key, np.arange(count))
    return ((drawn >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def feeds_forward(system: System) -> bool:
    """Whether nothing that happens to a request later can change what happened to others before.

    No caller waits, tries again or counts failures: what a station does depends on what has arrived there. Patience is
    the same for all that wait at a station: who joins a queue first gives up first.
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
    drawn = (system.queue_patience > 0) & (system.patience_kind != Patience.FIXED)
    return not goes_back.any() and not drawn.any()


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
    """A ring for each delay of each kind, numbered in the order of kinds; kinds must come in their order.

    A kind has one ring, a heap, for all delays that are drawn.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], int] = {}

    def rings(
        self, kind: int, delays_ns: NDArray[np.int64], drawn: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]:
        """Ring of each delay, -1 where there is none; `drawn` says which are different each time."""
        fixed = np.where(drawn, _DRAWN, delays_ns) if drawn is not None else delays_ns
        return np.array(
            [self._ring(kind, f) if d > 0 else -1 for d, f in zip(delays_ns.tolist(), fixed.tolist(), strict=True)]
        )

    def heap(self, kind: int) -> int:
        """Ring of the delays of a kind that are drawn."""
        return self._ring(kind, _DRAWN)

    def _ring(self, kind: int, delay_ns: int) -> int:
        return self._known.setdefault((kind, delay_ns), len(self._known))

    def table(self) -> Table:
        """All rings, empty."""
        rings = np.zeros(len(self._known), dtype=layout.RING)
        rings["kind"] = [kind for kind, _ in self._known]
        rings["place"] = [_PLACES[kind] for kind, _ in self._known]
        rings["heap"] = [delay == _DRAWN for _, delay in self._known]
        return rings
