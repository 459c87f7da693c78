"""What every mechanism of the control plane shares: clock, plane, recorder, draws, facts, APIs."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from scenarios.files.resolved import Resolved
from scenarios.model.scenario import Trigger
from scenarios.record.writer import Recorder
from sim.control.draws import Draws
from sim.control.roles import (
    AutomationLike,
    ClusterApi,
    CopiesLike,
    DatabaseTruth,
    DnsApi,
    ExposureLike,
    MonitoringLike,
    Observed,
    ProceduresLike,
)
from sim.control.series import Series
from sim.control.waiting import Wait
from sim.data.commands import Command
from sim.data.plane import DataPlane
from sim.names import Names

__all__ = ["Apis", "Context", "Draws", "S", "Wait"]

S = 1_000_000_000
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Sampler = Callable[[I64], Any]

# Facts after which the system has to settle anew.
_DISTURBANCES = ("injection_begun", "effect_seen", "lifted", "step_started", "step_finished", "procedure_finished")


class Clock(simpy.Environment):
    """SimPy's clock in whole nanoseconds from 0, which can be put forward to where something is due next."""

    def put(self, now_ns: int) -> None:
        """Put it to an instant; what is due then is still to come."""
        assert self.now <= now_ns <= self.peek(), "the clock neither goes back nor jumps over anything"
        self._now = now_ns


class Apis:
    """Control APIs by name, "kubernetes:us-east-1" or "route53", and whether they answer.

    Several reasons may hold an API down at once; it answers again when the last one is gone.
    """

    def __init__(self, env: simpy.Environment) -> None:
        self._env = env
        self._down: dict[str, int] = defaultdict(int)
        self._changed = env.event()

    def up(self, name: str) -> bool:
        """Whether the API answers now."""
        return self._down[name] == 0

    def set(self, name: str, *, up: bool) -> None:
        """Count one more (or one less) reason for which it does not answer."""
        self._down[name] = max(0, self._down[name] + (-1 if up else 1))
        changed, self._changed = self._changed, self._env.event()
        changed.succeed()

    def wait(self, names: tuple[str, ...]) -> Wait:
        """Wait until all of them answer."""
        while not all(self.up(name) for name in names):
            yield self._changed

    @staticmethod
    def of_region(region: str, *, dns_there: bool) -> tuple[str, ...]:
        """APIs that are lost with a region; `dns_there`: it hosts the control plane of Route 53 too."""
        there = tuple(f"{api}:{region}" for api in ("kubernetes", "rds", "lambda", "s3"))
        return (*there, "route53") if dns_there else there


@dataclass(frozen=True)
class PageProbe:
    """One test page: sent towards the receiver, and when it came (None: not within its timeout)."""

    intended_ns: int
    region: str | None  # whose Alertmanager delivered it
    done_ns: int | None


class Context:
    """Shared by the mechanisms of one trial. Times in ns of the SimPy clock, an integer.

    The parts of the control plane are set before the clock starts and see each other through `sim.control.roles`.
    """

    clusters: dict[str, ClusterApi]
    dns: DnsApi
    database: DatabaseTruth
    copies: CopiesLike
    monitoring: MonitoringLike
    exposure: ExposureLike
    automation: AutomationLike
    procedures: ProceduresLike
    observed: Observed

    def __init__(
        self, resolved: Resolved, seed: int, trial: int, plane: DataPlane, names: Names, recorder: Recorder
    ) -> None:
        self.env = Clock(initial_time=0)
        self.resolved = resolved
        self.topology = resolved.topology
        self.parameters = resolved.parameters
        self.plane = plane
        self.names = names
        self.recorder = recorder
        self.draws = Draws(resolved, seed, trial)
        self.apis = Apis(self.env)
        self.last_action_ns = 0  # last fault, lift or procedure step
        self.running = 0  # procedures under way
        self.happenings = 0  # occurrences of the control plane so far
        self.last_fact = ""
        self.samplers: list[tuple[str, str, Sampler]] = []
        self.page_probes: list[PageProbe] = []  # taken by the recording at each flush
        self._waiting: list[tuple[str, str | None, simpy.Event]] = []
        self._seen: dict[tuple[str, str | None], dict[str, Any]] = {}

    @property
    def now_ns(self) -> int:
        """The clock."""
        return int(self.env.now)

    def on(self, switch: str) -> bool:
        """Whether a mechanism is switched on."""
        return self.parameters.on(f"switches.{switch}")

    def ns(self, parameter: str) -> int:
        """A constant duration in nanoseconds."""
        return self.parameters.duration_us(parameter) * 1_000

    def command(self, command: Command, a: int = 0, b: int = 0, c: int = 0) -> None:
        """Tell the data plane."""
        self.plane.command(command, a, b, c)

    def mark(self, kind: str, subject: str, *, source_t_us: int | None = None, **detail: Any) -> None:
        """Record a fact and wake those who wait for it."""
        self.recorder.mark(self.now_ns // 1_000, kind, subject, source_t_us=source_t_us, **detail)
        self.last_fact = f"{kind.replace('_', ' ')}: {subject}"
        if kind in _DISTURBANCES:
            self.last_action_ns = self.now_ns
        fact = {"kind": kind, "subject": subject, **detail}
        self._seen.setdefault((kind, subject), fact)
        self._seen.setdefault((kind, None), fact)
        due = [w for w in self._waiting if w[0] == kind and w[1] in (None, subject)]
        if due:
            self._waiting = [w for w in self._waiting if not (w[0] == kind and w[1] in (None, subject))]
        for _, _, event in due:
            event.succeed(fact)

    def acted(self) -> None:
        """A fault, a lift or a step took place: the system has to settle anew."""
        self.last_action_ns = self.now_ns

    def when(self, kind: str, subject: str | None = None) -> simpy.Event:
        """Event of the next fact of this kind (and subject); its value is the fact's detail."""
        event = self.env.event()
        self._waiting.append((kind, subject, event))
        return event

    def fact(self, trigger: Trigger) -> Wait:
        """Wait for the fact of a timeline trigger: the first of its kind (and subject). Its delay is still to come."""
        if (trigger.mark, trigger.subject) not in self._seen:
            yield self.when(trigger.mark, trigger.subject)

    def series(self, subject: str, name: str, value: float = 0.0) -> Series:
        """Make a piecewise linear quantity that is sampled each second into the record."""
        series = Series(self.env, value)
        self.sampler(subject, name, series.at)
        return series

    def sampler(self, subject: str, name: str, values: Sampler) -> None:
        """Have `values(instants in ns)` sampled each second into the record's `samples`."""
        self.samplers.append((subject, name, values))

    def stations(self, region: str) -> list[int]:
        """Stations of a region."""
        return [n for (r, _), n in self.names.station.items() if r == region]
