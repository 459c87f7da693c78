"""Closing a record takes a row group at a time, however long the run was and however wide its rows are."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scenarios.record import stream
from scenarios.record.reader import RunRecord
from scenarios.record.tables import LOAD
from scenarios.record.writer import RunWriter

ROOT = Path(__file__).parents[3]
SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from scenarios.record.reader import RunRecord
from scenarios.record.writer import RunWriter

folder, rows, batch = Path(sys.argv[1]), int(sys.argv[2]), 200_000
with RunWriter(folder, {}) as writer:
    for first in range(0, rows, batch):
        keys = np.arange(first, first + batch)
        done = {"data_class": f"class-{first % 7}", "key": keys, "done_us": keys * 95, "outcome": "acked"}
        writer.append("writes_done", done)
    writer.close("complete")
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
assert RunRecord(folder).head["rows"] == {"writes_done": rows}
assert "pandas" not in sys.modules, "it takes 60 MB"
print(int(peak.split()[1]) // 1024)
"""


def peak_mb(folder: Path, rows: int) -> int:
    command = [sys.executable, "-c", SCRIPT, str(folder), str(rows)]
    return int(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120).stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_closing_takes_no_more_memory_for_a_longer_run(tmp_path: Path) -> None:
    short, long = peak_mb(tmp_path / "short", 600_000), peak_mb(tmp_path / "long", 2_400_000)
    # held as a whole, 1.8 million more rows would take 24 bytes each in the stream's batches alone: 43 MB
    assert long - short < 15


def row_groups(path: Path) -> list[int]:
    """Rows of each row group."""
    with pq.ParquetFile(path) as file:
        return [file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)]


def test_batches_are_cut_and_joined_to_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "ROW_GROUP", 1_000)
    lengths = [1, 400, 600, 2_500, 300, 0, 699, 1_001]
    with RunWriter(tmp_path / "run", {}) as writer:
        for number, length in enumerate(lengths):
            keys = np.arange(length) + 10_000 * number
            writer.append("writes_done", {"data_class": f"class-{number}", "key": keys})
        writer.close("complete")
    groups = row_groups(tmp_path / "run" / "writes_done.parquet")
    assert max(groups) <= 1_000
    assert len(groups) <= 9
    found = RunRecord(tmp_path / "run").table("writes_done")
    expected = [(f"class-{number}", 10_000 * number + i) for number, n in enumerate(lengths) for i in range(n)]
    assert list(zip(found["data_class"].to_pylist(), found["key"].to_pylist(), strict=True)) == expected


def test_few_rows_with_wide_histograms_are_no_single_row_group(tmp_path: Path) -> None:
    wide = [{"bin": i, "count": i * i} for i in range(5_000)]
    with RunWriter(tmp_path / "run", {}) as writer:
        for second in range(100):
            own = pa.array([wide], LOAD.field("own").type)
            writer.append("load", {"second": np.array([second], dtype=np.int32), "own": own})
        writer.close("complete")
    groups = row_groups(tmp_path / "run" / "load.parquet")
    assert 1 < max(groups) <= stream.ROW_GROUP_BYTES // (len(wide) * 12)  # a bin takes 4 bytes, a count 8
    found = RunRecord(tmp_path / "run").table("load")
    assert found["second"].to_pylist() == list(range(100))
    assert found["own"][99].as_py() == wide
