"""`gameday judge`: a folder in, a verdict out, whatever state the record is in."""

import json
from pathlib import Path

import pytest

from gameday.cli import main
from gameday.judging import load_report
from tests.records import Run
from tests.unit.cli.on_disk import put, put_ensemble

RUNS: dict[str, tuple[Run, int, str]] = {
    "met": (Run(), 0, "PASS"),
    "missed": (Run().recovers("risk", 590), 1, "FAIL"),
    "open": (Run().unprobed("risk"), 3, "INCONCLUSIVE"),
}


@pytest.mark.parametrize("name", RUNS)
def test_the_verdict_is_printed_kept_and_returned(place: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    run, code, word = RUNS[name]
    folder = put(place / "runs" / name, run)
    assert main.run(["judge", name]) == code
    out, err = capsys.readouterr()
    assert word in out.splitlines()[0]
    assert err.splitlines()[-1].startswith("next: gameday report")
    kept = json.loads((folder / "verdicts.json").read_text())
    assert kept["result"] == word
    assert {v["objective"] for v in kept["verdicts"]} >= {"rto.risk", "rpo.transactions", "rule.single_writer"}


def test_as_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(place / "runs" / "missed", RUNS["missed"][0])
    assert main.run(["judge", "missed", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["result"] == "FAIL"
    assert [o["objective"] for o in document["objectives"] if o["result"] == "FAIL"] == ["rto.risk"]


@pytest.mark.proves("verdicts.json can be rebuilt from the rest of the record, byte for byte")
def test_verdicts_are_rebuilt_from_the_facts(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = put(place / "runs" / "missed", RUNS["missed"][0])
    main.run(["judge"])
    first = (folder / "verdicts.json").read_bytes()
    (folder / "verdicts.json").write_text("{}")
    main.run(["judge"])
    assert (folder / "verdicts.json").read_bytes() == first
    capsys.readouterr()


@pytest.mark.proves("an interrupted record never passes; it fails only by what is proven")
@pytest.mark.parametrize(("name", "code"), [("met", 3), ("missed", 1), ("open", 3)])
def test_a_killed_run(place: Path, capsys: pytest.CaptureFixture[str], name: str, code: int) -> None:
    put(place / "runs" / name, RUNS[name][0], killed=True)
    assert main.run(["judge", name]) == code
    out, err = capsys.readouterr()
    assert "INTERRUPTED" in out.splitlines()[0]
    assert "nothing in it can pass" in err


@pytest.mark.parametrize(("failing", "code", "word"), [(0, 0, "PASS"), (60, 1, "FAIL"), (3, 3, "INCONCLUSIVE")])
def test_an_ensemble_is_judged_by_its_trials(
    place: Path, capsys: pytest.CaptureFixture[str], failing: int, code: int, word: str
) -> None:
    folder = put_ensemble(place / "runs" / "many", Run(), ["FAIL"] * failing + ["PASS"] * (60 - failing))
    assert main.run(["judge", "many"]) == code
    assert f"{word}, 24 of 25 judged, SIMULATION, 60 trials" in capsys.readouterr().out.splitlines()[0]
    assert json.loads((folder / "verdicts.json").read_text())["trials"] == 60
    assert json.loads((folder / "trial-0" / "verdicts.json").read_text())["trials"] == 1


def test_the_trials_decide_and_the_full_one_illustrates(place: Path) -> None:
    report = load_report(put_ensemble(place / "many", RUNS["missed"][0], ["PASS"] * 60))
    assert (report.judgement.result.value, report.deciding.result.value) == ("FAIL", "PASS")
    assert report.head["ensemble"] == {
        "fidelity": None, "met_in": 0.95, "seed": 7, "termination": "complete", "trials_asked": 60, "trials_done": 60,
    }  # fmt: skip


@pytest.mark.parametrize(("results", "code"), [(["PASS"] * 80, 3), (["FAIL"] * 80, 1), ([], 3)])
def test_a_killed_ensemble(place: Path, capsys: pytest.CaptureFixture[str], results: list[str], code: int) -> None:
    put_ensemble(place / "runs" / "many", Run(), results, killed=True)
    assert main.run(["judge"]) == code
    out = capsys.readouterr().out
    assert "INTERRUPTED" in out.splitlines()[0]
    assert f"{len(results)} trials" in out.splitlines()[0]


def test_a_killed_ensemble_counts_trials_up_to_the_first_that_is_missing(place: Path) -> None:
    from scenarios.record.ensemble import EnsembleWriter, read_ensemble

    whole = read_ensemble(put_ensemble(place / "whole", Run(), ["PASS"] * 5))
    writer = EnsembleWriter(place / "killed", {"met_in": 0.95, "trials_asked": 5})
    for number in (1, 0, 4):
        writer.add(whole.trials[number])
    report = load_report(place / "killed")
    assert report.ensemble is not None
    assert [t.trial for t in report.ensemble.trials] == [0, 1]
    assert report.head["ensemble"]["trials_done"] == 3


@pytest.mark.parametrize("done", [0, 5])
def test_an_ensemble_without_a_trial_in_full_can_be_shown(
    place: Path, capsys: pytest.CaptureFixture[str], done: int
) -> None:
    from scenarios.record.ensemble import EnsembleWriter, read_ensemble

    whole = read_ensemble(put_ensemble(place / "whole", Run(), ["FAIL"] * 5))
    head = {name: value for name, value in Run().head.items() if name not in ("trial", "termination", "duration_us")}
    writer = EnsembleWriter(place / "runs" / "killed", {**head, "met_in": 0.95, "trials_asked": 5})
    for trial in whole.trials[:done]:
        writer.add(trial)
    assert main.run(["report", "--format", "terminal,html,md,junit,json"]) == 0
    out = capsys.readouterr().out
    assert "INTERRUPTED" in out.splitlines()[0]
    assert f"{done} trials" in out.splitlines()[0]


def test_which_run_is_meant(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("region-1", "region-2", ".region-3.half"):
        put(place / "runs" / name, Run())
    (place / "runs" / "no-record").mkdir()
    assert main.run(["judge", "region"]) == 2
    assert "several records" in capsys.readouterr().err
    assert main.run(["judge", "region-1"]) == 0
    assert main.run(["judge", str(place / "runs" / "region-2")]) == 0
    capsys.readouterr()
    assert main.run(["judge"]) == 0  # region-1 was judged last, region-2 was played last
    assert "next: gameday report region-2" in capsys.readouterr().err
    assert main.run(["judge", "other"]) == 2
    assert "no record" in capsys.readouterr().err


def test_no_record_at_all(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["judge"]) == 2
    assert "gameday simulate" in capsys.readouterr().err


def test_a_newer_record_is_wrong_usage(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = put(place / "runs" / "new", Run())
    head = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(head | {"schema_version": 2}))
    assert main.run(["judge"]) == 2
    assert "newer than this program" in capsys.readouterr().err


def test_verdicts_that_cannot_be_kept_are_said_and_still_count(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = put(place / "runs" / "missed", RUNS["missed"][0])
    (folder / "verdicts.json.tmp").mkdir()
    assert main.run(["judge"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("✗ FAIL")
    assert "verdicts.json is not kept" in err
    assert not (folder / "verdicts.json").exists()


def test_a_trial_that_was_kept_can_be_judged_by_itself(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_ensemble(place / "runs" / "many", Run(), ["PASS"])
    assert main.run(["judge", "many/trial-0"]) == 0
    assert "next: gameday report many/trial-0 --open" in capsys.readouterr().err
