"""The rows of the table: what is measured for each, and what it should be (DESIGN, Speed)."""

import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

from scenarios.files.load import load
from scenarios.record.writer import MemoryRecorder
from sim import world
from sim.control.state_plane import StatePlane
from sim.recording import Recording
from sim.reference.reference_plane import ReferencePlane
from tests.bench import draws_alone, kernel, native
from tests.bench.baseline.common import differing
from tests.bench.baseline.product import Product
from tests.bench.baseline.product_callbacks import ProductCallbacks
from tests.bench.baseline.simple import Simple
from tests.bench.baseline.simple_callbacks import SimpleCallbacks
from tests.bench.cases import LEAST, OVERLOAD, Case, product, simple
from tests.bench.measure import Clock, Contender, Times, interleaved, ratio

Say = Callable[[str], None]
MINUTES = 45.0


@dataclass(frozen=True)
class Row:
    """One measured thing. `gate` and `goal` are limits from below for "x faster", else from above."""

    name: str
    unit: str
    measured: float | None
    goal: float | None = None
    gate: float | None = None
    more_is_better: bool = False
    spread: str = ""
    detail: str = ""
    differing: int | None = None  # facts that the two sides do not have in common; None: nothing to compare

    def meets(self, limit: float | None) -> bool | None:
        """Whether the row is within a limit; None: no limit, or nothing measured."""
        if limit is None or self.measured is None:
            return None
        return self.measured >= limit if self.more_is_better else self.measured <= limit

    @property
    def stops(self) -> bool:
        """Whether a change must not go on: sides that differ, or a missed gate."""
        return bool(self.differing) or not self.passes

    @property
    def passes(self) -> bool:
        """Whether its gate is met and both sides agree; what has a gate and was not measured does not pass."""
        if self.differing:
            return False
        return self.gate is None or self.meets(self.gate) is True


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    simple_s: float  # simulated
    product_s: float
    everything: bool  # also what has no gate


GATES = Plan(rounds=7, simple_s=10.0, product_s=6.0, everything=False)
BENCH = Plan(rounds=7, simple_s=60.0, product_s=24.0, everything=True)


@dataclass(frozen=True)
class Against:
    """A row of the kernel against the baselines."""

    case: Case
    processes: type[Simple] | type[Product]
    callbacks: type[SimpleCallbacks] | type[ProductCallbacks]
    goal: float
    gate: float
    goal_ns: float | None = None  # an occurrence, draws included
    alone: bool = False  # also the draws alone, and C


def rows(plan: Plan, say: Say, only: str = "") -> Iterator[Row]:
    """Rows of a plan in the order of DESIGN's table; `only` those of groups whose names contain this."""
    for name, measured in _groups(plan, say).items():
        if only in name:
            yield from measured()


def _groups(plan: Plan, say: Say) -> dict[str, Callable[[], Iterable[Row]]]:
    groups: dict[str, Callable[[], Iterable[Row]]] = {
        "product": lambda: _against(
            Against(product("product", plan.product_s), Product, ProductCallbacks, 150, 80, 45), plan, say
        )
    }
    for name, overrides, goal, gate in (
        ("simple", {}, 250, 100),
        ("simple, overloaded", OVERLOAD, 450, 200),
        ("least connections", LEAST, 200, 100),
        ("least connections, overloaded", LEAST | OVERLOAD, 350, 200),
    ):
        groups[name] = partial(_simple, name, overrides, goal, gate, plan, say)
    groups["memory"] = lambda: _memory(say)
    if plan.everything:
        groups["control plane"] = lambda: [_control_plane(say)]
    return groups


def _simple(name: str, overrides: Mapping[str, str], goal: float, gate: float, plan: Plan, say: Say) -> Iterator[Row]:
    case = simple(name, plan.simple_s, overrides)
    against = Against(case, Simple, SimpleCallbacks, goal, gate, alone=not overrides)
    yield from _against(against, plan, say)


# --- the kernel against SimPy


def _against(this: Against, plan: Plan, say: Say) -> Iterator[Row]:
    case = this.case
    arrivals = case.arrivals()
    say(f"{case.name}: compiling and comparing")
    played = kernel.play(case)
    inputs = (case.system, arrivals, case.script, case.until_ns)
    unlike = differing(this.processes(*inputs).play(), played.chunks)
    contenders = {
        "kernel": Contender(lambda: kernel.play(case, keep=False), compiled=True),
        "processes": Contender(lambda: this.processes(*inputs).play()),
    }
    if this.alone:
        contenders["draws"] = Contender(lambda: draws_alone.draw(case, len(arrivals)), compiled=True)
    if plan.everything:
        unlike += differing(this.callbacks(*inputs).play(), played.chunks)
        contenders["callbacks"] = Contender(lambda: this.callbacks(*inputs).play(), collects=False)
        contenders["reference"] = Contender(lambda: _reference(case), rounds=3)
    compiled = _native(case, contenders) if this.alone and plan.everything else None
    if compiled is not None:
        unlike += native.differing(compiled.play(case), played.chunks)
    times = interleaved(contenders, plan.rounds, lambda words: say(f"{case.name}: {words}"))
    yield _speed(this, times, played.events, len(arrivals), unlike)
    if this.alone:
        yield from _beside(times, len(arrivals))


def _speed(this: Against, times: Times, events: int, requests: int, unlike: int) -> Row:
    found = ratio(times["processes"], times["kernel"])
    each = {name: min(taken) / requests * 1e6 for name, taken in times.items()}
    words = [
        f"{requests:,} requests in {this.case.until_ns / 1e9:g} simulated seconds",
        f"kernel {each['kernel'] * 1e3:.0f} ns a request, {events / requests:.2f} events a request, "
        f"{min(times['kernel']) / events * 1e9:.0f} ns an event",
        f"SimPy processes {each['processes']:.1f} us a request",
    ]
    if this.goal_ns is not None:
        words[1] += f" (goal {this.goal_ns:g} plus draws)"
    if "callbacks" in each:
        other = ratio(times["callbacks"], times["kernel"])
        words.append(f"callbacks without gc {each['callbacks']:.1f} us ({other.of_minima:.0f}x)")
    if "reference" in each:
        words.append(f"reference model {each['reference']:.1f} us")
    return Row(
        this.case.name,
        "x faster",
        found.of_minima,
        this.goal,
        this.gate,
        more_is_better=True,
        spread=f"median {found.median:.0f}, {found.low:.0f} to {found.high:.0f}",
        detail="; ".join(words),
        differing=unlike,
    )


def _reference(case: Case) -> None:
    plane = ReferencePlane(case.system)
    plane.feed(case.source().take(case.until_ns))
    for entry in case.script:
        plane.advance(entry.at_ns)
        plane.command(entry.command, entry.a, entry.b, entry.c)
    plane.advance(case.until_ns)
    plane.drain(final=True)


def _native(case: Case, contenders: dict[str, Contender]) -> native.Native | None:
    cc = native.compiler()
    if cc is None:
        return None
    program = native.Native(cc)
    contenders["native"] = Contender(lambda: program.play(case), compiled=True)
    return program


def _beside(times: Times, requests: int) -> Iterator[Row]:
    """The simple system against its draws alone, and against C."""
    found = ratio(times["kernel"], times["draws"])
    yield Row(
        "simple, cost as a multiple of its draws alone",
        "x",
        found.of_minima,
        goal=3.5,
        gate=6.0,
        spread=f"median {found.median:.2f}, {found.low:.2f} to {found.high:.2f}",
        detail=f"drawing {min(times['draws']) / requests * 1e9:.0f} ns a request",
    )
    if "native" in times:
        found = ratio(times["kernel"], times["native"])
        yield Row(
            "simple, against C -O3",
            "x",
            found.of_minima,
            goal=1.3,
            spread=f"median {found.median:.2f}, {found.low:.2f} to {found.high:.2f}",
            detail=f"C {min(times['native']) / requests * 1e9:.0f} ns a request, without what the simple system "
            "does not use",
        )


# --- memory, ledger, control plane


def _memory(say: Say) -> Iterator[Row]:
    say(f"memory: {MINUTES:g} simulated minutes with the record on")
    for minutes in (0.1, MINUTES):  # the first compiles, if need be
        command = [sys.executable, "-m", "tests.bench.memory", str(minutes)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    yield Row(
        "27 million requests with the record on",
        "MB",
        found["peak_mb"],
        goal=250,
        gate=400,
        spread=f"grows {_growth_mb_a_minute(found['samples']):.2f} MB a simulated minute",
        detail=f"{found['requests']:,} requests in {MINUTES:g} min; {found['before_mb']:.0f} MB before the kernel is "
        f"there, {found['samples'][-1][1]:.0f} MB at the end of the run, {found['after_readback_mb']:.0f} after the "
        f"readback, {found['closed_mb']:.0f} after closing",
    )
    requests = found["requests"]
    yield Row(
        "recording",
        "ns a request",
        found["recording_s"] / requests * 1e9,
        detail=f"ledger, load and probes while the run goes on; closing {found['closing_s'] / requests * 1e9:.0f} ns; "
        f"whole trial {found['cpu_s'] / requests * 1e9:.0f} ns; {found['record_bytes'] / requests:.1f} bytes on disk",
    )


def _growth_mb_a_minute(samples: list[list[float]]) -> float:
    """Slope of memory over the second half of the run, by least squares."""
    late = samples[len(samples) // 2 :]
    middle_s = sum(t for t, _ in late) / len(late)
    middle_mb = sum(mb for _, mb in late) / len(late)
    across = sum((t - middle_s) ** 2 for t, _ in late)
    return 60.0 * sum((t - middle_s) * (mb - middle_mb) for t, mb in late) / across


def _control_plane(say: Say) -> Row:
    """A trial at fidelity `control`, without its data plane and its recording."""
    resolved = load("region-loss-automatic")
    whole, alone, lasted_s = [], [], 0.0
    for trial in range(4):
        say(f"control plane: trial {trial + 1} of 4")
        other = Clock()
        begun = time.process_time()
        with ExitStack() as stack:
            for kind, names in ((StatePlane, ("advance", "drain")), (Recording, ("sent", "flush", "readback"))):
                for name in names:
                    stack.enter_context(patch.object(kind, name, other.around(getattr(kind, name))))
            end = world.run(resolved, 1, 0, MemoryRecorder(), fidelity="control")
        whole.append(time.process_time() - begun)
        alone.append(whole[-1] - other.seconds)
        lasted_s = end.duration_us / 1e6
    scale = MINUTES * 60 / lasted_s
    return Row(
        "control plane, a 45-minute trial",
        "s",
        min(alone) * scale,
        goal=0.3,
        spread=f"{min(alone) * scale:.2f} to {max(alone[1:]) * scale:.2f}",
        detail=f"region-loss-automatic: {lasted_s / 60:.1f} simulated minutes in {min(alone):.2f} s, "
        f"{min(whole):.2f} s with the data plane of fidelity control and the recording",
    )


def as_json(row: Row) -> dict[str, Any]:
    """The row as plain values."""
    return dataclasses.asdict(row) | {"passes": row.passes}
