"""SIGKILL at any moment: what was acknowledged is there, and nothing half-written is taken for whole."""

import contextlib
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.record.ensemble import is_ensemble, read_ensemble
from scenarios.record.reader import RunRecord
from tests.unit.record.writing import (
    ROUNDS,
    ROWS,
    TRIALS,
    WRITERS,
    Acknowledge,
    counting,
    facts,
    probes,
    trial,
    write_run,
    write_trials,
)  # fmt: skip

ROOT = Path(__file__).parents[3]


def killed(folder: Path, what: str) -> list[Path]:
    """Write and kill in children; return where each was to write."""
    subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.unit.record.writing", str(folder), what],
        cwd=ROOT,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        check=True,
        timeout=120,
    )
    return sorted({f.with_suffix("") for f in folder.iterdir() if f.name.startswith(("line-", "instant-"))})


def acknowledged(folder: Path) -> str:
    return folder.with_suffix(".acknowledged").read_text()


def check_run(folder: Path, known: str) -> str:
    """Assert that the record holds what was acknowledged, at most one more, and all of it whole."""
    record = RunRecord(folder)
    marks, rows, writes = record.marks, record.table("probes"), record.table("writes_done")
    assert known.count("m") <= len(marks) <= known.count("m") + 1
    assert known.count("p") * ROWS <= len(rows) <= (known.count("p") + 1) * ROWS
    assert known.count("w") <= len(writes) <= known.count("w") + 1
    assert [(m.t_us, m.detail["number"]) for m in marks] == [(1_000 - n, n) for n in reversed(range(len(marks)))]
    assert len(rows) % ROWS == 0
    assert rows["client"].to_pylist() == [c for n in range(len(rows) // ROWS) for c in probes(n)["client"]]
    if record.head["termination"] == "complete":
        assert (len(marks), len(rows), len(writes)) == (ROUNDS, ROUNDS * ROWS, ROUNDS)
    else:
        assert record.head["termination"] == "interrupted"
    return str(record.head["termination"])


@pytest.mark.proves("SIGKILL at any moment leaves a readable record that says interrupted")
def test_a_killed_run_leaves_what_it_had_written(tmp_path: Path) -> None:
    ends = [check_run(f, acknowledged(f)) for f in killed(tmp_path, "run") if f.exists()]
    assert ends.count("interrupted") > 50
    assert "complete" in ends  # the last lines of closing come after the head has changed


@pytest.mark.proves("SIGKILL at any moment leaves a readable ensemble that says interrupted")
def test_a_killed_ensemble_leaves_the_trials_that_had_ended(tmp_path: Path) -> None:
    ends = []
    for folder in killed(tmp_path, "ensemble"):
        if not folder.exists():
            continue
        ensemble, known = read_ensemble(folder), acknowledged(folder)
        assert len(known) <= len(ensemble.trials) <= len(known) + 1
        assert ensemble.trials == [trial(t.trial) for t in ensemble.trials]
        for found in ensemble.trials:
            assert ensemble.marks(found.trial) == sorted(facts(found.trial), key=lambda m: m.t_us)
        assert len(ensemble.trials) == TRIALS or ensemble.interrupted
        ends.append(ensemble.head["termination"])
    assert ends.count("interrupted") > 50
    assert "complete" in ends


def stopped(what: str, folder: Path, at: int | None) -> tuple[str, int]:
    """Write with Ctrl-C at one line of our own code; return what was acknowledged, and how many lines ran."""
    known: list[str] = []
    last = 0

    def reached(line: int) -> None:
        nonlocal last
        last = line
        if line == at:
            raise KeyboardInterrupt

    sys.settrace(counting(reached))
    try:
        with contextlib.suppress(KeyboardInterrupt):
            WRITERS[what](folder, known.append)
    finally:
        sys.settrace(None)
    return "".join(known), last


def stops(what: str, folder: Path) -> list[int]:
    """Lines to stop at: a whole round in the middle of a record, every second line of the end, some of the others."""
    _, lines = stopped(what, folder, None)
    middle = lines // 3
    others = random.Random(20).sample(range(1, lines), 20)
    return [*others, *range(middle, middle + 70), *range(lines - 80, lines + 1, 2)]


@pytest.mark.proves("Ctrl-C at any moment leaves a readable record that says interrupted")
def test_a_run_stopped_at_any_line_is_read(tmp_path: Path) -> None:
    ends = []
    for number, line in enumerate(stops("run", tmp_path / "whole")):
        folder = tmp_path / str(number)
        known, _ = stopped("run", folder, line)
        if (folder / "run.json").exists():
            ends.append(check_run(folder, known))
    assert ends.count("interrupted") > 70
    assert "complete" in ends


@pytest.mark.proves("Ctrl-C at any moment leaves a readable ensemble that says interrupted")
def test_an_ensemble_stopped_at_any_line_is_read(tmp_path: Path) -> None:
    ends = []
    for number, line in enumerate(stops("ensemble", tmp_path / "whole")):
        folder = tmp_path / str(number)
        known, _ = stopped("ensemble", folder, line)
        if is_ensemble(folder):
            found = read_ensemble(folder)
            assert len(known) <= len(found.trials) <= len(known) + 1
            ends.append(found.head["termination"])
    assert ends.count("interrupted") > 70
    assert "complete" in ends


def test_a_stream_cut_at_any_byte_is_read_up_to_there(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    streams = tmp_path / "open"
    write_run(folder, lambda letter: shutil.copytree(folder, streams, dirs_exist_ok=True) and None)
    whole = (streams / "probes.arrows").read_bytes()
    lines = (streams / "marks.jsonl").read_bytes()
    seen = set()
    for cut in random.Random(3).sample(range(len(whole)), 150):
        (streams / "probes.arrows").write_bytes(whole[:cut])
        rows = RunRecord(streams).table("probes")
        assert rows["client"].to_pylist() == [c for n in range(len(rows) // ROWS) for c in probes(n)["client"]]
        seen.add(len(rows) // ROWS)
    assert seen >= set(range(ROUNDS))
    for cut in range(len(lines)):
        (streams / "marks.jsonl").write_bytes(lines[:cut])
        assert len(RunRecord(streams).marks) in (lines[:cut].count(b"\n"), lines[:cut].count(b"\n") + 1)


def test_an_ensemble_cut_at_any_byte_is_read_up_to_there(tmp_path: Path) -> None:
    folder = tmp_path / "ensemble"
    streams = tmp_path / "open"
    write_trials(folder, lambda letter: shutil.copytree(folder, streams, dirs_exist_ok=True) and None)
    whole = (streams / "trials.arrows").read_bytes()
    seen = set()
    for cut in random.Random(4).sample(range(len(whole)), 150):
        (streams / "trials.arrows").write_bytes(whole[:cut])
        trials = read_ensemble(streams).trials
        assert {t.trial for t in trials} == set((1, 0, 4, 2, 3)[: len(trials)])
        assert trials == [trial(t.trial) for t in trials]
        seen.add(len(trials))
    assert seen >= set(range(TRIALS))


def test_leaving_without_closing_is_an_interruption(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_run(tmp_path / "run", interrupt_at(7))
    record = RunRecord(tmp_path / "run")
    assert (record.head["termination"], len(record.marks), len(record.table("probes"))) == ("interrupted", 3, 6)
    with pytest.raises(KeyboardInterrupt):
        write_trials(tmp_path / "ensemble", interrupt_at(3))
    ensemble = read_ensemble(tmp_path / "ensemble")
    assert (ensemble.head["termination"], ensemble.head["trials_done"]) == ("interrupted", 3)


def interrupt_at(call: int) -> Acknowledge:
    calls = iter(range(call))

    def acknowledge(_: str) -> None:
        if next(calls) == call - 1:
            raise KeyboardInterrupt

    return acknowledge
