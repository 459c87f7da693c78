"""Play one trial of a scenario: the two planes side by side until the system has settled, then the readback.

The loop peeks SimPy's next instant H, lets the data plane perform everything strictly before H, and only then steps, so
that neither clock passes the other. Where a watch stops the data plane earlier, SimPy gets an occurrence there.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenarios.errors import Problem, UsageError
from scenarios.files.resolved import Resolved
from scenarios.record.writer import Recorder
from sim.build import system
from sim.control.cluster import Cluster
from sim.control.context import Context
from sim.control.dns import Dns
from sim.control.faults import Faults
from sim.control.observed import Observations
from sim.control.operations import install
from sim.control.state_plane import StatePlane
from sim.data.arrivals import Arrivals
from sim.data.commands import Command
from sim.data.draws import stream_key
from sim.data.plane import DataPlane
from sim.data.system import System
from sim.load import Load, load
from sim.recording import Recording

I64 = NDArray[np.int64]
SECOND = 1_000_000_000
LEAST_SUSTAIN_NS = 60 * SECOND
THROUGHPUT_WINDOW_NS = 60 * SECOND
IN_FLIGHT_NS = 10 * SECOND  # after the load has stopped, until its last requests have ended
LEDGER_PER_S = 5.0  # writes a second that stand for all orders at fidelity control
FLUSH_NS = {"request": SECOND, "control": 30 * SECOND}
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class RunEnd:
    """How a trial ended. `duration_us`: end of the judged interval. `counts`: requests, probes, control happenings."""

    termination: str
    duration_us: int
    surviving_timeline: str
    counts: dict[str, int]


def run(
    resolved: Resolved,
    seed: int,
    trial: int,
    recorder: Recorder,
    *,
    fidelity: str = "request",
    progress: Progress | None = None,
) -> RunEnd:
    """Play one trial and record its facts. Raises UsageError for a fidelity level that does not exist."""
    if fidelity not in FLUSH_NS:
        found = f"fidelity {fidelity}"
        raise UsageError(Problem("--fidelity", found, f"one of {', '.join(FLUSH_NS)}", "Leave it out for `request`."))
    return _World(resolved, seed, trial, recorder, fidelity, progress or _no_progress).play()


def _no_progress(now_us: int, at_most_us: int, words: str) -> None:
    """Nobody looks."""


def _plane(built: System, offered: Load, fidelity: str) -> DataPlane:
    if fidelity == "control":
        return StatePlane(built, offered.at)
    from sim.data.event_plane import EventPlane  # compiles the kernel, which fidelity control does not need

    return EventPlane(built)


class _World:
    """One trial under way."""

    def __init__(
        self, resolved: Resolved, seed: int, trial: int, recorder: Recorder, fidelity: str, progress: Progress
    ) -> None:
        built, names = system(resolved, seed, trial)
        offered = load(resolved)
        self._plane = _plane(built, offered, fidelity)
        self._context = Context(resolved, seed, trial, self._plane, names, recorder)
        self._progress = progress
        self._flush_ns = FLUSH_NS[fidelity]
        sent = (
            offered if fidelity == "request" else offered.scaled(LEDGER_PER_S / resolved.scenario.workload.rate_per_s)
        )
        self._arrivals = Arrivals(sent.points_ns, sent.rates_per_s, stream_key(seed, trial, "client", "arrivals"))
        self._due: I64 = np.zeros(0, dtype=np.int64)  # fed, and not yet recorded as sent
        self._install()
        self._recording = Recording(self._context)

    def _install(self) -> None:
        context = self._context
        clusters = {region: Cluster(context, region) for region in context.topology.regions}
        self._observed = Observations(context, clusters)
        context.observed = self._observed
        context.clusters = dict(clusters)
        context.dns = Dns(context)
        install(context)
        self._faults = Faults(context, clusters)

    # --- the two clocks

    def play(self) -> RunEnd:
        """Play to the end, clean up, read back."""
        context = self._context
        context.mark("load_started", "client")
        self._faults.start()
        reason = self._until_the_end()
        end_ns = context.now_ns
        context.mark("run_ended", "run", reason=reason)
        context.command(Command.SEND, 0)
        context.mark("load_stopped", "client")
        self._advance(end_ns + IN_FLIGHT_NS)
        self._faults.clean_up()
        self._flush(final=True)
        self._read_back()
        counts = self._recording.counts | {"control_happenings": context.happenings}
        return RunEnd("complete", end_ns // 1_000, context.database.surviving, counts)

    def _until_the_end(self) -> str:
        """Advance until the run has settled, or its time is over; return which."""
        workload = self._context.resolved.scenario.workload
        at_most_ns = workload.at_most_us * 1_000
        fixed = workload.duration if isinstance(workload.duration, int) else None
        last_ns = at_most_ns if fixed is None else min(at_most_ns, fixed * 1_000)
        while True:
            now = self._context.now_ns
            settled_ns = self._settled_ns() if fixed is None else None
            if settled_ns is not None and settled_ns <= now:
                self._context.mark("settled", "run")
                return "settled"
            if now >= last_ns:
                return "at most"
            self._advance(min(last_ns, now // self._flush_ns * self._flush_ns + self._flush_ns, settled_ns or last_ns))
            self._flush()
            self._progress(self._context.now_ns // 1_000, at_most_ns // 1_000, self._context.last_fact)

    def _settled_ns(self) -> int | None:
        """When the run will have settled if nothing more happens; None: something is still to come or under way."""
        context = self._context
        if self._faults.pending or context.running:
            return None
        sustain = max(LEAST_SUSTAIN_NS, 2 * context.topology.dns.ttl_us * 1_000)
        quiet_since = max(self._recording.goodness.bad_until_ns, context.last_action_ns)
        return -(-(quiet_since + sustain + THROUGHPUT_WINDOW_NS) // SECOND) * SECOND

    def _advance(self, until_ns: int) -> None:
        """Perform everything of both planes before an instant, and put both clocks there."""
        env = self._context.env
        env.timeout(until_ns - env.now).callbacks.append(self._arrive)
        self._there = False
        while not self._there:
            horizon = int(env.peek())
            self._feed(horizon)
            stop = self._plane.advance(horizon)
            if stop.watch >= 0:
                fired = env.timeout(stop.at_ns - env.now)
                fired.callbacks.append(lambda _, number=stop.watch: self._observed.watch_fired(number))
                continue
            env.step()
            self._context.happenings += 1

    def _arrive(self, _: object) -> None:
        self._there = True

    def _feed(self, horizon_ns: int) -> None:
        while self._plane.needs_arrivals_before(horizon_ns):
            fresh = self._arrivals.take(horizon_ns)
            self._plane.feed(fresh)
            self._due = np.concatenate([self._due, fresh])

    # --- the record

    def _flush(self, *, final: bool = False) -> None:
        """Record everything up to the clock. What is due after the load has stopped is never sent."""
        now = self._context.now_ns
        if not final:
            gone = int(np.searchsorted(self._due, now, side="left"))
            self._recording.sent(self._due[:gone])
            self._due = self._due[gone:]
        self._recording.flush(self._plane.drain(final=final), now)

    def _read_back(self) -> None:
        context = self._context
        self._recording.readback(context.now_ns // 1_000)
        for timeline in context.database.timelines():
            context.mark("readback_done", f"{timeline.name}", timeline=timeline.name)
