"""Each operational mechanism off: a named measure of a named scenario changes (control fidelity, fixed draws)."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from gameday.play import closed, head
from scenarios.files.library import LIBRARY
from scenarios.files.load import defaults
from scenarios.files.resolved import Resolved
from scenarios.record.writer import MemoryRecorder
from sim.world import run
from tests.unit.sim.stage import HOME, MINUTE, OTHER, Stage, library, scenario
from tests.unit.sim.test_ablation_infrastructure import SIM, TABLE
from validators.judge import judge
from validators.model import Verdict
from validators.observe import observe

CONTROL = Path(__file__).parents[3] / "sim" / "control"
MINE = (
    "alertmanager", "apis", "automation", "backups", "copies", "incident", "lag", "monitoring", "observed_lag", "pages",
    "people", "postgres", "procedures", "prometheus", "steps", "timelines", "database_samples",
)  # fmt: skip
LOSS = f"[{{at: 5 min, fault: region-loss, target: {{region: {HOME}}}, until: 40 min}}]"
PRIMARY = f"[{{at: 5 min, fault: database-failure, target: {{region: {HOME}}}}}]"

Measure = Callable[[Stage], float]


def first(kind: str, subject: str | None = None, **detail: object) -> Measure:
    """Minute of the first such fact (-1: none by the minute played to)."""
    return lambda stage: (stage.minutes(kind, subject, **detail) or [-1.0])[0]


def between(begin: Measure, end: Measure) -> Measure:
    return lambda stage: end(stage) - begin(stage)


def count(kind: str, **detail: object) -> Measure:
    return lambda stage: float(len(stage.minutes(kind, **detail)))


def rows_lost(stage: Stage) -> float:
    """Rows of the home database that the promoted one lacks."""
    had = stage.plane.wal_position(stage.context.names.database[HOME])
    return float(had - stage.context.database.timelines()[1].fork_position)


def writers_together(stage: Stage) -> float:
    """Seconds in which both databases took writes."""
    seconds = range(int(stage.context.now_ns // (MINUTE // 60)))
    return float(np.all([stage.sampled(f"{r}/database", "writable", *seconds) for r in (HOME, OTHER)], axis=0).sum())


def greatest_age(stage: Stage) -> float:
    """Of the models' recovery point, in seconds, before the loss."""
    seconds = range(300)
    points = np.array(stage.sampled(f"{OTHER}/models", "recovery_point_us", *seconds)) / 1e6
    return float((np.array(seconds) - points).max())


def read_lag(stage: Stage) -> float:
    """What was read of the replica's lag before it was promoted."""
    facts = (f for f in stage.facts if f.kind == "step_finished" and f.detail["step"] == "assess")
    return float(next(facts).detail["observed_lag_s"])


@dataclass(frozen=True)
class Ablation:
    """A switch, what is played to which minute, and what changes how."""

    switch: str
    measure: Measure
    until: float
    name: str = ""  # a scenario of the library, else one with this timeline and response
    timeline: str = "[]"
    response: str = "[]"
    set: dict[str, object] = field(default_factory=dict)
    grows: bool | None = False  # when the mechanism is off; None: it may go either way
    state: bool = False  # whether the data plane answers from state
    section: str = "switches"

    def resolved(self, **more: object) -> Resolved:
        settings = {**self.set, **more}
        if self.name:
            return library(self.name, **settings)
        return scenario(self.timeline, self.response, **settings)


MANUAL, CRASH, DROP = "region-loss-manual", "strategic-crash-loop", "drop-table-restore"
PROMOTED = first("promoted")
LONG_BACKUP = {"postgres__start_of_run_s": 10_800, "postgres__backup_duration": "60 min"}
QUICK = {f"people__{name}": "10 s" for name in ("acknowledge", "assemble", "decide", "manual_step")}
ABLATIONS = (
    Ablation("fencing", writers_together, 60, timeline=LOSS, response="[manual-failover]", grows=True),
    Ablation("timeline_fork", rows_lost, 60, MANUAL),
    Ablation("replication_lag", rows_lost, 60, MANUAL),
    Ablation("observed_lag", read_lag, 60, MANUAL, grows=True),
    Ablation("backup_refuses_promotion", PROMOTED, 80, MANUAL, set=LONG_BACKUP),
    Ablation("multi_az_failover_time", first("database_available"), 25, timeline=PRIMARY),
    Ablation("promotion_time", between(first("promotion_begun"), PROMOTED), 60, MANUAL),
    Ablation("copies", greatest_age, 6, MANUAL),
    Ablation("restore_time", between(first("restore_begun"), first("restored")), 60, DROP, set=QUICK, state=True),
    Ablation("scrape_interval", first("alert_pending"), 8, CRASH),
    Ablation("alert_for", between(first("alert_pending"), first("alert_firing")), 8, CRASH),
    Ablation("group_wait", between(first("alert_firing"), first("page_sent")), 8, CRASH),
    Ablation("staleness", count("alert_resolved", rules="written"), 70, CRASH),
    Ablation("monitoring_dies", count("alert_firing", region=HOME), 8, MANUAL, grows=True),
    Ablation("escalation", count("escalated"), 30, CRASH, set={"people__acknowledge": "12 min"}),
    Ablation("finite_people", between(first("procedure_started"), first("procedure_finished")), 120, MANUAL),
    Ablation("incident_factor", first("decided"), 90, MANUAL, grows=None),
    Ablation("step_errors", first("procedure_finished"), 150, MANUAL, set={"people__step_error": "60 %"}),
    Ablation(
        "api_dependencies", first("dns_switched"), 90, MANUAL, set={"dns__control_plane_in_us_east_1": "on"}, grows=True
    ),
    Ablation(
        "control_plane_in_us_east_1",
        first("dns_switched"),
        90,
        MANUAL,
        set={"dns__control_plane_in_us_east_1": "on"},
        grows=True,
        section="dns",
    ),
)


@pytest.mark.parametrize("ablation", ABLATIONS, ids=lambda a: a.switch)
def test_switching_a_mechanism_off_changes_its_measure(ablation: Ablation) -> None:
    without = ablation.resolved(**{f"{ablation.section}__{ablation.switch}": "off"})
    on, off = (
        ablation.measure(Stage(resolved, state=ablation.state).until(ablation.until))
        for resolved in (ablation.resolved(), without)
    )
    assert off != on
    assert ablation.grows is None or (off > on) == ablation.grows


def settles_after_the_restore(**overrides: object) -> float:
    """Minutes from the restored database's first write until everything was good; breakers would hide the overload."""
    recorder = MemoryRecorder()
    resolved = library(DROP, switches__restore_time="off", switches__breaker="off", **QUICK, **overrides)
    run(resolved, 1, 0, recorder, fidelity="control")
    available, settled = (
        next(m.t_us for m in recorder.marks if m.kind == k) for k in ("database_available", "settled")
    )
    return (settled - available) / 60e6


def test_cold_blocks_keep_a_restored_database_too_slow_for_the_load() -> None:
    """Ten times slower at first, it carries the load when 2.2 tau of 2 to 5 min have passed."""
    assert settles_after_the_restore() > settles_after_the_restore(switches__cold_blocks="off") + 3


# --- two writers, judged


def judged(rule: str, **overrides: object) -> Verdict:
    """Verdict on a house rule when the lost region comes back after the failover."""
    resolved = scenario(LOSS, "[automatic-failover]", people__acknowledge="1 min", **overrides)
    recorder = MemoryRecorder()
    facts = head(resolved, fidelity="control", seed=1, trial=0)
    facts |= closed(end := run(resolved, 1, 0, recorder, fidelity="control")) | {"termination": end.termination}
    return next(v for v in judge(observe(facts, recorder.marks, recorder.table)).verdicts if v.objective == rule)


@pytest.mark.proves("Without fencing a region that returns makes two writers, and the house rule fails")
def test_the_house_rule_sees_two_writers() -> None:
    assert judged("rule.single_writer").result == "PASS"
    without = judged("rule.single_writer", switches__fencing="off")
    assert without.result == "FAIL"
    assert without.value > 0


# --- nothing is left out


def test_every_switch_that_operations_read_is_ablated() -> None:
    read = {
        s for m in MINE for s in re.findall(r"\.on\(\"(\w+)\"\)", (CONTROL / f"{m}.py").read_text(encoding="utf-8"))
    }
    assert read == {a.switch for a in ABLATIONS if a.section == "switches"} | {"cold_blocks"}


@pytest.mark.proves("Every switch of the twin has a test in which switching it off changes a measure of a scenario")
def test_every_switch_of_the_library_is_ablated() -> None:
    tried = {f"{a.section}.{a.switch}" for a in (*ABLATIONS, *TABLE)}
    assert {p.name for p in defaults().values() if p.kind == "switch"} == tried


def test_a_prometheus_that_is_down_is_down_whatever_the_loss_of_its_region_does() -> None:
    down = f"[{{at: 5 min, fault: prometheus-down, target: {{region: {HOME}}}, until: end}}]"
    for switch in ("on", "off"):
        stage = Stage(scenario(down, switches__monitoring_dies=switch)).until(6)
        assert stage.minutes("effect_seen")
        assert not stage.context.monitoring.healthy(HOME)


# --- every parameter counts


def test_every_parameter_is_read() -> None:
    """By its name in the twin, or as the time that a step of the library's procedures takes."""
    files = [*SIM.rglob("*.py"), *(LIBRARY / "procedures").glob("*.yaml")]
    text = "\n".join(f.read_text(encoding="utf-8") for f in files)
    assert [p.name for p in defaults().values() if p.kind != "switch" and p.name not in text] == []
