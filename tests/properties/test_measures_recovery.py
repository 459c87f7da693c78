"""Recovery time against the truth: random outages, seen through probes that are thinned, lost, late or shifted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.record.marks import Mark
from tests.records import EAST, NOTHING, NULL, YES, Run, us
from validators.judge import decide
from validators.measures import recovery_time
from validators.model import Measurement, Result

END_S, BEGUN_S, LIMIT_S = 600.0, 100.0, 200.0
PROBE_US = 50_000
SETTINGS = settings(max_examples=30, deadline=None, derandomize=True)


@dataclass(frozen=True)
class Truth:
    """What happened: risk was bad in each [from, to), because of a fault that took effect at `effect_us`."""

    effect_us: int
    seen_us: int | None
    outages: tuple[tuple[int, int], ...]

    @property
    def took_us(self) -> int:
        """The recovery time that nobody can measure exactly."""
        return self.outages[-1][1] - self.effect_us if self.outages else 0


@st.composite
def truths(draw: st.DrawFn, least_us: int = 5 * PROBE_US) -> Truth:
    """Up to four outages, each longer than `least_us`, sustained recovery at the end."""
    effect = us(BEGUN_S) + draw(st.integers(0, us(5)))
    edges: list[tuple[int, int]] = []
    at = effect
    for _ in range(draw(st.integers(1, 4))):
        start = at if not edges else at + draw(st.integers(us(6), us(60)))
        at = start + draw(st.integers(least_us, us(60)))
        edges.append((start, at))
    seen = draw(st.one_of(st.none(), st.integers(effect, effect + us(3))))
    return Truth(effect, seen, tuple(edges))


def played(truth: Truth) -> Run:
    """The run as its probes saw it."""
    run = Run(end_s=END_S).limit("rto.risk", limit_us=us(LIMIT_S)).well("risk").without("effect_seen")
    run.move("injection_begun", BEGUN_S)
    run.load = []  # no matter here
    if truth.seen_us is not None:
        run.mark(truth.seen_us / 1e6, "effect_seen", "region-loss:0", fault="region-loss")
    for from_us, to_us in truth.outages:
        run.outage("risk", from_us / 1e6, to_us / 1e6)
    return run


def measured(run: Run) -> Measurement:
    """The verdict's clock."""
    return recovery_time.measure(run.observations(), run.objective("rto.risk"))[0]


def result(run: Run) -> Result:
    """What the judge would say."""
    return decide(measured(run), LIMIT_S)


def high(found: Measurement) -> float:
    """Upper bound; nothing bounds it when there is none."""
    return inf if found.high is None else found.high


def brief(found: Measurement) -> tuple[Any, ...]:
    """What must not change when nothing that counts did."""
    detail = {k: v for k, v in found.detail.items() if k not in ("begun_us", "back_us")}
    return found.value, found.low, found.high, len(found.doubts), len(found.faults), found.samples, detail


@pytest.mark.proves("the interval of a recovery time contains the true one, whatever the outages")
@given(truths())
@SETTINGS
def test_interval_contains_the_truth(truth: Truth) -> None:
    found = measured(played(truth))
    assert not found.doubts
    assert not found.faults
    assert found.low is not None
    assert found.low <= truth.took_us / 1e6 <= high(found)
    seen = truth.seen_us if truth.seen_us is not None else truth.effect_us + PROBE_US
    assert high(found) - found.low <= (seen - us(BEGUN_S) + 2 * PROBE_US) / 1e6


@given(truths(), st.floats(0.0, 1.0), st.integers(1, 1000))
@SETTINGS
def test_interval_contains_the_truth_with_single_misses(truth: Truth, phase: float, seed: int) -> None:
    run = played(truth)
    misses = np.arange(BEGUN_S + 10 + 5 * phase, END_S - 1, 5.0 + 2 * np.random.default_rng(seed).random())
    clear = [t for t in misses.tolist() if all(not a - us(6) <= us(t) <= b + us(6) for a, b in truth.outages)]
    found = measured(run.miss("risk", *clear))
    assert found.low is not None
    assert found.low <= truth.took_us / 1e6 <= high(found)


@given(truths(), st.integers(-1000, 2000))
@SETTINGS
def test_shifting_all_times_shifts_nothing(truth: Truth, steps: int) -> None:
    run = played(truth)
    before, by_us = measured(run), steps * PROBE_US
    for probes in run.probes:
        for name in ("intended", "sent", "done", "as_of"):
            column = getattr(probes, name)
            setattr(probes, name, np.where(column == NULL, NULL, column + by_us))
    run.marks = [replace(m, t_us=m.t_us + by_us) for m in run.marks]
    run.samples = {k: (t + by_us, v) for k, (t, v) in run.samples.items()}
    after = measured(run.says(duration_us=run.head["duration_us"] + by_us))
    assert brief(replace(after, samples=before.samples)) == brief(before)


@given(truths(least_us=us(3)), st.integers(2, 40))
@SETTINGS
def test_thinning_probes_widens_the_interval(truth: Truth, every: int) -> None:
    dense, sparse = measured(played(truth)), measured(played(truth).thinned("risk", every))
    assert dense.low is not None
    assert sparse.low is not None
    assert sparse.low <= dense.low
    assert high(sparse) >= high(dense)
    assert sparse.low <= truth.took_us / 1e6 <= high(sparse)


@pytest.mark.proves("one more wrong answer never makes a recovery shorter")
@given(truths(), st.floats(BEGUN_S, END_S - 1))
@SETTINGS
def test_one_more_wrong_probe_never_shortens_it(truth: Truth, at_s: float) -> None:
    before, after = measured(played(truth)), measured(played(truth).miss("risk", at_s))
    assert before.low is not None
    assert after.low is not None
    assert after.low >= before.low
    assert high(after) >= high(before)


@pytest.mark.proves("leaving probes out never turns a verdict into PASS, or into FAIL")
@given(truths(), st.floats(BEGUN_S - 10, END_S), st.floats(0.01, 120))
@SETTINGS
def test_a_stretch_without_probes_never_helps(truth: Truth, from_s: float, length_s: float) -> None:
    seen, unseen = result(played(truth)), result(played(truth).unprobed("risk", from_s, from_s + length_s))
    assert unseen in (seen, Result.INCONCLUSIVE)


@given(truths(), st.floats(0.001, 0.5), st.booleans(), st.integers(0, 10**6))
@SETTINGS
def test_scattered_missing_probes_never_help(truth: Truth, share: float, recorded: bool, seed: int) -> None:
    seen, run = result(played(truth)), played(truth)
    for probes in run.of("risk"):
        lost = np.random.default_rng(seed).random(len(probes.intended)) < share
        if recorded:
            probes.sent[lost], probes.done[lost], probes.right[lost] = NULL, NULL, NOTHING
        else:
            probes.keep(~lost)
    assert result(run) in (seen, Result.INCONCLUSIVE)


@given(truths(), st.lists(st.floats(BEGUN_S, END_S - 1), min_size=1, max_size=3), st.integers(0, 10**6))
@SETTINGS
def test_missing_probes_do_not_hide_wrong_ones(truth: Truth, instants_s: Sequence[float], seed: int) -> None:
    """Two wrong probes within a window are an outage; when one of them is missing instead, nobody knows."""
    random = np.random.default_rng(seed)
    wrong, unseen = played(truth), played(truth)
    for instant in instants_s:
        other = min(instant + 0.1 + 4.8 * random.random(), END_S - 0.5)
        wrong.miss("risk", instant, other)
        unseen.miss("risk", instant).unprobed("risk", other, other + PROBE_US / 1e6)
    bad, blind = measured(wrong), measured(unseen)
    assert high(blind) >= high(bad)


@given(truths(), st.floats(BEGUN_S, END_S - 10), st.floats(0.6, 30))
@SETTINGS
def test_probes_sent_late_never_help(truth: Truth, from_s: float, by_s: float) -> None:
    seen, late = result(played(truth)), result(played(truth).late("risk", from_s, from_s + by_s, by_s))
    assert late in (seen, Result.INCONCLUSIVE)


_FACTS = ("automation_detected", "alert_firing", "page_received", "decided", "procedure_started", "step_finished",
          "node_not_ready", "pod_created", "pod_ready", "dns_switched")  # fmt: skip
_DETAIL: dict[str, Any] = {
    "failures": 3, "rules": "intended", "region": EAST, "alert": "x", "severity": "P0", "procedure": "p",
    "actor": "people", "step": "s", "ok": True,
}  # fmt: skip


@pytest.mark.proves("the phases of a recovery abut and sum to its total")
@given(truths(), st.lists(st.tuples(st.sampled_from(_FACTS), st.floats(0, END_S)), max_size=12))
@SETTINGS
def test_phases_sum_to_the_total(truth: Truth, facts: list[tuple[str, float]]) -> None:
    run = played(truth)
    run.marks = [m for m in run.marks if m.kind in ("injection_begun", "effect_seen")]
    run.marks += [Mark(us(t), 100 + i, kind, "p", _DETAIL) for i, (kind, t) in enumerate(facts)]
    found = measured(run)
    phases = found.detail["phases"]
    assert list(phases) == [p for p in ("detect", "decide", "act", "converge") if p in phases]
    assert all(v >= 0 for v in phases.values())
    if phases:
        assert sum(phases.values()) == pytest.approx(high(found))
    else:
        inside = [k for k, t in facts if BEGUN_S <= t <= BEGUN_S + high(found)]
        assert not {"decided", "node_not_ready"} & set(inside)


def test_right_probes_are_what_the_properties_start_from() -> None:
    """Guards the properties: without outages the run is good."""
    run = played(Truth(us(BEGUN_S), us(BEGUN_S), ()))
    assert (measured(run).low, measured(run).high) == (0.0, 0.0)
    assert all((p.right == YES).all() for p in run.of("risk"))
