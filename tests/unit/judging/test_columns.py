"""Columns of Arrow tables: nulls, slices, chunks, and names that a writer listed twice."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa

from scenarios.record.tables import LOAD, TABLES
from tests.records import Run
from validators.columns import NONE, histograms, names, quantile_ms, real, whole

CHUNKS = pa.chunked_array([pa.array([1, None, 3], pa.int32()), pa.array([None, 5], pa.int32())])
TABLE = pa.table({"n": CHUNKS, "f": [1.0, None, 2.0, 3.0, 4.0], "word": ["a", None, "b", "a", "a"]})


def test_numbers() -> None:
    assert whole(TABLE, "n").tolist() == [1, NONE, 3, NONE, 5]
    assert whole(TABLE.slice(1, 3), "n").tolist() == [NONE, 3, NONE]
    assert whole(TABLE.slice(0, 0), "n").tolist() == []
    np.testing.assert_array_equal(real(TABLE.slice(1), "f"), [np.nan, 2.0, 3.0, 4.0])


def test_names() -> None:
    found = names(TABLE.slice(1), "word")
    assert found.equal("a").tolist() == [False, False, True, True]
    assert found.equal("nobody").tolist() == [False] * 4
    assert found.equal("a", np.array([2, 0])).tolist() == [True, False]
    assert found.seen() == ["a", "b"]


def test_a_name_that_was_listed_twice_is_one() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None], pa.int32()), pa.array(["x", "y", "x"]))
    found = names(pa.table({"word": column}), "word")
    assert found.equal("x").tolist() == [True, False, True, False]
    assert len(set(found.names)) == len(found.names)


def test_histograms_of_some_rows() -> None:
    rows = [[{"bin": 1, "count": 2}], None, [], [{"bin": 1, "count": 4}, {"bin": 5, "count": 6}]]
    table = pa.table({"own": pa.array(rows, LOAD.field("own").type)})
    found = histograms(table, "own", np.array([3, 1, 0]))
    assert found.row.tolist() == [0, 0, 2]
    assert found.total().tolist() == [[1, 6], [5, 6]]
    assert found.total(np.array([False, True, True])).tolist() == [[1, 2]]


def test_what_is_missing_is_above_all_others() -> None:
    counted = np.array([[1, 95], [100, 0]])
    assert quantile_ms(counted, 0.95, 5) == 1e-6
    assert quantile_ms(counted, 0.95, 6) is None
    assert quantile_ms(np.zeros((0, 2), dtype=np.int64), 0.5) is None


def test_judging_imports_no_pandas(tmp_path: Path) -> None:
    """It would cost a second in each process that judges a record."""
    run = Run()
    for name in TABLES:
        table = run.table(name)
        with pa.OSFile(str(tmp_path / name), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
            stream.write_table(table)
    (tmp_path / "rest").write_bytes(pickle.dumps((run.head, run.marks)))
    program = """
import pickle, sys, pyarrow as pa
from pathlib import Path
from validators.judge import judge
from validators.observe import observe
folder = Path(sys.argv[1])
head, marks = pickle.loads((folder / "rest").read_bytes())
judged = judge(observe(head, marks, lambda name: pa.ipc.open_stream(str(folder / name)).read_all()))
assert judged.judged > 20
assert "pandas" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], check=False, timeout=100, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
