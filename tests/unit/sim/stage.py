"""A stage on which parts of the control plane are played: the context of one trial, without its record."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from scenarios.files.load import load
from scenarios.files.resolved import Resolved
from scenarios.model.procedure import Procedure
from scenarios.record.writer import MemoryRecorder
from sim.build import system
from sim.control.caches import Caches
from sim.control.cluster import Cluster
from sim.control.context import Context, Wait
from sim.control.dns import Dns
from sim.control.faults import Faults
from sim.control.observed import Observations, Watch
from sim.control.operations import install
from sim.control.roles import Target
from sim.data.commands import Command, ReplicaState
from sim.data.plane import Chunk, Counters, DataPlane, Stop
from sim.data.system import System
from sim.load import load as offered_load

S = 1_000_000_000
MINUTE = 60 * S
HOME, OTHER = "us-east-1", "us-west-2"
PLAIN = """
scenario: played
title: played by a test
runbook: [Disaster Recovery]
topology: grandmodel
workload: {{profile: steady, rate: 10500/s, duration: until settled, at most: 180 min{workload}}}
timeline: {timeline}
response: {response}
worlds: {{twin: {{trials: 20, met_in: 95 %}}}}
"""


@cache
def scenario(timeline: str = "[]", response: str = "[]", workload: str = "", **overrides: object) -> Resolved:
    """A scenario on the default topology. Overrides are named with `__` for the dots."""
    text = PLAIN.format(timeline=timeline, response=response, workload=workload)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "played.yaml"
        path.write_text(text, encoding="utf-8")
        return load(str(path), overrides=settings(overrides))


@cache
def library(name: str, **overrides: object) -> Resolved:
    """A scenario of the library."""
    return load(name, overrides=settings(overrides))


def settings(overrides: dict[str, object]) -> dict[str, object]:
    """`switches__fencing` -> "switches.fencing"."""
    return {name.replace("__", "."): value for name, value in overrides.items()}


class StillPlane:
    """A data plane in which nothing happens but commits at a fixed rate while a database is writable."""

    def __init__(self, built: System, home: int, rate_per_s: float = 100.0) -> None:
        self._sizes = len(built.replica_station), len(built.station_names)
        of_place = built.database_of[built.replica_station]
        self._database = {place: int(d) for place, d in enumerate(of_place) if d >= 0}
        databases = built.databases
        self._rate = rate_per_s
        self._now = 0
        self.commands: list[tuple[int, Command, int, int, int]] = []
        self._writable = [d == home for d in range(databases)]
        self._serving = [True] * databases
        # of each database: (instant in ns, position, whether it commits from there on)
        self._courses = [[(0, 0, d == home)] for d in range(databases)]

    def feed(self, arrivals_ns: Any) -> None:
        pass

    def needs_arrivals_before(self, horizon_ns: int) -> bool:
        return False

    def advance(self, horizon_ns: int) -> Stop:
        self._now = max(self._now, horizon_ns)
        return Stop(self._now, -1)

    def command(self, command: Command, a: int = 0, b: int = 0, c: int = 0) -> None:
        self.commands.append((self._now, command, a, b, c))
        if command == Command.WRITABLE:
            self._writable[a] = bool(b)
            self._turn(a)
        elif command == Command.STATE and a in self._database:
            self._serving[self._database[a]] = b == ReplicaState.SERVING
            self._turn(self._database[a])
        elif command == Command.FORK:
            self._courses[a] = [(0, 0, False), (self._now, c, False)]

    def _turn(self, database: int) -> None:
        on = self._writable[database] and self._serving[database] and self._rate > 0
        self._courses[database].append((self._now, self.wal_position(database), on))

    def silence(self) -> None:
        """Nobody writes any more."""
        positions = [self.wal_position(d) for d in range(len(self._courses))]
        self._rate = 0.0
        for database, position in enumerate(positions):
            self._courses[database].append((self._now, position, False))

    def watch(self, probe_class: int, failures: int, successes: int) -> None:
        pass

    def counters(self) -> Counters:
        replicas, stations = (np.zeros(n, dtype=np.int64) for n in self._sizes)
        return Counters(self._now, stations, stations, replicas, replicas, replicas, replicas, replicas)

    def wal_position(self, database: int) -> int:
        return self.wal_position_at(database, self._now)

    def wal_position_at(self, database: int, at_ns: int) -> int:
        since, position, on = next(c for c in reversed(self._courses[database]) if c[0] <= max(at_ns, 0))
        return position + int((at_ns - since) * self._rate / S) * on

    def drain(self, *, final: bool = False) -> Chunk:
        raise NotImplementedError


@dataclass(frozen=True)
class Fact:
    """A mark."""

    minute: float
    kind: str
    subject: str
    detail: dict[str, Any]


@dataclass
class Stage:
    """Both clocks of one trial; what the parts do is seen in `facts`."""

    resolved: Resolved
    seed: int = 1
    trial: int = 0
    state: bool = False  # whether the data plane answers from state; else nothing happens in it
    make_plane: Callable[[System, int], StillPlane] = StillPlane  # from the system and the home database's number
    plane: DataPlane = field(init=False)
    context: Context = field(init=False)

    def __post_init__(self) -> None:
        built, names = system(self.resolved, self.seed, self.trial)
        self.plane = self._state_plane(built) if self.state else self._still_plane(built, names)
        self.recorder = MemoryRecorder()
        context = self.context = Context(self.resolved, self.seed, self.trial, self.plane, names, self.recorder)
        self.clusters = {region: Cluster(context, region) for region in context.topology.regions}
        self.observations = Observations(context, self.clusters)
        context.observed = self.observations
        context.clusters = dict(self.clusters)
        dns = Dns(context, Caches(built))
        context.dns = dns
        install(context)
        self.faults = Faults(context, self.clusters, dns, self.observations)
        self.faults.start()

    def _still_plane(self, built: System, names: Any) -> DataPlane:
        home = names.database[self.resolved.topology.database.home]
        return self.make_plane(built, home)

    def _state_plane(self, built: System) -> DataPlane:
        from sim.control.state_plane import StatePlane

        return StatePlane(built, offered_load(self.resolved))

    def until(self, minute: float) -> "Stage":
        """Play up to an instant, what happens at it included."""
        env, end = self.context.env, round(minute * MINUTE)
        while (horizon := int(env.peek())) <= end:
            stop = self.plane.advance(horizon)
            if stop.watch >= 0:
                fired = env.timeout(stop.at_ns - env.now)
                fired.callbacks.append(lambda _, number=stop.watch: self.observations.watch_fired(number))
                continue
            env.step()
        self.plane.advance(end)
        env.run(until=end) if end > env.now else None
        return self

    def until_fact(self, kind: str, subject: str | None = None, *, at_most: float = 300.0) -> float:
        """Play until the first such fact; return its minute."""
        seen = self.context.when(kind, subject)
        env = self.context.env
        while not seen.triggered and env.now < at_most * MINUTE:
            stop = self.plane.advance(int(env.peek()))
            if stop.watch >= 0:
                fired = env.timeout(stop.at_ns - env.now)
                fired.callbacks.append(lambda _, number=stop.watch: self.observations.watch_fired(number))
                continue
            env.step()
        assert seen.triggered, f"{kind} did not happen within {at_most} min"
        return float(env.now / MINUTE)

    def do(self, process: Wait) -> Any:
        """Begin something that takes time."""
        return self.context.env.process(process)

    # --- what is seen

    @property
    def facts(self) -> list[Fact]:
        """All marks so far."""
        return [Fact(m.t_us / 60e6, m.kind, m.subject, dict(m.detail)) for m in self.recorder.marks]

    def minutes(self, kind: str, subject: str | None = None, **detail: object) -> list[float]:
        """When such facts were marked."""
        return [
            f.minute
            for f in self.facts
            if f.kind == kind
            and subject in (None, f.subject)
            and all(f.detail.get(name) == value for name, value in detail.items())
        ]

    def minute(self, kind: str, subject: str | None = None, **detail: object) -> float:
        """When the first such fact was marked."""
        found = self.minutes(kind, subject, **detail)
        assert found, f"no {kind} of {subject}; there are {sorted({f.kind for f in self.facts})}"
        return found[0]

    def sampled(self, subject: str, name: str, *seconds: float) -> list[float]:
        """Values of a sampled quantity at instants up to the clock."""
        values = next(f for s, n, f in self.context.samplers if (s, n) == (subject, name))
        return [float(v) for v in values(np.array([round(s * S) for s in seconds], dtype=np.int64))]


class Scripted:
    """An outside view of the home region that a test writes, as a function of the minute; its polls never fail."""

    def __init__(self, stage: Stage, targets: Callable[[float], tuple[Target, ...]]) -> None:
        self._stage, self._of = stage, targets
        self.watches: dict[str, Watch] = {}
        stage.context.observed = self

    def scrape(self, observer: str, region: str) -> tuple[Target, ...]:
        return self._of(self._stage.context.now_ns / MINUTE) if region == HOME else ()

    def watch(self, probe_class: str, failures: int, successes: int) -> Watch:
        return self.watches.setdefault(probe_class, Watch(self._stage.context.env))

    def turn(self) -> None:
        """Every watch fires: polls begin to fail, or to succeed again."""
        for watch in self.watches.values():
            watch.fired()


def healthy(minute: float) -> tuple[Target, ...]:
    """One strategic pod that answers."""
    return (Target(f"{HOME}/strategic/0", "strategic", True, int(minute * 6_000), 0),)


def with_procedures(resolved: Resolved, *procedures: dict[str, Any]) -> Resolved:
    """The same scenario with procedures that a test writes, as they stand in a file."""
    made = {p["procedure"]: Procedure.model_validate({"title": "played"} | p) for p in procedures}
    return replace(resolved, procedures={**resolved.procedures, **made})
