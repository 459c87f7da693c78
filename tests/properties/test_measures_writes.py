"""Lost, doubled, stray and reordered writes against the truth, and the judge's blindness to the order of rows."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.record.tables import TABLES
from tests.records import ACKED, EFFECT_S, FAULT_S, NEW, NULL, PROMOTED_S, UNKNOWN, Run, us
from validators.judge import judge
from validators.measures import data_loss, house_rules
from validators.measures import integrity as account
from validators.model import Measurement, Result
from validators.observe import observe

SETTINGS = settings(max_examples=30, deadline=None, derandomize=True)
KEYS = st.sets(st.integers(0, 3_600), max_size=8)  # of writes acknowledged before the fault


def light() -> Run:
    """A run with nothing but writes, and nothing lost."""
    run = Run()
    run.load, run.probes, run.samples = [], [], {}
    gone = run.sent[(run.sent[:, 2] >= us(170)) & (run.sent[:, 2] < us(EFFECT_S)), 1]
    run.find(sorted(set(gone.tolist()) - set(run.found[NEW][:, 0].tolist())))
    run.found[NEW][:, 2] = run.found[NEW][:, 0]  # in order of sending
    return run


def lost(run: Run) -> Measurement:
    """Loss of transactions."""
    return data_loss.measure(run.observations(), run.objective("rpo.transactions"))[0]


def count(run: Run, objective: str) -> float | None:
    """Violations of a rule."""
    measure = account.measure if objective.startswith("integrity") else house_rules.measure
    return measure(run.observations(), run.objective(objective))[0].value


@pytest.mark.proves("the interval of a loss contains the true one, wherever replication stopped")
@given(st.integers(us(100), us(EFFECT_S)), st.integers(0, 40_000), st.integers(0, 1_000))
@SETTINGS
def test_loss_contains_the_truth(replicated_us: int, jitter_us: int, seed: int) -> None:
    run = light()
    acked = run.done[:, 2] == ACKED
    run.done[acked, 1] += np.random.default_rng(seed).integers(0, jitter_us + 1, int(acked.sum()))
    before = acked & (run.done[:, 1] < us(PROMOTED_S))
    gone = run.done[before & (run.done[:, 1] >= replicated_us)]
    found = lost(run.forget(gone[:, 0].tolist()))
    assert found.detail["lost"] == len(gone)
    assert found.low is not None
    assert found.high is not None
    if not len(gone):
        assert (found.low, found.high) == (0.0, 0.0)
        return
    until = max(us(FAULT_S), int(gone[:, 1].max()))
    assert found.low <= (until - replicated_us) / 1e6 <= found.high


@given(KEYS, KEYS)
@SETTINGS
def test_loss_by_its_definition(forgotten: set[int], unknown: set[int]) -> None:
    """Any holes: P is the latest instant before which every acknowledged write is recovered."""
    run = light().forget([*forgotten, *unknown])
    for key in unknown:
        run.ended(key, UNKNOWN)
    acked = {int(k): int(t) for k, t, o in run.done.tolist() if o == ACKED}
    gone = sorted(acked[k] for k in forgotten - unknown)
    found = lost(run)
    assert found.detail["lost"] == len(gone)
    assert found.value == (pytest.approx((max(us(FAULT_S), gone[-1]) - gone[0]) / 1e6) if gone else 0.0)


@pytest.mark.proves("losing one more acknowledged write never makes a loss smaller")
@given(KEYS, st.integers(0, 3_600))
@SETTINGS
def test_one_more_lost_write_never_helps(forgotten: set[int], one: int) -> None:
    before, after = lost(light().forget(forgotten)), lost(light().forget([*forgotten, one]))
    assert before.low is not None
    assert after.low is not None
    assert after.low >= before.low
    assert after.high is None or (before.high is not None and after.high >= before.high)


@given(KEYS, KEYS, st.sets(st.integers(10**6, 10**6 + 50), max_size=5))
@SETTINGS
def test_rules_count_what_was_planted(doubled: set[int], again: set[int], stray: set[int]) -> None:
    run = light()
    for key in doubled:
        run.forget([key]).find([key], copies=2)
    run.find(again - doubled).find(stray)
    assert count(run, "rule.no_duplicate_order") == len(doubled | again)
    assert count(run, "rule.nothing_unwritten") == len(stray)


@given(st.permutations(range(40)))
@SETTINGS
def test_reordered_writes_by_brute_force(order: list[int]) -> None:
    """Some write stands before another that was acknowledged before it was sent."""
    run = light()
    rows = run.found[NEW]
    mine = np.flatnonzero(np.isin(rows[:, 0], np.arange(1_000, 1_040)))
    mine = mine[np.argsort(rows[mine, 0])]
    places = np.sort(rows[mine, 2])
    rows[mine, 2] = places[order]
    times = {k: (s, s + 5_000) for _, k, s in run.sent.tolist()}
    log = [k for k, _ in sorted(((1_000 + i, order[i]) for i in range(40)), key=lambda pair: pair[1])]
    assert count(light(), "integrity.order_of_times") == 0.0
    wrong = any(times[one][0] > times[later][1] for i, one in enumerate(log) for later in log[i + 1 :])
    assert (count(run, "integrity.order_of_times") == 1.0) == wrong


@pytest.mark.proves("the order of rows in a record changes no verdict")
@given(st.integers(0, 10**6), st.booleans())
@settings(SETTINGS, max_examples=5)
def test_order_of_rows_changes_nothing(seed: int, bad: bool) -> None:
    random = np.random.default_rng(seed)
    run = Run()
    if bad:
        run.lose(110, EFFECT_S).outage("risk", 480, 490).find([7, 10**9])
    tables = {name: run.table(name) for name in TABLES}
    shuffled = {name: t.take(pa.array(random.permutation(len(t)))) for name, t in tables.items()}
    marks = [run.marks[i] for i in random.permutation(len(run.marks))]
    one = judge(observe(run.head, run.marks, tables.__getitem__))
    other = judge(observe(run.head, marks, shuffled.__getitem__))
    assert one.result is (Result.FAIL if bad else Result.PASS)
    assert other == one


@pytest.mark.proves("judging knows neither world nor seed: only run.json says them, and no verdict changes with them")
@given(
    st.sampled_from(["simulation", "kind", "eks"]),
    st.integers(0, 2**63),
    st.sampled_from(["request", "control", None]),
)
@settings(SETTINGS, max_examples=5)
def test_world_and_seed_change_nothing(source: str, seed: int, fidelity: str | None) -> None:
    run = Run().recovers("risk", 500)
    one = judge(run.observations())
    more = {"evidence_class": source, "run_id": str(seed), "trial": seed % 7, "git_commit": "0" * 40}
    other = judge(run.says(source=source, seed=seed, fidelity=fidelity, **more).observations())
    assert repr(other) == repr(one)


def test_light_is_what_the_properties_start_from() -> None:
    """Guards the properties: nothing is lost, doubled or stray."""
    run = light()
    assert lost(run).value == count(run, "rule.no_duplicate_order") == count(run, "rule.nothing_unwritten") == 0.0
    assert not (run.done == NULL).any()
