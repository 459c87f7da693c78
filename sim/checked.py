"""Check the kernel against the SimPy reference on the very topology that is to be played, once for each digest.

The scripted failures touch what a run may touch: a pod lost with its work, a slow pod, a region that falls silent, the
database forked and taken over by the other region, the clients led there. Source: DESIGN, Trust.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from scenarios.files.resolved import Resolved
from scenarios.record.storage import replace_file
from sim.build import system
from sim.data.arrivals import Arrivals
from sim.data.commands import Command, ReplicaState, Timed
from sim.data.compiled import kernel_digest
from sim.data.draws import stream_key
from sim.data.system import System
from sim.load import load

REQUESTS = 50_000
SEED = 20_260_101  # of no run
PARTS = 8  # the script acts at eighths of the time


@dataclass(frozen=True)
class Checked:
    """How many requests of a topology were played by both, and how many ended differently."""

    requests: int
    differing: int
    first_difference: str | None = None


def known(resolved: Resolved) -> Checked | None:
    """Result of an earlier check of this topology with this kernel, None if there was none."""
    try:
        return Checked(**json.loads(_file(resolved).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def check(resolved: Resolved) -> Checked:
    """Check this topology, or return what is known of it."""
    if (before := known(resolved)) is not None:
        return before
    from sim.reference.check import check as compare

    built, _ = system(resolved, SEED, 0)
    offered = load(resolved)
    arrivals = Arrivals(offered.points_ns, offered.rates_per_s, stream_key(SEED, 0, "client", "arrivals"))
    times = arrivals.take(0)
    while len(times) < REQUESTS:
        times = np.concatenate([times, arrivals.take(int(times[-1]))])
    times = times[:REQUESTS]
    report = compare(built, list(_script(built, int(times[-1]))), times, until_ns=int(times[-1]) + 2_000_000_000)
    found = Checked(report.requests, report.differing, report.first_difference)
    _keep(resolved, found)
    return found


def _script(built: System, end_ns: int) -> Iterator[Timed]:
    """Failures and takeovers in every region but the last, at eighths of the time."""
    part = end_ns // PARTS
    home = built.initial_dns
    region = built.station_region[built.replica_station]
    places = np.flatnonzero((region == home) & (built.initial_state == ReplicaState.SERVING)).tolist()
    stations = built.replica_station
    first = {int(stations[r]): r for r in reversed(places)}  # one pod of each service
    for r in first.values():
        yield Timed(part, Command.SLOW, r, 3_000)
        yield Timed(2 * part, Command.LOSE, r, 1)
        yield Timed(2 * part, Command.SLOW, r, 1_000)
    other = next((g for g in range(len(built.region_names)) if g != home), None)
    if other is None:
        return
    for r in places:
        yield Timed(3 * part, Command.STATE, r, ReplicaState.BLACK_HOLE)
        yield Timed(3 * part, Command.LOSE, r, 0)
    for r in np.flatnonzero(region == other).tolist():
        yield Timed(4 * part, Command.STATE, r, ReplicaState.SERVING)
        yield Timed(4 * part, Command.WARM, r, 5 * part)
        yield Timed(4 * part, Command.LIST, r, 1)
    yield Timed(5 * part, Command.FORK, other, home, 1_000)
    yield Timed(5 * part, Command.WRITABLE, other, 1)
    yield Timed(5 * part, Command.DNS, other)
    for r in places:
        yield Timed(6 * part, Command.STATE, r, ReplicaState.SERVING)
    yield Timed(7 * part, Command.DNS, home)


def _file(resolved: Resolved) -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "gameday" / "checked" / f"{resolved.topology_digest[:16]}-{kernel_digest()}.json"


def _keep(resolved: Resolved, found: Checked) -> None:
    """Keep the result for later runs; a folder that cannot be written costs the next run its time, no more."""
    file = _file(resolved)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, json.dumps(asdict(found)).encode())
    except OSError:
        return
