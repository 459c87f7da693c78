"""Closing a record takes a row group at a time, however long the run was."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from scenarios.record.reader import RunRecord
from scenarios.record.writer import RunWriter

folder, rows, batch = Path(sys.argv[1]), int(sys.argv[2]), 10_000
with RunWriter(folder, {}) as writer:
    for first in range(0, rows, batch):
        keys = np.arange(first, first + batch)
        done = {"data_class": f"class-{first % 7}", "key": keys, "done_us": keys * 95, "outcome": "acked"}
        writer.append("writes_done", done)
    writer.close("complete")
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
assert RunRecord(folder).head["rows"] == {"writes_done": rows}
print(int(peak.split()[1]) // 1024)
"""


def peak_mb(folder: Path, rows: int) -> int:
    command = [sys.executable, "-c", SCRIPT, str(folder), str(rows)]
    return int(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120).stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_closing_takes_no_more_memory_for_a_longer_run(tmp_path: Path) -> None:
    short, long = peak_mb(tmp_path / "short", 600_000), peak_mb(tmp_path / "long", 2_400_000)
    # held as a whole, 1.8 million more rows would take 24 bytes each in the stream's batches alone: 43 MB
    assert long - short < 30
