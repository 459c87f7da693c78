"""Play one trial of a scenario: the two planes side by side until the system has settled, then the readback.

The loop peeks SimPy's next instant H, lets the data plane perform everything strictly before H, and only then steps, so
that neither clock passes the other. Where a watch stops the data plane earlier, SimPy gets an occurrence there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from scenarios.errors import Problem, UsageError
from scenarios.files.resolved import Resolved
from scenarios.record.writer import Recorder
from sim.build import system
from sim.control.caches import Caches
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
from sim.recording import PAGE_TIMEOUT_NS, Recording

I64 = NDArray[np.int64]
SECOND = 1_000_000_000
LEAST_SUSTAIN_NS = 60 * SECOND
THROUGHPUT_WINDOW_NS = 60 * SECOND
IN_FLIGHT_NS = PAGE_TIMEOUT_NS + SECOND  # after the load has stopped, until its last requests and pages have ended
CLEAN_UP_NS = 900 * SECOND  # what is not gone by then is left behind
LEDGER_PER_S = 5.0  # writes a second that stand for all orders at fidelity control
FLUSH_NS = {"request": 10 * SECOND, "control": 60 * SECOND}  # a flush costs as much as ten thousand requests
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
    return World(resolved, seed, trial, recorder, fidelity, progress or _no_progress).play()


def _no_progress(now_us: int, at_most_us: int, words: str) -> None:
    """Nobody looks."""


def _plane(built: System, offered: Load, fidelity: str) -> DataPlane:
    if fidelity == "control":
        return StatePlane(built, offered)
    from sim.data.event_plane import EventPlane  # compiles the kernel, which fidelity control does not need

    return EventPlane(built)


class World:
    """One trial under way."""

    def __init__(
        self,
        resolved: Resolved,
        seed: int,
        trial: int,
        recorder: Recorder,
        fidelity: str,
        progress: Progress = _no_progress,
        *,
        flush_ns: int | None = None,
    ) -> None:
        built, names = system(resolved, seed, trial)
        offered = load(resolved)
        self._plane = _plane(built, offered, fidelity)
        self._context = Context(resolved, seed, trial, self._plane, names, recorder)
        self._progress = progress
        self._flush_ns = flush_ns or FLUSH_NS[fidelity]
        self._queues = fidelity == "request"
        thinned = min(1.0, LEDGER_PER_S / resolved.scenario.workload.rate_per_s)
        sent = offered.scaled(thinned) if fidelity == "control" else offered
        self._arrivals = Arrivals(sent.points_ns, sent.rates_per_s, stream_key(seed, trial, "client", "arrivals"))
        self._sending = True
        self._due: I64 = np.zeros(0, dtype=np.int64)  # fed, and not yet recorded as sent
        self._install(built)
        # Orders enter the data plane at their instants: its sender is never late.
        self._context.sampler("client", "sender_lag_us_p99", lambda instants_ns: np.zeros(len(instants_ns)))
        self._recording = Recording(self._context)

    def _install(self, built: System) -> None:
        context = self._context
        clusters = {region: Cluster(context, region) for region in context.topology.regions}
        self._observed = Observations(context, clusters)
        context.observed = self._observed
        context.clusters = dict(clusters)
        dns = Dns(context, Caches(built))
        context.dns = dns
        install(context)
        self._faults = Faults(context, clusters, dns, self._observed)

    # --- the two clocks

    def play(self) -> RunEnd:
        """Play to the end, clean up, read back."""
        context = self._context
        context.mark("load_started", "client")
        self._recording.before()
        self._faults.start()
        reason = self._until_the_end()
        end_ns = context.now_ns
        context.mark("run_ended", "run", reason=reason)
        context.command(Command.SEND, 0)
        self._sending = False
        context.mark("load_stopped", "client")
        self._advance(end_ns + IN_FLIGHT_NS)
        self._scrape()
        self._flush(final=True)
        timelines, surviving = context.database.timelines(), context.database.surviving
        self._clean_up()
        self._recording.readback(timelines, context.now_ns // 1_000)
        for timeline in timelines:
            context.mark("readback_done", timeline.name, timeline=timeline.name)
        counts = self._recording.counts | {"control_happenings": context.happenings}
        return RunEnd("complete", end_ns // 1_000, surviving, counts)

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
            self._play(min(last_ns, (now // self._flush_ns + 1) * self._flush_ns, settled_ns or last_ns))
            self._flush()

    def _play(self, until_ns: int) -> None:
        """Advance to an instant; on the way the queues are sampled each second, and whoever looks is told."""
        context = self._context
        at_most_us = context.resolved.scenario.workload.at_most_us
        while (now := context.now_ns) < until_ns:
            self._advance(min(until_ns, (now // SECOND + 1) * SECOND) if self._queues else until_ns)
            self._scrape()
            self._progress(context.now_ns // 1_000, at_most_us, context.last_fact)

    def _scrape(self) -> None:
        if self._queues:
            self._recording.queues(self._plane.counters())

    def _settled_ns(self) -> int | None:
        """When the run will have settled if nothing more happens; None: something is still to come or under way.

        Every service good for the sustain window since the last fault, lift or step, then a window for throughput.
        """
        context = self._context
        if self._faults.pending or context.running:
            return None
        sustain = max(LEAST_SUSTAIN_NS, 2 * context.topology.dns.ttl_us * 1_000)
        quiet_since = max(self._recording.goodness.bad_until_ns, context.last_action_ns)
        return -(-(quiet_since + sustain + THROUGHPUT_WINDOW_NS) // SECOND) * SECOND

    def _advance(self, until_ns: int) -> None:
        """Perform everything of both planes strictly before an instant, and put both clocks there."""
        env = self._context.env
        while True:
            horizon = min(until_ns, int(env.peek()))
            self._feed(horizon)
            stop = self._plane.advance(horizon)
            if stop.watch >= 0:
                env.timeout(stop.at_ns - env.now).callbacks.append(partial(self._watch_fired, stop.watch))
            elif horizon < until_ns:
                env.step()
                self._context.happenings += 1
            else:
                break
        env.put(until_ns)

    def _watch_fired(self, number: int, _: object) -> None:
        self._observed.watch_fired(number)

    def _feed(self, horizon_ns: int) -> None:
        while self._plane.needs_arrivals_before(horizon_ns):
            fresh = self._arrivals.take(horizon_ns)
            self._plane.feed(fresh)
            if self._sending:
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

    def _clean_up(self) -> None:
        """Lift what still holds and wait until it is seen to be gone; nothing of it is judged."""
        context = self._context
        self._faults.clean_up()
        give_up_ns = context.now_ns + CLEAN_UP_NS
        while self._faults.going and context.now_ns < give_up_ns:
            self._advance(context.now_ns + SECOND)
        for name in sorted(self._faults.going):
            context.mark("left_behind", name, what=name)
