"""What a killed run did not read back is added to its record, which stays readable."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.observe.readback import Question, ReadBack
from experiments.safety import late
from experiments.safety.late import read_late
from scenarios.errors import RecordError
from scenarios.record.reader import RunRecord
from scenarios.record.writer import RunWriter
from tests.unit.safety import reading_late
from tests.unit.safety.reading_late import EPOCH_US, HEAD, HOLDS, NEW, OLD


def begun(folder: Path) -> RunWriter:
    """A record of three acknowledged orders and a promotion."""
    writer = RunWriter(folder, HEAD)
    writer.mark(5, "promoted", "us-west-2/database", timeline="us-west-2/2", position=9)
    seqs = np.arange(3)
    sent = {"data_class": "transactions", "seq": seqs, "key": seqs + EPOCH_US, "sent_us": seqs * 100}
    writer.append("writes_sent", sent)
    done = {"data_class": "transactions", "key": seqs + EPOCH_US, "done_us": seqs * 100, "outcome": "acked"}
    writer.append("writes_done", done)
    return writer


def killed(folder: Path) -> Path:
    """A record as SIGKILL leaves it: open, with a line that was cut off."""
    begun(folder)
    with (folder / "marks.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"t_us": 7, "seq": 1, "ki')
    return folder


@pytest.fixture
def timelines(monkeypatch: pytest.MonkeyPatch) -> list[Question]:
    """Two timelines; the old one holds an order that the new one lacks."""
    asked: list[Question] = []

    def read(_: object, clock: Any, recorder: Any, question: Question) -> ReadBack:
        asked.append(question)
        for name, keys in (("us-east-1/1", [0, 1, 2]), ("us-west-2/2", [0, 1])):
            rows = np.array(keys) + EPOCH_US
            at = np.full(len(keys), clock.now_us())
            found = {"data_class": "transactions", "timeline": name, "key": rows, "read_us": at}
            recorder.append("readback", found | {"copies": np.ones(len(keys), dtype=np.int32), "position": rows})
            recorder.mark(clock.now_us(), "readback_done", name, timeline=name)
        return ReadBack("us-west-2/2", ("us-east-1/1", "us-west-2/2"), ())

    monkeypatch.setattr(late, "read_back", read)
    return asked


@pytest.mark.proves(
    "undo reads both timelines into the record of a killed run, and lists what only the losing one holds"
)
def test_both_timelines_join_the_record(tmp_path: Path, timelines: list[Question]) -> None:
    folder = killed(tmp_path / "record")
    found = read_late(folder)
    assert found is not None
    assert found.read == ("us-east-1/1", "us-west-2/2")
    assert found.only_there == 1
    assert str(EPOCH_US + 2) in Path(found.list_of_them).read_text()
    assert timelines[0].promoted == ["us-west-2/2"]
    assert timelines[0].first_key == EPOCH_US
    record = RunRecord(folder)
    assert record.interrupted
    assert [mark.kind for mark in record.marks] == ["promoted", "readback_done", "readback_done"]
    assert len({mark.seq for mark in record.marks}) == 3
    assert len(record.table("readback")) == 5
    assert record.head["surviving_timeline"] == "us-west-2/2"


def test_the_old_timeline_is_read_once(tmp_path: Path, timelines: list[Question]) -> None:
    """A second undo finds the old primary demoted: what was read of it must stay."""
    folder = killed(tmp_path / "record")
    read_late(folder)
    assert read_late(folder) is None
    assert len(timelines) == 1
    assert len(RunRecord(folder).table("readback")) == 5


@pytest.mark.proves("undo reads both timelines into the record also when a second Ctrl-C stopped the run's own reading")
def test_a_reading_that_was_stopped_by_force(tmp_path: Path, timelines: list[Question]) -> None:
    """Ctrl-C came while the second timeline was read: the record was closed, with a part of it."""
    folder = tmp_path / "record"
    half = {"data_class": "transactions", "timeline": "us-west-2/2", "key": [EPOCH_US], "read_us": [9]}
    with begun(folder) as writer:  # left without being closed, as an exception leaves it
        writer.append("readback", half | {"copies": [1], "position": [1]})
    assert RunRecord(folder).interrupted
    found = read_late(folder)
    assert found is not None
    assert (found.read, found.only_there) == (("us-east-1/1", "us-west-2/2"), 1)
    record = RunRecord(folder)
    assert record.interrupted
    assert len(record.table("readback")) == 5, "each row once"
    assert len(record.table("writes_sent")) == 3
    assert record.head["surviving_timeline"] == "us-west-2/2"
    assert read_late(folder) is None


def test_without_the_surviving_timeline_there_is_no_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_: object, clock: Any, recorder: Any, __: Question) -> ReadBack:
        """Of the old primary only, an order that everybody may hold."""
        found = {"data_class": "transactions", "timeline": "us-east-1/1", "key": [EPOCH_US], "read_us": [9]}
        recorder.append("readback", found | {"copies": [1], "position": [1]})
        recorder.mark(clock.now_us(), "readback_done", "us-east-1/1", timeline="us-east-1/1")
        return ReadBack("us-west-2/2", ("us-east-1/1",), ("us-west-2",))

    monkeypatch.setattr(late, "read_back", read)
    folder = killed(tmp_path / "record")
    found = read_late(folder)
    assert found is not None
    assert (found.only_there, found.list_of_them) == (None, "")
    assert found.unlisted == "us-west-2/2, which survives, was not read back to its end"
    assert RunRecord(folder).head["unlisted"] == found.unlisted
    assert not (folder / "reconciliation.csv").exists()


@pytest.mark.proves("undo keeps what a killed run had read of a timeline before a step of its own rewound it")
def test_what_the_run_had_read_before_it_was_killed_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "record"
    writer = begun(folder)
    old = {"data_class": "transactions", "timeline": "us-east-1/1", "key": [EPOCH_US, EPOCH_US + 1], "read_us": [9, 9]}
    writer.append("readback", old | {"copies": [1, 1], "position": [1, 2]})
    writer.mark(9, "readback_done", "us-east-1/1", timeline="us-east-1/1")
    asked: list[Question] = []

    def read(_: object, clock: Any, recorder: Any, question: Question) -> ReadBack:
        """The old primary follows the new one by now."""
        asked.append(question)
        found = {"data_class": "transactions", "timeline": "us-west-2/2", "key": [EPOCH_US], "read_us": [99]}
        recorder.append("readback", found | {"copies": [1], "position": [1]})
        recorder.mark(clock.now_us(), "readback_done", "us-west-2/2", timeline="us-west-2/2")
        return ReadBack("us-west-2/2", ("us-east-1/1", "us-west-2/2"), ())

    monkeypatch.setattr(late, "read_back", read)
    found = read_late(folder)
    assert found is not None
    assert asked[0].known == ["us-east-1/1"]
    assert found.only_there == 1, "the order that only the old timeline held"
    assert RunRecord(folder).table("readback")["key"].to_pylist() == [EPOCH_US, EPOCH_US + 1, EPOCH_US]
    assert read_late(folder) is None


def test_a_closed_record_is_left_alone(tmp_path: Path, timelines: list[Question]) -> None:
    with RunWriter(tmp_path / "record", HEAD) as writer:
        writer.close("complete", duration_us=1)
    before = {path.name: path.read_bytes() for path in (tmp_path / "record").iterdir()}
    assert read_late(tmp_path / "record") is None
    assert {path.name: path.read_bytes() for path in (tmp_path / "record").iterdir()} == before
    assert timelines == []


def test_a_run_without_orders(tmp_path: Path, timelines: list[Question]) -> None:
    RunWriter(tmp_path / "record", HEAD).mark(5, "load_started", "client")
    found = read_late(tmp_path / "record")
    assert found is not None
    assert found.read == ()
    assert timelines == []


@pytest.mark.timeout(900)
@pytest.mark.proves("undo that is killed at any step of adding what it has read to a record loses no order of it")
def test_killed_at_its_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old timeline is in the record alone: a second undo must find its orders there, and list them."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.unit.safety.reading_late", str(tmp_path)]
    subprocess.run(command, check=True, timeout=900)
    monkeypatch.setattr(late, "read_back", reading_late.read)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    killed_records = sorted(path for path in tmp_path.iterdir() if "-" in path.name)
    assert len(killed_records) > 20
    for folder in killed_records:
        held = RunRecord(folder).table("readback")
        old = {k for k, t in zip(held["key"].to_pylist(), held["timeline"].to_pylist(), strict=True) if t == OLD}
        assert old == set(HOLDS[OLD]), f"{folder.name}: readable, with all that it had"
        read_late(folder)
        record = RunRecord(folder)
        assert record.interrupted
        rows = record.table("readback")
        found = sorted(zip(rows["timeline"].to_pylist(), rows["key"].to_pylist(), strict=True))
        assert found == [(name, key) for name in (OLD, NEW) for key in HOLDS[name]], folder.name
        assert [mark.kind for mark in record.marks] == ["promoted", "readback_done", "readback_done"], folder.name
        assert str(EPOCH_US + 2) in (folder / "reconciliation.csv").read_text(), folder.name
        assert read_late(folder) is None, folder.name


@pytest.mark.proves("undo without room for what it has read says so, and loses nothing of the record")
def test_no_room_for_what_was_read(tmp_path: Path, timelines: list[Question], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = killed(tmp_path / "record")
    with monkeypatch.context() as full:
        full.setattr(late.pq, "write_table", failing(OSError(28, "No space left on device")))
        with pytest.raises(RecordError, match="no space left on device"):
            read_late(folder)
    found = read_late(folder)
    assert found is not None
    assert found.only_there == 1
    assert len(timelines) == 2


def failing(error: OSError) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def test_facts_go_on_with_their_numbers(tmp_path: Path, timelines: list[Question]) -> None:
    """The line that was cut off when the run was killed is gone."""
    folder = killed(tmp_path / "record")
    read_late(folder)
    lines = (folder / "marks.jsonl").read_text().splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [0, 1, 2]
