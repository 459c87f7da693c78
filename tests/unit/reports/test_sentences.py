"""Sentences that several formats share."""

from dataclasses import replace

from reports.formats import html, markdown, terminal
from reports.sentences import details, instants, levels, missed_lines, trust
from reports.view import view
from tests.golden import sample
from validators.model import Result


def row(name, many=False):
    return next(r for r in view(sample.report(many=many)).rows if r.name == name)


def test_the_level_of_detail_is_said():
    assert levels(view(sample.report())) == ["Played once at fidelity “request” (every request is played)."]
    deciding, kept, where, alone = levels(view(sample.report(many=True)))
    assert deciding.startswith("200 trials at fidelity “control” (capacity against load without queues; no latency")
    assert deciding.endswith("decide; the trial shown was played at fidelity “request” (every request is played).")
    assert kept.startswith("Kept in full: trial 0 (asked for) FAIL, everything back after 9 min 28 s")
    assert "trial 120 (the worst) FAIL, fidelity “control”; trial 44 (the median)" in kept
    assert where.endswith("gameday report the-run-x200/trial-44.")
    assert "kpi.strategic" in alone
    assert "rto.risk" not in alone


def test_a_real_run_has_no_level():
    assert levels(view(sample.report(source="kind", evidence_class="lab"))) == []
    assert levels(view(sample.report(fidelity=None))) == []


def test_rows_beside_are_never_worded_as_a_verdict():
    known = dict(details(row("rto.risk")))
    assert known["Other clocks, never merged"]
    assert not any(word in line for line in known["Other clocks, never merged"] for word in ("PASS", "FAIL"))


def test_plain_values_are_told_in_words_and_only_those_that_have_some():
    also = dict(details(row("rto.risk")))["Also"]
    assert also == ["relapses: 0", "bad for: 8 min 32 s"]
    assert "acknowledged and lost: 18" in dict(details(row("rpo.transactions")))["Also"]


def test_what_the_reader_must_know_before_believing_a_figure():
    said = " ".join(trust(view(sample.report())))
    for words in (
        "50,000 requests, 0 differing",
        "fidelity “request”",
        "Every request is accounted for",
    ):
        assert words in said


def test_a_trial_that_looks_better_than_the_verdict_says_so():
    met = replace(row("rto.risk", many=True), word="FAIL")
    met = replace(met, single=replace(met.single, result=Result.PASS))
    detail = met.verdict.detail
    failed = detail["trials"] - detail["met"] - detail["undecided"]
    assert f"The trial shown met it; {failed} of 200 trials did not." in missed_lines(met)
    missed = replace(met, single=replace(met.single, result=Result.FAIL))
    assert not any("met it;" in line for line in missed_lines(missed))


def test_the_clock_of_sentences_is_told_beside_that_of_pictures():
    told = instants(sample.report())
    assert told == "Instants in sentences count from the start of the run; the fault came at 5:00."
    for page in (html.render(sample.report()), markdown.render(sample.report()), terminal.render(sample.report())):
        assert told in " ".join(page.split())
    assert "minutes since the fault (5:00 of the run)" in html.render(sample.report())
    again = sample.report()
    again.record.mark(600_000_000, "injection_begun", "pod-kill:1", fault="pod-kill", target={})
    assert "the first fault came at 5:00." in instants(again)
