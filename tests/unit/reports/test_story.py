from dataclasses import replace

from reports.model import Report
from reports.story import MOST, drawn, tell
from scenarios.record.kinds import KINDS
from scenarios.record.writer import MemoryRecorder
from tests.golden import sample


def words(report):
    return [m.words for m in tell(report)]


def test_the_story_is_in_order_and_counts_from_the_fault():
    told = tell(sample.report())
    assert [m.t_s for m in told] == sorted(m.t_s for m in told)
    assert told[0].words == "region-loss begins in us-east-1"
    assert told[0].since_fault_s == 0


def test_pods_come_as_one_line_each_station():
    assert "us-west-2/risk: 10 pods ready, the last 1 min 26 s later" in words(sample.report())


def test_a_step_is_told_by_its_title():
    assert "automation: “Promote the replica”, done in 4 min 7 s" in words(sample.report())


def test_a_step_that_fails_is_tried_again_or_does_not_end():
    made = MemoryRecorder()
    facts = [("step_started", {}), ("step_finished", {"ok": False}), ("step_started", {}), ("step_started", {})]
    for t_s, (kind, more) in enumerate(facts):
        made.mark(t_s * 2_000_000, kind, "p", step="s", actor="L1", **more)
    told = words(Report(sample.head(), sample.judgement(), made))
    assert told == ["L1: “s” fails after 2 s", "L1: “s” does not end", "L1: “s” does not end"]


def test_what_lies_in_a_lost_region_is_not_named_again():
    assert words(sample.report())[0] == "region-loss begins in us-east-1"
    made = MemoryRecorder()
    made.mark(
        0, "injection_begun", "f:0", fault="node-loss", target=["us-east-1/node-1", "us-east-1/risk", "us-west-2"]
    )
    expected = "node-loss begins in us-east-1/node-1, us-east-1/risk, us-west-2"
    assert words(Report(sample.head(), sample.judgement(), made))[0] == expected


def test_recoveries_are_told_by_the_clock_of_the_judge():
    assert "risk serves again, 8 min 32 s after the fault, promised within 5 min" in words(sample.report())


def test_a_recovery_from_a_second_fault_stands_where_that_was():
    """Ten minutes after the first fault a second one begins, and risk is back 8 min 32 s after that."""
    judged = sample.judgement()
    fault_us = round(sample.report().fault_s * 1e6)
    second = [
        replace(v, detail={**v.detail, "begun_us": fault_us + 600_000_000}) if v.objective == "rto.risk" else v
        for v in judged.verdicts
    ]
    told = tell(Report(sample.head(), replace(judged, verdicts=tuple(second)), sample.report().record))
    risk = next(m for m in told if m.words.startswith("risk serves again"))
    assert round(risk.since_fault_s) == 600 + 8 * 60 + 32
    assert risk.key == "recovered"  # the last of all


def test_where_the_complete_system_is_back_with_its_last_part_that_is_marked():
    judged = sample.judgement()
    last = max(v.high for v in judged.verdicts if v.merged and v.objective.startswith("rto.") and v.high)
    same = [replace(v, high=last) if v.objective in ("rto.risk", "rto.complete") else v for v in judged.verdicts]
    told = tell(Report(sample.head(), replace(judged, verdicts=tuple(same)), sample.report().record))
    assert [m.words[:19] for m in told if m.key == "recovered"] == ["the complete system"]


def test_plots_mark_each_thing_once_and_number_it():
    marks = drawn(tell(sample.report()))
    assert [m.number for m in marks] == list(range(1, len(marks) + 1))
    assert [m.key for m in marks] == [
        "fault", "alert fires", "page", "decided", "acknowledged", "promoted", "DNS switched", "recovered",
    ]  # fmt: skip


def test_a_flapping_alert_does_not_fill_the_story():
    made = MemoryRecorder()
    made.mark(0, "injection_begun", "f:0", fault="f", target=["a"])
    for i in range(500):
        made.mark(1_000_000 * (i + 1), "alert_firing", "A", rules="intended", region="r")
        for name in ("x", "y"):
            made.mark(1_000_000 * (i + 1), "step_started", f"p{i}", step=name, actor="L1")
    told = tell(Report(sample.head(procedures={}), sample.judgement(), made))
    assert len(told) <= MOST + 1
    assert "more facts" in told[-1].words


def test_rules_as_written_are_not_part_of_the_story():
    made = MemoryRecorder()
    made.mark(5, "alert_firing", "A", rules="written", region="r")
    assert not [m for m in tell(Report(sample.head(), sample.judgement(), made)) if m.tone == "alert"]


def test_every_kind_of_fact_can_be_told():
    made = MemoryRecorder()
    for i, (kind, names) in enumerate(KINDS.items()):
        detail = {name: 1 if name.endswith("_us") or name == "ok" else f"<{name}>" for name in names}
        made.mark(i, kind, f"{kind}/thing/0", **detail)
    told = tell(Report(sample.head(), sample.judgement(), made))
    assert len(told) > 40
    assert all(m.words for m in told)


def test_a_run_without_a_fault_has_a_story_without_a_zero():
    made = MemoryRecorder()
    made.mark(3_000_000, "settled", "run")
    told = tell(Report(sample.head(), sample.judgement(), made))
    assert [(m.t_s, m.since_fault_s) for m in told] == [(3.0, None)]
