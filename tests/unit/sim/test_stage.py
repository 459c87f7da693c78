"""The stage on which operations are tested plays what a whole trial plays."""

import pytest

from scenarios.record.writer import MemoryRecorder
from sim.world import run
from tests.unit.sim.stage import Stage, library


@pytest.mark.parametrize(("name", "state"), [("region-loss-manual", False), ("region-loss-automatic", True)])
def test_people_and_databases_do_on_the_stage_what_they_do_in_a_trial(name: str, state: bool) -> None:
    recorder = MemoryRecorder()
    run(library(name), 1, 3, recorder, fidelity="control")
    stage = Stage(library(name), trial=3, state=state)
    end = stage.until_fact("procedure_finished")
    kinds = ("acknowledged", "engaged", "decided", "step_finished", "fenced", "dns_switched", "pod_ready", "page_sent")
    played = [(m.t_us, m.kind, m.subject) for m in recorder.marks if m.kind in kinds and m.t_us / 60e6 <= end]
    staged = [(round(f.minute * 60e6), f.kind, f.subject) for f in stage.facts if f.kind in kinds]
    assert staged == played
    assert len(staged) > 20
