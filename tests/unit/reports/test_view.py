import dataclasses
import math

from reports.environment import checked, command, facts
from reports.model import Report
from reports.view import (
    bounds_text,
    gap_text,
    headline,
    limit_text,
    measured_text,
    stage_text,
    view,
)
from tests.golden import sample
from validators.model import Judgement, Result, Verdict


def verdict(**changes):
    given = {
        "objective": "rto.risk",
        "result": Result.FAIL,
        "value": 492.0,
        "limit": 300.0,
        "unit": "s",
        "low": 490.0,
        "high": 492.0,
        "samples": 10,
        "method": "",
        "reason": "",
    }
    return Verdict(**{**given, **changes})


def only(*verdicts, **head):
    return Report(sample.head(**head), Judgement(Result.FAIL, verdicts, 1, 1, ""), sample.record())


def test_the_headline_counts_and_names_the_class():
    assert headline(sample.report()) == "FAIL, 14 of 15 judged, SIMULATION"
    assert headline(sample.report(many=True)) == "FAIL, 14 of 15 judged, SIMULATION, 200 trials"
    assert headline(sample.report(evidence_class="lab", scaled=True)) == "FAIL, 14 of 15 judged, LAB, scaled"


def test_an_interrupted_run_says_so_in_its_headline():
    assert headline(sample.report(termination="interrupted")).endswith(", INTERRUPTED")
    assert "OPEN" in headline(sample.report(termination="open"))


def test_how_far_over_the_limit():
    assert gap_text(verdict()) == "3 min 12 s over (64 %)"
    assert gap_text(verdict(value=280.0)) == "20 s to spare (6.7 %)"
    assert gap_text(verdict(value=9800, limit=10_000, unit="1/s"), at_least=True) == "200/s short (2 %)"
    assert gap_text(verdict(value=3, limit=0, unit="1")) == "3 too many"
    assert gap_text(verdict(value=None, low=None)) == ""


def test_what_never_recovered_is_not_given_a_recovery_time():
    never = verdict(value=4000.0, low=3990.0, high=None, detail={"recovered": False})
    assert measured_text(never) == "> 1 h 6 min 40 s"
    assert gap_text(never).startswith("at least ")
    assert measured_text(verdict(value=None, low=900.0)) == "> 15 min"


def test_a_limit_says_which_side_is_good():
    assert limit_text(verdict()) == "≤ 5 min"
    assert limit_text(verdict(limit=10_000, unit="1/s"), at_least=True) == "> 10,000/s"
    assert limit_text(verdict(limit=0, unit="1")) == "none allowed"
    assert limit_text(verdict(limit=None)) == "–"


def test_the_stage_that_took_most_is_named():
    row = next(r for r in view(sample.report()).rows if r.name == "rto.risk")
    assert row.stage.startswith("act took 6 min 46 s of 8 min 32 s (79 %)")


def test_the_step_that_took_most_of_acting_is_named():
    text = stage_text(sample.report(), next(v for v in sample.judgement().verdicts if v.objective == "rto.risk"))
    assert text.endswith("(79 %): carrying out the procedure, of it 4 min 4 s to “Promote the replica”")
    slow_to_decide = {"phases": {"decide": 400.0, "act": 1.0}, "steps": [{"procedure": "p", "step": "s", "seconds": 1}]}
    assert "“" not in stage_text(sample.report(), verdict(detail=slow_to_decide))
    unknown = {"phases": {"act": 9.0}, "steps": [{"procedure": "p", "step": "look", "actor": "L1", "seconds": 8.0}]}
    assert stage_text(sample.report(), verdict(detail=unknown)).endswith("of it 8 s to “look”")
    assert "“" not in stage_text(sample.report(), verdict(detail={"phases": {"act": 9.0}, "steps": []}))


def test_an_interval_that_words_cannot_tell_apart_is_shown_in_digits_when_the_limit_lies_inside():
    close = {"value": 599.99, "low": 599.97, "high": 600.02}
    assert bounds_text(verdict(**close, limit=600.0)) == "[599.970, 600.020] s"
    assert bounds_text(verdict(**close, limit=700.0)) == ""
    assert bounds_text(verdict()) == "[8 min 10 s, 8 min 12 s]"


def test_the_environment_tells_the_levels_of_the_trials_and_of_the_full_one():
    known = dict(view(sample.report(many=True)).facts)
    assert known["Fidelity of the full trial"] == "request"
    assert known["Fidelity of the trials"] == "control"
    assert known["Trials that decide"] == "200"
    cut = {"fidelity": "control", "trials_asked": 1_000, "trials_done": 200}
    report = dataclasses.replace(sample.report(many=True), head=sample.head(ensemble=cut))
    assert dict(view(report).facts)["Trials that decide"] == "200 of 1,000"


def test_a_row_without_a_known_objective_is_shown_under_its_own_name():
    seen = view(only(verdict(objective="new.thing")))
    assert [(r.name, r.title, r.group) for r in seen.rows] == [("new.thing", "new.thing", "Other")]
    assert [title for title, _ in seen.groups()] == ["Other"]


def test_rows_beside_are_never_rows_of_their_own():
    seen = view(sample.report())
    assert "rto.risk.from_detection" not in [r.name for r in seen.rows]
    risk = next(r for r in seen.rows if r.name == "rto.risk")
    assert [v.objective for v in risk.beside] == ["rto.risk.from_detection"]


def test_trials_decide_and_the_full_trial_illustrates():
    seen = view(sample.report(many=True))
    tactical = next(r for r in seen.rows if r.name == "rto.tactical")
    assert tactical.word == "FAIL"
    assert tactical.single.result is Result.PASS
    assert tactical.trials.startswith("met in 155 of 200 trials: 78 % [72 %")
    assert "95 % within 11 min 53 s, 1 min 53 s over" in tactical.spread


def test_trials_that_never_recover_are_counted_as_never():
    report = sample.report(many=True)
    assert report.ensemble is not None
    none = [
        dataclasses.replace(t, values={**t.values, "rto.risk": None if t.trial % 2 else 400.0})
        for t in report.ensemble.trials
    ]
    changed = dataclasses.replace(report, ensemble=dataclasses.replace(report.ensemble, trials=none))
    risk = next(r for r in view(changed).rows if r.name == "rto.risk")
    assert risk.spread == "recovered: median 6 min 40 s, fewer than 95 % at all"


def test_a_crowd_of_undecided_objectives_is_named_in_one_line():
    from reports.formats import html, markdown

    missed = verdict()
    for many, named in ((5, 0), (6, 6)):
        unclear = [verdict(objective=f"kpi.n{i}", result=Result.INCONCLUSIVE, reason="why not") for i in range(many)]
        report = only(missed, *unclear)
        told, crowd = view(report).first
        assert (len(told), len(crowd)) == (1 + many - named, named)
        for text in (html.render(report), markdown.render(report)):
            assert ("6 could not be decided" in text.replace("**6", "6").replace("</span> 6", "6")) == bool(named)


def test_an_empty_judgement_still_makes_a_report():
    report = Report({}, Judgement(Result.INCONCLUSIVE, (), 0, 0, ""), sample.record())
    seen = view(report)
    assert seen.headline == "INCONCLUSIVE, 0 of 0 judged, UNKNOWN, interrupted".replace("interrupted", "INTERRUPTED")
    assert seen.summary == "Of 0 judged objectives: nothing was judged."


def test_without_requests_there_was_no_kernel_to_check():
    assert checked(sample.report(checked=None, fidelity="control")).startswith("No request was played")


def test_the_check_against_the_reference_is_said_or_its_absence():
    assert checked(sample.report()) == "kernel = SimPy reference on this topology: 50,000 requests, 0 differing"
    assert "not checked" in checked(sample.report(checked=None))
    assert checked(sample.report(source="kind")) == ""


def test_the_command_that_plays_it_again():
    assert command(sample.report(many=True)) == "gameday simulate region-loss-automatic --seed 7 --trials 200"
    assert command(sample.report(command="gameday simulate x --set a=b")) == "gameday simulate x --set a=b"
    assert command(sample.report(source="kind")) == "gameday run region-loss-automatic --world kind"


def test_not_a_number_is_a_dash():
    assert measured_text(verdict(value=math.nan, low=None, high=None)) == "–"


def test_a_real_run_says_who_sent_its_load():
    record = sample.record()
    head = sample.head(scaled=True, scenario={"workload": {"rate_per_s": 50.0}})
    report = Report(head, Judgement(Result.PASS, (), 1, 1, ""), record)
    assert "Load" not in dict(facts(report))  # the twin has no sender
    record.mark(0, "load_started", "client", sender="users", users=50, spacing_us=1_000_000)
    load = dict(facts(report))["Load"]
    assert "50 users, each sends an order every 1 s" in load
    assert "this world's own" in load
    assert "not on record" not in load  # records from before runs sent their load ahead
    warmed = dict(
        facts(
            dataclasses.replace(
                report, head={**head, "before": {"alerts": [], "silent": [], "load_s": 41.2, "bad": ""}}
            )
        )
    )
    assert "for 41.2 s before the run's clock started, which is not on record" in warmed["Load"]
    assert "Not quiet before the run" not in warmed


def test_a_game_day_says_who_answered_and_what_stands_against_it():
    before = {"alerts": ["HighErrorRate"], "silent": ["us-west-2"], "load_s": 180.1, "bad": "all good for 2 s of 30 s"}
    lifters = ["a pod in us-west-2 for us-east-1", "a process on the runner's machine for node-loss in us-east-1"]
    said = dict(facts(only(operator="live", before=before, torn_lines={"sender": 2}, lifters=lifters)))
    assert said["Who lifts when the runner dies"] == "; ".join(lifters)
    assert said["Operators"].startswith("live: somebody answered")
    quiet, load = (
        "HighErrorRate held; Prometheus of us-west-2 did not answer",
        "under its load: all good for 2 s of 30 s",
    )
    assert said["Not quiet before the run"] == f"{quiet}; {load}"
    assert said["Lines of processes that were no message"] == "2 of sender"
    scripted = dict(facts(only(operator="scripted", before={"alerts": [], "silent": []}, torn_lines={})))
    assert scripted["Operators"].startswith("scripted")
    assert not {"Not quiet before the run", "Lines of processes that were no message"} & scripted.keys()
    assert "Operators" not in dict(facts(only())), "a simulation says it by its evidence class"
