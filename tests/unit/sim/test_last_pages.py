"""A test page that is slow at the end of a run is on record all the same."""

import pyarrow.compute as pc

from scenarios.files.load import load
from scenarios.record.writer import MemoryRecorder
from sim.world import run


def test_every_page_due_in_the_judged_interval_is_on_record() -> None:
    """A page of trial 38 takes more than ten seconds just before the end."""
    recorder = MemoryRecorder()
    end = run(load("region-loss-automatic"), 1, 38, recorder, fidelity="control")
    probes = recorder.table("probes")
    due = probes.filter(pc.equal(pc.cast(probes["service"], "string"), "page"))["intended_us"].to_numpy()
    judged = sorted(due[due < end.duration_us].tolist())
    spacing = judged[1] - judged[0]
    assert judged == list(range(judged[0], end.duration_us, spacing))
