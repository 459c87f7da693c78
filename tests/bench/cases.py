"""The systems of the table, read from YAML as `gameday simulate` reads them, and what happens to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scenarios.files.load import load
from sim import build
from sim.data.arrivals import Arrivals
from sim.data.commands import Command, ReplicaState
from sim.data.draws import stream_key
from sim.data.system import I64, System
from sim.load import Load
from sim.load import load as offered
from tests.bench.script import Timed

SECOND = 1_000_000_000
SYSTEMS = Path(__file__).parent / "systems"
LEAST = {f"calls.{i}.balancer": "least-connections" for i in range(3)}
OVERLOAD = {
    "services.strategic.own.mean": "0.25 ms",
    **{f"{part}.queue.patience": "50 ms" for part in ("services.strategic", "services.risk", "database")},
}


@dataclass(frozen=True)
class Case:
    """One thing to play: a system, its load, and what happens to it until a horizon."""

    name: str
    system: System
    load: Load
    script: Sequence[Timed]
    until_ns: int

    def source(self) -> Arrivals:
        """The load, from its beginning."""
        return Arrivals(self.load.points_ns, self.load.rates_per_s, stream_key(1, 0, "client", "arrivals"))

    def arrivals(self) -> I64:
        """All arrivals before the horizon."""
        times = self.source().take(self.until_ns)
        return times[: int(np.searchsorted(times, self.until_ns))]


def simple(name: str, seconds: float, overrides: Mapping[str, str]) -> Case:
    """The simple system: half of the strategic replicas out of the endpoints for the middle half of the run."""
    resolved = load(str(SYSTEMS / "simple.yaml"), overrides=overrides)
    system, names = build.system(resolved, 1, 0)
    strategic = names.replicas[names.station["us-east-1", "strategic"]]
    half = strategic[: resolved.topology.services["strategic"].replicas // 2]
    until_ns = round(seconds * SECOND)
    times = ((until_ns // 4, 0), (until_ns * 3 // 4, 1))
    script = [Timed(at_ns, Command.LIST, replica, listed) for at_ns, listed in times for replica in half]
    return Case(name, system, offered(resolved), script, until_ns)


# A trial waits minutes for promotion, DNS caches, breakers and warm-up; here a second or less, to wait little.
OUTAGE_NS = SECOND * 4 // 5
QUICKLY = {"dns.ttl": "0.5 s", "calls.0.breaker.open": "0.5 s"} | {
    f"services.{service}.warm_up.duration": "1 s" for service in ("strategic", "tactical", "risk")
}


def product(name: str, seconds: float) -> Case:
    """The default topology: us-east-1 is lost at 40 % of the run, us-west-2 serves a moment later."""
    resolved = load("region-loss-automatic", overrides=QUICKLY)
    system, names = build.system(resolved, 1, 0)
    until_ns = round(seconds * SECOND)
    lost_ns = until_ns * 2 // 5
    served_ns = lost_ns + OUTAGE_NS
    here, there = (names.regions.index(region) for region in ("us-east-1", "us-west-2"))
    region = system.station_region[system.replica_station]
    lost = np.flatnonzero((region == here) & (system.initial_state == ReplicaState.SERVING)).tolist()
    script = [Timed(lost_ns, Command.STATE, r, ReplicaState.BLACK_HOLE) for r in lost]
    script += [Timed(lost_ns, Command.LOSE, r, 0) for r in lost]
    kept = int(offered(resolved).at(0) * lost_ns / SECOND * 0.9)  # rows that the replica had when the region was lost
    script += [Timed(served_ns, Command.FORK, there, here, kept), Timed(served_ns, Command.WRITABLE, there, 1)]
    for station in (names.station["us-west-2", service] for service in resolved.topology.services):
        places = names.replicas[station]
        for r in places[: len(places) // 2]:
            script.append(Timed(served_ns, Command.STATE, r, ReplicaState.SERVING))
            script.append(Timed(served_ns, Command.WARM, r, served_ns + SECOND))
            script.append(Timed(served_ns, Command.LIST, r, 1))
    script.append(Timed(served_ns, Command.DNS, there))
    return Case(name, system, offered(resolved), script, until_ns)
