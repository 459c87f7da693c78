"""Records that were changed, cut off or written by another version: refused by name, never read as something else."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scenarios.errors import RecordError
from scenarios.record.ensemble import read_ensemble
from scenarios.record.reader import RunRecord
from tests.unit.record.writing import write_run, write_trials

Reader = Callable[[Path], Any]
READERS: dict[str, tuple[Callable[..., None], Reader]] = {
    "run.json": (write_run, RunRecord),
    "ensemble.json": (write_trials, read_ensemble),
}


@pytest.mark.proves("a record of a newer schema is refused by name")
@pytest.mark.parametrize("head", READERS)
@pytest.mark.parametrize(("version", "words"), [(2, "schema version 2, which is newer"), (0, "schema version 0;")])
def test_another_schema_is_refused_by_name(tmp_path: Path, head: str, version: int, words: str) -> None:
    write, read = READERS[head]
    write(tmp_path / "it")
    path = tmp_path / "it" / head
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": version}))
    with pytest.raises(RecordError, match=words) as caught:
        read(tmp_path / "it")
    problem = caught.value.problems[0]
    assert problem.where == str(path)
    assert problem.expected == "schema version 1"
    assert head in problem.remedy


@pytest.mark.parametrize("head", READERS)
@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '"x"', '{"schema_version": 1}', "[" * 100_000, '{"a": "\udcff"}']
)
def test_what_is_no_head_is_refused(tmp_path: Path, head: str, text: str) -> None:
    write, read = READERS[head]
    write(tmp_path / "it")
    (tmp_path / "it" / head).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(RecordError, match=head):
        read(tmp_path / "it")


@pytest.mark.parametrize("head", READERS)
def test_a_folder_that_is_no_record(tmp_path: Path, head: str) -> None:
    with pytest.raises(RecordError, match="no such file"):
        READERS[head][1](tmp_path)


@pytest.mark.proves("a file of a closed record that was changed is refused")
@pytest.mark.parametrize("name", ["probes.parquet", "marks.jsonl", "trials.parquet"])
def test_a_flipped_bit_is_refused(tmp_path: Path, name: str) -> None:
    write_run(tmp_path / "run")
    write_trials(tmp_path / "ensemble")
    path = next(tmp_path.glob(f"*/{name}"))
    whole, draws = path.read_bytes(), random.Random(5)
    for _ in range(100):
        at = draws.randrange(len(whole))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << draws.randrange(8))]) + whole[at + 1 :])
        with pytest.raises(RecordError, match="found other bytes than were written; expected SHA-256"):
            read_all(tmp_path)
    path.write_bytes(whole)
    assert len(read_all(tmp_path)) == 3


def read_all(folder: Path) -> tuple[Any, ...]:
    record = RunRecord(folder / "run")
    return record.table("probes"), record.marks, read_ensemble(folder / "ensemble").trials


@pytest.mark.parametrize("cut", [0, 3, 200, -1])
def test_a_closed_table_that_was_cut_off(tmp_path: Path, cut: int) -> None:
    write_run(tmp_path / "run")
    path = tmp_path / "run" / "probes.parquet"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(RecordError, match=r"probes\.parquet: found other bytes"):
        RunRecord(tmp_path / "run").table("probes")
    forget_files(tmp_path / "run")
    with pytest.raises(RecordError, match=r"probes\.parquet.*expected a table of the record"):
        RunRecord(tmp_path / "run").table("probes")


def forget_files(folder: Path) -> None:
    """Leave the head as a killed run has it, without the digests of its files."""
    head = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({k: v for k, v in head.items() if k != "files"}))


def test_tables_and_facts_that_are_missing(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    (tmp_path / "run" / "probes.parquet").unlink()
    with pytest.raises(RecordError, match="found 0 of 18 probes"):
        RunRecord(tmp_path / "run").table("probes")
    forget_files(tmp_path / "run")
    marks = tmp_path / "run" / "marks.jsonl"
    marks.write_text("".join(marks.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(RecordError, match="found 5 of 6 facts"):
        _ = RunRecord(tmp_path / "run").marks
    marks.write_text("nonsense\n")
    with pytest.raises(RecordError, match=r"marks\.jsonl:1: found a line that is not a fact"):
        _ = RunRecord(tmp_path / "run").marks


def test_trials_that_are_missing(tmp_path: Path) -> None:
    write_trials(tmp_path / "it")
    (tmp_path / "it" / "trials.parquet").unlink()
    with pytest.raises(RecordError, match="found 0 of 5 trials"):
        _ = read_ensemble(tmp_path / "it").trials


def test_a_table_of_another_kind_is_not_taken_for_it(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    forget_files(tmp_path / "run")
    (tmp_path / "run" / "writes_done.parquet").rename(tmp_path / "run" / "probes.parquet")
    with pytest.raises(RecordError, match="other columns"):
        RunRecord(tmp_path / "run").table("probes")
