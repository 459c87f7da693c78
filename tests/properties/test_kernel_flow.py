"""Conservation of flow and Little's law on the default topology at its default load, and in overload."""

from dataclasses import replace

import numpy as np
import pytest

from scenarios.files.load import load
from scenarios.record.histogram import middle_ns
from sim.build import system as build
from sim.data.arrivals import Arrivals
from sim.data.commands import Command, Outcome, Status
from sim.data.event_plane import EventPlane
from sim.data.plane import Chunk, LoadRows
from sim.data.system import I64, System
from tests.properties.systems import MS, S, Timed


def _system() -> System:
    system, _ = build(load("region-loss-automatic"), 1, 0)
    return replace(system, probe_end=np.where(system.probe_end > 0, 8 * S, 0))


def _played(system: System, rate_per_s: float, script: list[Timed], until_ns: int) -> tuple[EventPlane, Chunk, int]:
    """Play 5 s of load, then wait until everything has ended."""
    arrivals = Arrivals(np.array([0]), np.array([rate_per_s]), np.uint64(11)).take(5 * S)
    arrivals = arrivals[arrivals < 5 * S]
    plane = EventPlane(system)
    plane.feed(arrivals)
    for entry in script:
        plane.advance(entry.at_ns)
        plane.command(entry.command, entry.a, entry.b)
    plane.advance(until_ns)
    return plane, plane.drain(final=True), len(arrivals)


def _sum(rows: LoadRows, name: str, station: int) -> int:
    return int(getattr(rows, name)[rows.station == station].sum())


LOSS = [Timed(3 * S, Command.LOSE, pod, pod % 2) for pod in range(12)]
SILENCE = [Timed(2 * S, Command.SEND, 0), Timed(2 * S + 300 * MS, Command.SEND, 1)]


@pytest.mark.proves(
    "flow is conserved: intended = sent + not sent; sent = ok + failed + unknown; each request ends once"
)
@pytest.mark.parametrize(
    ("rate_per_s", "script"), [(10_500.0, []), (10_500.0, LOSS), (10_500.0, SILENCE), (24_000.0, LOSS)]
)
def test_flow(rate_per_s: float, script: list[Timed]) -> None:
    system = _system()
    plane, chunk, arrived = _played(system, rate_per_s, script, 20 * S)
    load = chunk.load
    unsent = _sum(load, "intended", -1) - _sum(load, "sent", -1)
    assert _sum(load, "intended", -1) == arrived
    assert (unsent > 0) == (script is SILENCE)
    ended = sum(_sum(load, name, -1) for name in ("ok", "failed", "unknown"))
    assert ended == _sum(load, "sent", -1) == len(chunk.finished_index) == len(set(chunk.finished_index.tolist()))
    assert _sum(load, "attempts", -1) == chunk.finished_attempts.sum()
    assert np.all(chunk.finished_done_ns >= chunk.finished_intended_ns)
    outcomes = [Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN]
    for name, outcome in zip(("ok", "failed", "unknown"), outcomes, strict=True):
        assert _sum(load, name, -1) == (chunk.finished_outcome == outcome).sum()
    assert set(chunk.finished_status[chunk.finished_outcome == Outcome.OK].tolist()) == {int(Status.OK)}
    counters = plane.counters()
    assert counters.busy.sum() == 0
    assert counters.waiting.sum() == 0
    for station in range(len(system.station_names)):
        own = sum(int(hist[:, 1].sum()) for i, hist in enumerate(load.own_hist) if load.station[i] == station)
        accepted = _sum(load, "sent", station)
        assert own <= accepted <= _sum(load, "attempts", station)
        if not any(entry.command == Command.LOSE for entry in script):
            assert own == accepted == _sum(load, "ok", station) + _sum(load, "failed", station)


@pytest.mark.proves("an acknowledged request has exactly one row; rows have positions without gaps")
def test_rows() -> None:
    _, chunk, _ = _played(_system(), 10_500.0, LOSS, 20 * S)
    keys = chunk.rows_key[chunk.rows_database == 0]
    assert len(set(keys.tolist())) == len(keys)
    acknowledged = chunk.finished_index[chunk.finished_outcome == Outcome.OK]
    assert set(acknowledged.tolist()) <= set(keys.tolist())
    assert np.array_equal(chunk.rows_position, np.arange(1, len(keys) + 1))
    assert np.all(np.diff(chunk.rows_commit_ns) >= 0)


def _mean_ns(histograms: list[I64]) -> tuple[int, float]:
    merged = np.concatenate(histograms)
    count = int(merged[:, 1].sum())
    return count, float((middle_ns(merged[:, 0]) * merged[:, 1]).sum() / count)


@pytest.mark.proves("Little's law holds at every station: jobs there = rate x time there")
def test_littles_law() -> None:
    """Jobs seen at 4,000 instants against accepted calls x mean time from issue to answer (no call waits elsewhere)."""
    system = replace(_system(), pool_size=np.zeros_like(_system().pool_size))
    plane = EventPlane(system)
    plane.feed(Arrivals(np.array([0]), np.array([10_500.0]), np.uint64(11)).take(9 * S))
    seen = np.zeros(len(system.station_names))
    instants = np.linspace(1 * S, 9 * S, 4_001)[:-1].astype(np.int64)
    for instant in instants:
        plane.advance(int(instant))
        counters = plane.counters()
        np.add.at(seen, system.replica_station, counters.busy + counters.waiting)
    plane.advance(9 * S)
    load = plane.drain().load
    for station in range(4):
        rows = [i for i in range(len(load.second)) if load.station[i] == station and load.second[i] >= 1]
        count, mean_ns = _mean_ns([load.caller_hist[i] for i in rows])
        expected = count / (8 * S) * mean_ns
        assert seen[station] / len(instants) == pytest.approx(expected, rel=0.03), system.station_names[station]


@pytest.mark.proves("busy time is the work that was started: never more than the processors could do")
@pytest.mark.parametrize("rate_per_s", [10_500.0, 24_000.0])
def test_work_and_processors(rate_per_s: float) -> None:
    system = _system()
    plane, chunk, _ = _played(system, rate_per_s, [], 20 * S)
    work_ns = plane.counters().work_ns
    last = int(chunk.finished_done_ns.max())
    cores = system.initial_cpu_milli / 1000
    assert np.all(work_ns <= cores * max(last, 8 * S))
    assert work_ns.sum() > 5 * S
