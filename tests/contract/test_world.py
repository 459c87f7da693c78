"""A run of the twin: the same facts for the same seed, whatever the flushes; when it has settled; what is half-open."""

import hashlib
import multiprocessing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenarios.errors import UsageError
from scenarios.model.scenario import Entry
from scenarios.record.writer import MemoryRecorder, RunWriter
from sim.world import World, run
from tests.unit.sim import stage
from tests.worlds import SERVICES, Played, play, played, scenario

S = 1_000_000_000
FACTS = ("probes", "load", "writes_sent", "writes_done", "readback", "samples")
FILES = ("marks.jsonl", "probes.parquet", "writes_sent.parquet", "writes_done.parquet", "readback.parquet")


def digests(folder: Path) -> dict[str, str]:
    found = {f.name: f for f in folder.iterdir() if f.name in (*FILES, "load.parquet")}
    return {name: hashlib.sha256(f.read_bytes()).hexdigest() for name, f in sorted(found.items())}


def written(folder: str, name: str, fidelity: str, trial: int) -> dict[str, str]:
    with RunWriter(Path(folder), {}) as writer:
        end = run(scenario(name), 1, trial, writer, fidelity=fidelity)
        writer.close(end.termination)
    return digests(Path(folder))


@pytest.mark.proves("The same seed gives the same bytes in marks, probes, load and writes, on one worker or on many")
@pytest.mark.parametrize("fidelity", ["control", "request"])
def test_the_same_seed_gives_the_same_bytes(fidelity: str, tmp_path: Path) -> None:
    first = written(str(tmp_path / "a"), "region-lost", fidelity, 1)
    written(str(tmp_path / "b"), "slow-risk", fidelity, 2)  # another one in between
    assert written(str(tmp_path / "c"), "region-lost", fidelity, 1) == first
    assert written(str(tmp_path / "d"), "region-lost", fidelity, 2) != first
    assert set(FILES) <= set(first)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        arguments = (str(tmp_path / "e"), "region-lost", fidelity, 1)
        assert pool.apply(written, arguments) == first


def facts(found: Played) -> dict[str, object]:
    """Everything."""
    return {
        **{name: found.decoded(name).to_pylist() for name in FACTS},
        "marks": [(m.t_us, m.seq, m.kind, m.subject, m.detail) for m in found.marks],
        "end": found.end,
    }


@pytest.mark.proves("No fact depends on how often the record is flushed")
@pytest.mark.parametrize("fidelity", ["control", "request"])
@pytest.mark.parametrize("name", ["region-lost", "risk-hangs", "busy"])
def test_facts_do_not_depend_on_flushes(name: str, fidelity: str) -> None:
    often = facts(play(scenario(name), fidelity, flush_ns=S))
    for flush_ns in (7 * S, 3600 * S):
        seldom = facts(play(scenario(name), fidelity, flush_ns=flush_ns))
        for part, rows in often.items():
            assert rows == seldom[part], part


@pytest.mark.parametrize("name", ["risk-node-loss-1-replica", "opening-burst"])
def test_facts_of_the_library_do_not_depend_on_flushes(name: str) -> None:
    """With alerts, people, a load that changes and breakers in waves; it settles at the same instant too."""
    often = play(scenario(name), "control", flush_ns=S)
    seldom = play(scenario(name), "control", flush_ns=61 * S)
    assert often.end == seldom.end
    assert [(m.t_us, m.kind, m.subject) for m in often.marks] == [(m.t_us, m.kind, m.subject) for m in seldom.marks]
    for table in FACTS:
        assert often.decoded(table).equals(seldom.decoded(table)), table


def with_third_region(tmp_path: Path, name: str) -> Path:
    """The same scenario on a topology with one more region that nothing uses."""
    topologies, scenarios_ = tmp_path / "topologies", tmp_path / "scenarios"
    topologies.mkdir()
    scenarios_.mkdir()
    source = Path(__file__).parent.parent / "scenarios"
    text = (source / "topologies" / "small.yaml").read_text(encoding="utf-8")
    third = "  eu-west-1: {role: pilot-light, zones: 1, nodes: 1, node_cpu: 8 vCPU, node_quota: 2}\n"
    at = text.index("  us-west-2:")
    (topologies / "small.yaml").write_text(text[:at] + third + text[at:], encoding="utf-8")
    target = scenarios_ / f"{name}.yaml"
    target.write_text((source / "scenarios" / f"{name}.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    return target


@pytest.mark.proves("An entity that nothing uses changes no fact about the others")
@pytest.mark.parametrize("fidelity", ["control", "request"])
def test_an_unused_region_changes_nothing(fidelity: str, tmp_path: Path) -> None:
    plain = played("region-lost", fidelity)
    more = play(scenario(str(with_third_region(tmp_path, "region-lost"))), fidelity)
    assert [(m.t_us, m.kind, m.subject) for m in more.marks if "eu-west-1" not in m.subject] == [
        (m.t_us, m.kind, m.subject) for m in plain.marks
    ]
    for table in ("writes_sent", "writes_done", "readback"):
        assert more.decoded(table).equals(plain.decoded(table)), table
    rows = [row for row in more.decoded("probes").to_pylist() if row["client"] != "direct-eu-west-1"]
    assert rows == plain.decoded("probes").to_pylist()


def test_a_changed_size_keeps_the_draws_of_everything_else() -> None:
    plain, more = played("busy", "request"), played("busy", "request", services__risk__replicas=3)
    for table in ("writes_sent",):
        assert plain.decoded(table).equals(more.decoded(table))
    assert plain.quantile_ms("own", 0.5, "tactical") == pytest.approx(
        more.quantile_ms("own", 0.5, "tactical"), rel=0.05
    )
    assert plain.sampled("recovery_point_us")[1].tolist() == more.sampled("recovery_point_us")[1].tolist()


# --- intervals


@pytest.mark.parametrize("fidelity", ["control", "request"])
def test_what_is_flushed_is_what_has_ended_before_the_clock(fidelity: str) -> None:
    """At instant t the record holds each probe that has ended before t and no other, and so with orders and samples."""
    whole = played("region-lost", fidelity)
    recorder = MemoryRecorder()
    world = World(scenario("region-lost"), 1, 0, recorder, fidelity)
    world._faults.start()
    for second in (3, 10, 11, 23):
        world._play(second * S)
        world._flush()
    part = Played(whole.end, recorder.marks, {name: recorder.table(name) for name in FACTS if name != "readback"})
    done, every = part.column("writes_done", "done_us"), whole.column("writes_done", "done_us")
    assert len(done) == (every < 23_000_000).sum()
    assert done.max() < 23_000_000
    sent = part.column("writes_sent", "sent_us")
    assert len(sent) == (whole.column("writes_sent", "sent_us") < 23_000_000).sum()
    intended = part.column("probes", "intended_us")
    assert len(intended) == _ended_before(whole, 23_000_000)
    assert sorted(set(part.column("samples", "t_us"))) == [s * 1_000_000 for s in range(23 + (fidelity == "request"))]


def _ended_before(found: Played, t_us: int) -> int:
    """Probes of a record that ended before an instant; a timeout ends a second after it was due (pages: a minute)."""
    done = found.column("probes", "done_us").astype(float)
    wait = np.where(found.column("probes", "service") == "page", 60e6, 1e6)
    return int((np.where(np.isnan(done), found.column("probes", "intended_us") + wait, done) < t_us).sum())


def test_every_second_of_load_is_on_record_once() -> None:
    found = played("busy", "request")
    edge = found.column("load", "service") == "edge"
    seconds = found.column("load", "second")[edge]
    assert sorted(seconds) == list(range(seconds.max() + 1))
    assert found.counted("sent") == found.end.counts["requests"] == found.tables["writes_sent"].num_rows
    assert found.counted("ok") + found.counted("failed") + found.counted("unknown") == found.counted("sent")


def test_queues_are_sampled_each_second_at_fidelity_request() -> None:
    found = played("slow-risk", "request", switches__breaker="off")
    t_s, waiting = found.sampled("queue_length", "us-east-1/risk")
    assert t_s[:20].tolist() == list(range(1, 21))
    assert waiting[(t_s > 5) & (t_s < 8.5)].min() > 10
    assert waiting[t_s < 5].max() <= 5
    assert not len(played("slow-risk", "control").sampled("queue_length")[0])


# --- the end


def settled_s(found: Played) -> float:
    """When it has settled by the definition of DESIGN, from the record alone."""
    bad = [found.bad_s(service)[-1] for service in (*SERVICES, "page") if len(found.bad_s(service))]
    acts = ("injection_begun", "effect_seen", "lifted", "step_started", "step_finished", "procedure_finished")
    last = max([0.0, *bad, *(t for kind in acts for t in found.times(kind))])
    sustain = max(60.0, 2 * 60.0)
    return float(np.ceil(round(last + sustain + 60.0, 6)))


@pytest.mark.proves("A run has settled when every service was good for the sustain window and 60 s for throughput")
@pytest.mark.parametrize("trial", range(2))
@pytest.mark.parametrize("name", ["region-loss-automatic", "risk-node-loss-1-replica", "strategic-crash-loop"])
def test_when_it_has_settled(name: str, trial: int) -> None:
    found = played(name, "control", trial)
    assert found.times("settled") == [found.end.duration_us / 1e6]
    judged = Played(found.end, [m for m in found.marks if m.t_us <= found.end.duration_us], found.tables)
    assert found.time("settled") == settled_s(judged)


def test_a_run_of_fixed_length_ends_then() -> None:
    found = played("busy", "control")
    assert found.end.duration_us == 20_000_000
    assert not found.times("settled")
    assert [m.detail["reason"] for m in found.marks if m.kind == "run_ended"] == ["at most"]


def test_a_run_that_never_settles_ends_at_its_limit() -> None:
    found = played("region-lost", "control", workload__duration="until settled", **{"workload.at most": "4 min"})
    assert found.end.duration_us == 240_000_000
    assert not found.times("settled")


def test_a_fault_still_to_come_keeps_it_from_settling() -> None:
    found = play(stage.scenario("[{at: 8 min, fault: none}]"), "control")
    assert found.time("settled") == 8 * 60 + 181  # the look that sees it is part of the fault


def test_a_procedure_under_way_keeps_it_from_settling() -> None:
    """Two minutes' waiting for an API that is down, with everything good meanwhile."""
    step = {"id": "wait", "title": "wait", "verb": "verify", "needs": ["route53"]}
    change = {"downtime": "1 min", "rollback": "1 min", "window": "1 h"}
    procedure = {"procedure": "wait", "actor": "people", "starts": "change-window", "steps": [step], "change": change}
    timeline = "[{at: 1 min, fault: api-down, target: {api: route53}, until: 10 min}]"
    resolved = stage.with_procedures(stage.scenario(timeline), procedure)
    entry = Entry.model_validate({"at": "2 min", "change": "wait"})
    resolved = replace(
        resolved, scenario=resolved.scenario.model_copy(update={"timeline": (*resolved.scenario.timeline, entry)})
    )
    found = play(resolved, "control")
    ended = found.time("procedure_finished", "wait")
    assert ended >= 11 * 60
    assert 180 <= found.time("settled") - ended <= 181


# --- the clean-up


@pytest.mark.proves("After a run every fault that was held until the end is lifted and seen to be gone")
@pytest.mark.parametrize("fidelity", ["control", "request"])
@pytest.mark.parametrize("name", ["region-lost", "risk-hangs"])
def test_faults_are_gone_after_the_end(name: str, fidelity: str) -> None:
    found = played(name, fidelity)
    assert found.time("run_ended") < found.time("lifted") < found.time("fault_gone")
    assert not found.times("left_behind")


def test_what_does_not_go_is_left_behind_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.control.cluster.Cluster.regain", lambda self: None)
    found = play(scenario("region-lost"), "control")
    assert found.times("lifted")
    assert not found.times("fault_gone")
    assert [m.detail["what"] for m in found.marks if m.kind == "left_behind"] == ["region-loss:0"]


def test_nothing_of_the_clean_up_is_judged() -> None:
    """Probes and samples end with the last requests, before anything is lifted."""
    found = played("region-lost", "request")
    assert found.column("probes", "intended_us").max() / 1e6 < found.time("lift_begun")
    assert found.column("samples", "t_us").max() / 1e6 <= found.time("lift_begun")


def test_an_unknown_fidelity_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="fidelity fluid"):
        run(scenario("busy"), 1, 0, MemoryRecorder(), fidelity="fluid")


def test_somebody_is_told_how_far_it_is() -> None:
    told: list[tuple[int, int, str]] = []
    run(scenario("region-lost"), 1, 0, MemoryRecorder(), fidelity="request", progress=lambda *a: told.append(a))
    assert [now for now, _, _ in told] == [s * 1_000_000 for s in range(1, 41)]
    assert {most for _, most, _ in told} == {40_000_000}
    assert any("region-loss" in words for _, _, words in told)
