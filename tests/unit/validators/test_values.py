"""Exact values of the good run: what is measured, beside what, and in which words."""

import numpy as np
import pytest

from tests.records import BACK_S, EFFECT_S, FAULT_S, NEW, UNKNOWN, Run, us
from tests.unit.validators.plants.figures import takes
from tests.unit.validators.plants.rules import stopped
from validators.judge import judge
from validators.measures import data_loss, house_rules, latency, recovery_time
from validators.measures.episodes import Episode
from validators.measures.goodness import Series, series
from validators.measures.recovery import recover
from validators.model import Measurement


def rows(run: Run, objective: str) -> dict[str, Measurement]:
    """Rows of an objective by name."""
    measure = recovery_time.measure if objective.startswith("rto") else data_loss.measure
    return {m.name: m for m in measure(run.observations(), run.objective(objective))}


def test_bounds_lie_at_single_probes() -> None:
    main = rows(Run(), "rto.risk")["rto.risk"]
    assert main.low == pytest.approx(BACK_S["risk"] - 0.05 - EFFECT_S)
    assert main.high == main.value == pytest.approx(BACK_S["risk"] - FAULT_S)


def test_effect_is_the_landed_probe_or_the_first_wrong_probe_whichever_is_earlier() -> None:
    last = BACK_S["risk"] - 0.05
    lows = [
        rows(run, "rto.risk")["rto.risk"].low
        for run in (Run().move("effect_seen", 185), Run().move("effect_seen", 180.1), Run().without("effect_seen"))
    ]
    assert lows == pytest.approx([last - EFFECT_S, last - 180.1, last - EFFECT_S])


def test_rows_beside_it_count_from_their_own_marks() -> None:
    found = rows(Run().mark(250, "declared", "incident-commander", severity="P0"), "rto.risk")
    assert found["rto.risk.from_detection"].value == pytest.approx(380 - 205)
    assert found["rto.risk.from_declaration"].value == pytest.approx(380 - 250)
    assert found["rto.risk.from_procedure_start"].value == pytest.approx(380 - 206)


def test_missing_mark_leaves_its_row_empty() -> None:
    found = rows(Run().without("procedure_started"), "rto.risk")
    assert found["rto.risk.from_procedure_start"].value is None
    assert found["rto.risk.from_detection"].value == pytest.approx(175)


def test_phases_of_the_good_run() -> None:
    phases = rows(Run(), "rto.risk")["rto.risk"].detail["phases"]
    assert phases == pytest.approx({"detect": 25, "decide": 1, "act": 139, "converge": 35})


def test_phases_of_a_platform_that_mends_itself_abut_whatever_the_order_of_facts() -> None:
    run = Run()
    run.marks = [m for m in run.marks if m.kind in ("injection_begun", "effect_seen")]
    run.mark(200, "node_not_ready", "n").mark(220, "pod_ready", "old").mark(300, "pod_created", "new")
    phases = rows(run, "rto.risk")["rto.risk"].detail["phases"]
    assert phases == pytest.approx({"detect": 20, "decide": 100, "act": 0, "converge": 80})


def test_a_lost_pod_is_noticed_when_something_looks() -> None:
    run = Run()
    run.marks = [m for m in run.marks if m.kind in ("injection_begun", "effect_seen")]
    run.mark(180, "pod_lost", "old", reason="node lost").mark(230, "node_not_ready", "n")
    run.mark(300, "pod_created", "new").mark(330, "pod_ready", "new")
    phases = rows(run, "rto.risk")["rto.risk"].detail["phases"]
    assert phases["detect"] == pytest.approx(50)
    assert phases["decide"] == pytest.approx(70)


def test_what_stands_beside_a_recovery() -> None:
    detail = rows(Run().outage("risk", 400, 410), "rto.risk")["rto.risk"].detail
    assert detail["relapses"] == 1
    assert detail["bad_seconds"] == pytest.approx(380 - EFFECT_S + 10)
    assert detail["stale_share"] == 0.03
    assert detail["failed_user_requests"] == (386 - EFFECT_S) / 0.05


def test_complete_system_waits_for_the_last() -> None:
    found = rows(Run(), "rto.complete")
    assert found["rto.complete"].detail["last"] == "order"
    assert found["rto.complete"].value == pytest.approx(BACK_S["order"] - FAULT_S)
    assert found["rto.complete.redundancy"].value == pytest.approx(500 - FAULT_S)
    assert found["rto.complete.redundancy"].bare


def test_a_lift_before_the_recovery_is_reported_as_after_lift() -> None:
    main, *_ = judge(Run().lifted_by("clean-up", 350).observations("rto.risk")).verdicts
    assert "after lift" in main.reason
    assert "30 s" in main.reason


def test_missing_probes_move_the_upper_bound_only() -> None:
    """One wrong probe in a window is no outage, and neither is one missing; one of each might be."""
    wrong = rows(Run().miss("risk", 384), "rto.risk")["rto.risk"]
    missing = rows(Run().unsent("risk", 383, 383.05), "rto.risk")["rto.risk"]
    both = rows(Run().miss("risk", 384).unsent("risk", 383, 383.05), "rto.risk")["rto.risk"]
    assert wrong.low == missing.low == both.low
    assert wrong.high == missing.high == pytest.approx(BACK_S["risk"] - FAULT_S)
    assert both.high == pytest.approx(383.05 - FAULT_S)  # from then on one in a hundred
    assert not both.faults


def test_good_at_an_instant() -> None:
    probes = series(Run().miss("risk", 60, 64.9).observations(), "risk")
    assert probes is not None
    instants = probes.intended_us / 1e6
    bad = instants[~probes.good & (instants < FAULT_S - 5)]
    assert (bad.min(), bad.max()) == pytest.approx((59.95, 60.0))  # windows that hold both
    apart = series(Run().miss("risk", 60, 65.05).observations(), "risk")
    assert apart is not None
    assert apart.good[: 20 * 170].all()


def test_outage_at_the_end_is_not_over() -> None:
    """The windows of the last seconds are cut short; they do not hide that it is bad."""
    probes = series(Run().outage("risk", 717, 720).observations(), "risk")
    assert probes is not None
    last = probes.outages()[-1]
    assert (last.first_wrong_us, last.last_wrong_us, last.back_us) == (us(717), us(719), None)
    back = series(Run().outage("risk", 717, 718).observations(), "risk")
    assert back is not None
    assert back.outages()[-1].last_wrong_us == us(717.95)


def test_loss_of_the_good_run() -> None:
    main = rows(Run(), "rpo.transactions")["rpo.transactions"]
    first, last = 179.305, 180.155  # acknowledged 5 ms after they were sent
    assert main.low == main.value == pytest.approx(last - first)
    assert main.high == pytest.approx(last - first + 0.05)
    out = np.arange(us(EFFECT_S), us(BACK_S["order"]), 50_000)
    timed_out = int((out // 50_000 % 3 == 0).sum())
    expected = {"lost": 18, "not_read_back": 0, "unknown_absent": timed_out, "unknown_recovered": 0}
    assert {k: main.detail[k] for k in expected} == expected


def test_unknown_writes_are_counted_apart() -> None:
    run = Run()
    there, gone = run.key_at(60), run.key_at(61)
    run.ended(there, UNKNOWN).ended(gone, UNKNOWN).forget([gone])
    detail = rows(run, "rpo.transactions")["rpo.transactions"].detail
    assert detail["unknown_recovered"] == 1
    assert detail["lost"] == 18


def test_a_write_acknowledged_at_a_retry_is_not_unknown() -> None:
    counted = ("unknown_recovered", "unknown_absent", "acknowledged")
    run = Run()
    once = rows(run, "rpo.transactions")["rpo.transactions"].detail
    run.done = np.concatenate([run.done, [[run.key_at(60), us(60.3), UNKNOWN]]])
    again = rows(run, "rpo.transactions")["rpo.transactions"].detail
    assert [again[c] for c in counted] == [once[c] for c in counted]


def test_age_of_a_copy() -> None:
    main = rows(Run(), "rpo.models")["rpo.models"]
    assert (main.low, main.high) == (180.0, 181.0)  # last write at 180 s, last copy at 0 s, sampled each second
    assert main.detail["region"] == "us-west-2"


def test_age_of_a_copy_counts_to_the_instant_when_the_source_is_ahead() -> None:
    """Age at t = min(t, last write of the source) - recovery point."""
    run = Run().resampled("source/logs", "last_write_us", lambda t, v: (t, np.minimum(t, us(FAULT_S)) + us(50)))
    assert rows(run, "rpo.logs")["rpo.logs"].low == 59.0  # at 179 s: the copy holds what was written before 120 s


def test_a_stop_that_nobody_tried_says_so() -> None:
    run = stopped(Run(), 500)
    run.sent = run.sent[run.sent[:, 2] < us(500)]
    main, *_ = judge(run.observations("rule.no_order_after_stop")).verdicts
    assert "no order was tried" in main.reason


def test_violations_are_counted() -> None:
    run = Run().find([1, 2, 3]).find([10**9, 10**9 + 1])
    counts = {
        name: house_rules.measure(run.observations(), run.objective(f"rule.{name}"))[0].value
        for name in ("no_duplicate_order", "nothing_unwritten", "single_writer")
    }
    assert counts == {"no_duplicate_order": 3, "nothing_unwritten": 2, "single_writer": 0}


def test_where_a_loss_is() -> None:
    run = Run().lose(110, EFFECT_S)
    main, *_ = judge(run.observations("rpo.transactions")).verdicts
    assert f"keys {run.key_at(110)}" in main.evidence[0].where
    assert NEW in main.evidence[0].where
    assert main.evidence[0].t_us == us(110.005)


def test_the_worst_minute_of_all_is_what_is_told() -> None:
    run = takes(Run(), 520, 580, 4.0)
    main = latency.measure(run.observations(), run.objective("kpi.risk"))[0]
    assert main.value == pytest.approx(8.55, rel=0.02)
    assert main.evidence[0].t_us is not None
    assert main.evidence[0].t_us >= us(500 - 60)


def test_probes_that_are_missing_count_as_wrong_for_the_upper_bound() -> None:
    """At 50 Hz two of 250 may be wrong; two more of which nothing is known may have been wrong too."""
    due = np.arange(0, us(400), 20_000)
    seen = np.delete(due, [10_000, 10_001])  # at 200 s
    right = ~np.isin(seen, due[[10_100, 10_101]])  # at 202 s
    every = np.ones(len(seen), dtype=np.bool_)
    probes = Series("risk", seen, seen, right, every, 20_000, due[[10_000, 10_001]], (), 0, us(400))
    found = recover(Run().observations(), probes, Episode(us(100), None, us(400), ()))
    assert found.low_us == 0
    assert found.high_us is not None
    assert found.high_us >= us(100)
