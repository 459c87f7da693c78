"""Play the simple system for many minutes with the record on; print memory and cost as JSON.

`python -m tests.bench.memory MINUTES`: in a process of its own; it is `sim.world.run` with a RunWriter.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from scenarios.files.load import load
from scenarios.record.writer import RunWriter
from sim import world
from sim.recording import Recording
from tests.bench.cases import SYSTEMS
from tests.bench.measure import Clock


def resident_mb(which: str = "VmRSS") -> float:
    """Resident memory now, or the most there ever was (`VmHWM`), in MB of 10^6 bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(which)) * 1024 / 1e6


def play(minutes: float) -> dict[str, Any]:
    """Play and record; memory is sampled at each progress report (a simulated second)."""
    duration = f"{round(minutes * 60)} s"
    resolved = load(
        str(SYSTEMS / "simple.yaml"), overrides={"workload.duration": duration, "workload.at_most": duration}
    )
    recording = Clock()
    for name in ("sent", "flush", "readback"):
        setattr(Recording, name, recording.around(getattr(Recording, name)))
    samples: list[tuple[float, float]] = []

    def progress(now_us: int, at_most_us: int, words: str) -> None:
        if not samples or now_us / 1e6 - samples[-1][0] >= 5:
            samples.append((now_us / 1e6, resident_mb()))

    before_mb = resident_mb()
    begun = time.process_time()
    with tempfile.TemporaryDirectory(prefix="gameday-bench-") as folder:
        writer = RunWriter(Path(folder) / "run", {"run_id": "bench", **resolved.document()})
        end = world.run(resolved, 1, 0, writer, progress=progress)
        played_s = time.process_time() - begun
        after_mb = resident_mb()
        writer.close(end.termination, duration_us=end.duration_us)
        on_disk = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    return {
        "requests": end.counts["requests"],
        "before_mb": before_mb,
        "samples": samples,
        "after_readback_mb": after_mb,
        "closed_mb": resident_mb(),
        "peak_mb": resident_mb("VmHWM"),
        "cpu_s": played_s,
        "recording_s": recording.seconds,
        "closing_s": time.process_time() - begun - played_s,
        "record_bytes": on_disk,
    }


if __name__ == "__main__":
    json.dump(play(float(sys.argv[1])), sys.stdout)
