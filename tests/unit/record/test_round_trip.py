"""What is read is what was written, from an open record and from a closed one."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.record.ensemble import Trial, is_ensemble, read_ensemble, run_folder, write_ensemble
from scenarios.record.kinds import KINDS
from scenarios.record.marks import Mark, mark_line, parse_mark
from scenarios.record.reader import RunRecord
from scenarios.record.tables import TABLES
from scenarios.record.writer import MemoryRecorder, RunWriter, batch
from tests.unit.record.writing import HEAD, TRIALS, facts, trial, write_run, write_trials

names = st.one_of(st.none(), st.text(max_size=8))
numbers = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))


def values(kind: pa.DataType) -> st.SearchStrategy[Any]:
    if pa.types.is_dictionary(kind):
        return names
    if pa.types.is_list(kind):
        bins = st.fixed_dictionaries({"bin": st.integers(0, 2**31 - 1), "count": st.integers(0, 2**63 - 1)})
        return st.one_of(st.none(), st.lists(bins, max_size=3))
    if pa.types.is_floating(kind):
        return st.one_of(st.none(), st.floats(allow_nan=False))
    return st.one_of(st.none(), st.integers(-(2**31), 2**31 - 1)) if kind == pa.int32() else numbers


@st.composite
def batches(draw: st.DrawFn, table: str) -> list[dict[str, list[Any]]]:
    found = []
    for rows in draw(st.lists(st.integers(0, 4), max_size=4)):
        columns = {c.name: draw(st.lists(values(c.type), min_size=rows, max_size=rows)) for c in TABLES[table]}
        found.append(columns)
    return found


def test_histograms_are_kept_by_bytes(tmp_path: Path) -> None:
    """Plain they would be the half of a committed record."""
    with RunWriter(tmp_path / "run", HEAD) as writer:
        row = {c.name: pa.array([None], _plain(c.type)) for c in TABLES["load"]}
        writer.append("load", row | {"own": pa.array([[{"bin": 3, "count": 4}]], TABLES["load"].field("own").type)})
        writer.close("complete")
    kept = pq.ParquetFile(tmp_path / "run" / "load.parquet").metadata.row_group(0)
    encodings = {kept.column(i).path_in_schema: kept.column(i).encodings for i in range(kept.num_columns)}
    assert all("BYTE_STREAM_SPLIT" in encodings[f"own.list.element.{name}"] for name in ("bin", "count"))
    assert "DELTA_BINARY_PACKED" in encodings["intended"]
    assert RunRecord(tmp_path / "run").table("load")["own"].to_pylist() == [[{"bin": 3, "count": 4}]]


@pytest.mark.parametrize("table", TABLES)
def test_rows_come_back_from_streams_and_from_parquet(tmp_path_factory: pytest.TempPathFactory, table: str) -> None:
    @settings(max_examples=12, deadline=None)
    @given(batches(table))
    def check(written: list[dict[str, list[Any]]]) -> None:
        folder = tmp_path_factory.mktemp("record") / "run"
        memory = MemoryRecorder()
        with RunWriter(folder, HEAD) as writer:
            for columns in written:
                typed = {n: pa.array(v, _plain(TABLES[table].field(n).type)) for n, v in columns.items()}
                writer.append(table, typed)
                memory.append(table, typed)
            from_stream = RunRecord(folder).table(table)
            writer.close("complete")
        from_parquet = RunRecord(folder).table(table)
        rows = [dict(zip(c, row, strict=True)) for c in written for row in zip(*c.values(), strict=True)]
        for found in (from_stream, from_parquet, memory.table(table)):
            assert found.schema.equals(TABLES[table])
            assert found.to_pylist() == rows

    check()


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_dictionary(kind) else kind


def test_names_that_grow_over_batches(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    many = 40
    with RunWriter(folder, HEAD) as writer:
        for number in range(many):
            client = [f"client-{number}", f"client-{number // 2}", None]
            writer.append("probes", {"intended_us": [number] * 3, "client": client, "service": "risk"})
        opened = RunRecord(folder).table("probes")
        writer.close("complete")
    expected = [name for n in range(many) for name in (f"client-{n}", f"client-{n // 2}", None)]
    for table in (opened, RunRecord(folder).table("probes")):
        assert table["client"].to_pylist() == expected
        assert table["service"].to_pylist() == ["risk"] * 3 * many


def test_columns_that_are_left_out_are_null_and_unknown_ones_are_our_bug() -> None:
    rows = batch("probes", {"intended_us": [1, 2], "service": "risk"})
    assert rows["done_us"].null_count == rows["client"].null_count == 2
    with pytest.raises(AssertionError, match="no columns"):
        batch("probes", {"intended_us": [1], "latency_ms": [3]})


def test_times_are_whole_microseconds() -> None:
    with pytest.raises(pa.ArrowInvalid, match="truncated"):
        batch("probes", {"intended_us": [1.5]})
    half: Any = 1.5
    with pytest.raises(AssertionError, match="no whole microsecond"):
        Mark(half, 0, "load_started", "client")
    for table in TABLES.values():
        assert all(c.type == pa.int64() for c in table if c.name.endswith("_us"))


@given(
    st.lists(
        st.builds(
            lambda t_us, kind, subject, source: Mark(t_us, 0, kind, subject, dict.fromkeys(KINDS[kind], 1), source),
            st.integers(-(10**12), 10**12),
            st.sampled_from(sorted(KINDS)),
            st.text(max_size=10),
            st.one_of(st.none(), st.integers(-(2**53), 2**53)),
        ),
        max_size=12,
    )
)
@settings(max_examples=40, deadline=None)
def test_facts_are_sorted_by_time_and_then_as_they_came(
    tmp_path_factory: pytest.TempPathFactory, written: list[Mark]
) -> None:
    folder = tmp_path_factory.mktemp("record") / "run"
    with RunWriter(folder, HEAD) as writer:
        for m in written:
            writer.mark(m.t_us, m.kind, m.subject, source_t_us=m.source_t_us, **m.detail)
        opened = RunRecord(folder).marks
        writer.close("complete")
    closed = RunRecord(folder).marks
    assert opened == closed
    assert [(m.t_us, m.seq) for m in closed] == sorted((m.t_us, n) for n, m in enumerate(written))
    for m in closed:
        was = written[m.seq]
        assert (m.kind, m.subject, m.detail, m.source_t_us) == (was.kind, was.subject, was.detail, was.source_t_us)
    lines = (folder / "marks.jsonl").read_text().splitlines()
    assert lines == [mark_line(m) for m in closed]  # the file itself is sorted


def test_a_fact_must_be_of_a_known_kind_and_say_what_it_must() -> None:
    with pytest.raises(KeyError):
        Mark(0, 0, "surprise", "x")
    with pytest.raises(AssertionError, match="lacks \\['failures'\\]"):
        Mark(0, 0, "automation_detected", "automation")
    line = mark_line(Mark(5, 0, "load_started", "client"))
    for wrong in ('"t_us":"5"', '"t_us":5.0', '"t_us":null', '"t_us":true'):
        with pytest.raises(ValueError, match="whole time"):
            parse_mark(line.replace('"t_us":5', wrong))
    for wrong in (
        "[]",
        "{}",
        "7",
        line.replace("load_started", "surprise"),
        line.replace('"detail":{}', '"detail":[]'),
    ):
        with pytest.raises(ValueError, match="fact"):
            parse_mark(wrong)


def test_the_head_says_how_the_run_ended_and_how_much_there_is(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    record = RunRecord(tmp_path / "run")
    files = record.head.pop("files")
    for name in files:
        assert files[name] == hashlib.sha256((record.folder / name).read_bytes()).hexdigest()
    assert set(files) == {"marks.jsonl", "probes.parquet", "writes_done.parquet"}
    assert record.head == {
        **HEAD,
        "schema_version": 1,
        "termination": "complete",
        "duration_us": 10,
        "facts": 6,
        "rows": {"probes": 18, "writes_done": 6},
    }
    assert not record.interrupted
    assert RunRecord(record.folder).table("load").num_rows == 0
    assert {f.suffix for f in record.folder.iterdir()} == {".json", ".jsonl", ".parquet"}


def test_trials_come_back_in_order_with_their_facts(tmp_path: Path) -> None:
    opened = tmp_path / "open"
    write_trials(tmp_path / "it", lambda _: shutil.copytree(tmp_path / "it", opened, dirs_exist_ok=True) and None)
    for folder, end in ((opened, "interrupted"), (tmp_path / "it", "complete")):
        ensemble = read_ensemble(folder)
        assert (ensemble.head["termination"], ensemble.interrupted) == (end, end != "complete")
        assert ensemble.trials == [trial(n) for n in range(TRIALS)]
        for number in range(TRIALS):
            assert ensemble.marks(number) == sorted(facts(number), key=lambda m: m.t_us)
        with pytest.raises(KeyError):
            ensemble.marks(TRIALS)
    assert (ensemble.head["trials_done"], ensemble.head["trials_asked"]) == (TRIALS, TRIALS)


def test_full_runs_stand_inside_their_ensemble(tmp_path: Path) -> None:
    folder = tmp_path / "it"
    write_ensemble(folder, HEAD, [trial(3), Trial(11, 7, {}, {})])
    for number in (11, 3):
        write_run(run_folder(folder, number))
    ensemble = read_ensemble(folder)
    assert ensemble.full_runs() == {3: folder / "trial-3", 11: folder / "trial-11"}
    assert [(t.trial, t.results) for t in ensemble.trials] == [(3, trial(3).results), (11, {})]
    assert ensemble.marks(3) == []
    assert (is_ensemble(folder), is_ensemble(folder / "trial-3"), is_ensemble(tmp_path)) == (True, False, False)


def test_the_same_trial_twice_is_our_bug(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="twice"):
        write_ensemble(tmp_path / "it", {}, [trial(1), trial(1)])
    assert len(read_ensemble(tmp_path / "it").trials) == 1
