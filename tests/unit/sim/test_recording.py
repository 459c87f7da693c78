"""From what has ended to rows: what was right, who answered, when; pages; samples that have no value."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sim.control.context import PageProbe
from sim.data.commands import Outcome, Status
from sim.data.plane import Chunk, Counters, LoadRows
from sim.recording import Recording
from tests.unit.sim.stage import HOME, OTHER, S, Stage, scenario

NONE = np.zeros(0, dtype=np.int64)
LOAD = LoadRows(NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, [], [], [])
EMPTY = Chunk(*[NONE] * 17, load=LOAD)


def chunk(stage: Stage, *probes: tuple[str, float, float, str | None, int, Status]) -> Chunk:
    """Probes as (class, intended, done, region of the address, replica, status); times in seconds."""
    names = stage.context.names
    rows = []
    for name, intended, done, region, replica, status in probes:
        number = names.class_number(name)
        service = names.classes[number].service
        entry = "strategic" if service == "order" else service
        station = -1 if region is None else names.station[region, entry]
        place = replica if replica < 0 or region is None else names.replicas[station][replica]
        rows.append((number, 0, round(intended * S), round(done * S), station, place, int(status)))
    columns = np.array(rows, dtype=np.int64).reshape(-1, 7).T
    fields = ("class", "index", "intended_ns", "done_ns", "station", "replica", "status")
    return replace(EMPTY, **{f"probes_{f}": c for f, c in zip(fields, columns, strict=True)})


def recorded(stage: Stage, *probes: tuple[str, float, float, str | None, int, Status]) -> list[dict[str, Any]]:
    recording = Recording(stage.context)
    recording.flush(chunk(stage, *probes), 0)
    return stage.recorder.table("probes").to_pylist()


def test_an_answer_is_told_with_who_gave_it() -> None:
    (row,) = recorded(Stage(scenario()), ("tactical/dns", 1, 1.006, HOME, 2, Status.OK))
    assert row == {
        "intended_us": 1_000_000, "sent_us": 1_000_000, "done_us": 1_006_000, "client": "user", "route": "dns",
        "service": "tactical", "address": HOME, "region": HOME, "pod": f"{HOME}/tactical/2", "timeline": None,
        "as_of_us": None, "status": "2xx", "right": "yes",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "word", "right", "answered"),
    [
        (Status.OK, "2xx", "yes", True),
        (Status.QUEUE_TIMEOUT, "5xx", "no", True),
        (Status.CALLEE_FAILED, "5xx", "no", True),
        (Status.READ_ONLY, "5xx", "no", True),
        (Status.REFUSED, "refused", "none", False),
        (Status.NO_ENDPOINT, "refused", "none", False),
        (Status.RESET, "refused", "none", False),
        (Status.TIMEOUT, "timeout", "none", False),
    ],
)
def test_what_each_end_means_to_a_user(status: Status, word: str, right: str, answered: bool) -> None:
    (row,) = recorded(Stage(scenario()), ("tactical/dns", 1, 2, HOME, 0, status))
    assert (row["status"], row["right"]) == (word, right)
    assert (row["region"] is not None, row["pod"] is not None) == (answered, answered)
    assert (row["done_us"] is None) == (status == Status.TIMEOUT)
    assert row["address"] == HOME


def test_without_an_address_there_is_none() -> None:
    (row,) = recorded(Stage(scenario()), ("tactical/dns", 1, 1, None, -1, Status.NO_ADDRESS))
    assert (row["address"], row["status"], row["right"]) == (None, "no_address", "none")


def test_an_answer_from_old_data_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Risk may answer from positions that are a minute old, and not from older ones."""
    stage = Stage(scenario())
    monkeypatch.setattr(stage.context.database, "as_of_us", lambda region, at_us: np.full(len(at_us), 1_000_000))
    rows = recorded(stage, ("risk/dns", 60.9, 60.99, HOME, 0, Status.OK), ("risk/dns", 61, 61.01, HOME, 0, Status.OK))
    assert [(r["as_of_us"], r["right"]) for r in rows] == [(1_000_000, "yes"), (1_000_000, "no")]


def test_writes_say_on_which_timeline_they_are() -> None:
    rows = recorded(
        Stage(scenario()),
        ("order/dns", 1, 1.1, HOME, 0, Status.OK),
        ("database/dns", 1, 1.1, HOME, 0, Status.OK),
        ("database/dns", 1, 1.1, OTHER, 0, Status.READ_ONLY),
        ("risk/dns", 1, 1.1, HOME, 0, Status.OK),
    )
    assert [r["timeline"] for r in rows] == [f"{HOME}/1", f"{HOME}/1", None, None]
    assert rows[0]["as_of_us"] == 1_100_000


def test_polls_and_checks_are_nobodys_probes() -> None:
    stage = Stage(scenario(), state=True)
    stage.until(1)
    recording = Recording(stage.context)
    recording.flush(stage.plane.drain(), 60 * S)
    routes = {row["route"] for row in stage.recorder.table("probes").to_pylist()}
    assert routes == {"dns", "stale", "direct"}


# --- pages


def pages(*probes: tuple[float, float | None], at_s: float) -> tuple[list[dict[str, Any]], Recording]:
    stage = Stage(scenario())
    recording = Recording(stage.context)
    for intended, done in probes:
        region = None if done is None else HOME
        stage.context.page_probes.append(
            PageProbe(round(intended * S), region, None if done is None else round(done * S))
        )
    recording.flush(EMPTY, round(at_s * S))
    return stage.recorder.table("probes").to_pylist(), recording


def test_a_page_that_came_is_right() -> None:
    (row,), recording = pages((10, 14), at_s=20)
    assert (row["service"], row["route"], row["client"], row["right"], row["done_us"]) == (
        "page", "dns", "pager", "yes", 14_000_000,
    )  # fmt: skip
    assert recording.goodness.last_bad_ns["page"] == -1


def test_a_page_is_on_record_when_its_end_is_known() -> None:
    assert not pages((10, 30), at_s=30)[0]
    assert len(pages((10, 30), at_s=30.001)[0]) == 1


@pytest.mark.parametrize("done", [None, 71.0])
def test_a_page_that_has_not_come_within_a_minute_does_not_come(done: float | None) -> None:
    assert not pages((10, done), at_s=70)[0]
    (row,), recording = pages((10, done), at_s=70.1)
    assert (row["right"], row["done_us"], row["status"]) == ("none", None, "timeout")
    assert recording.goodness.last_bad_ns["page"] == 10 * S


def test_pages_stand_among_probes_in_order_of_their_ends() -> None:
    stage = Stage(scenario())
    stage.context.page_probes.append(PageProbe(1 * S, HOME, 3 * S))
    recording = Recording(stage.context)
    ends = [("risk/dns", 1, 2, HOME, 0, Status.OK), ("risk/dns", 1, 4, HOME, 0, Status.OK)]
    recording.flush(chunk(stage, *ends), 5 * S)
    assert [row["service"] for row in stage.recorder.table("probes").to_pylist()] == ["risk", "page", "risk"]


# --- writes, samples, queues


def test_orders_have_keys_and_ends() -> None:
    stage = Stage(scenario())
    recording = Recording(stage.context)
    recording.sent(np.array([1, 2]) * S)
    recording.sent(np.array([3]) * S)
    ended = replace(
        EMPTY,
        finished_index=np.array([1, 0]),
        finished_done_ns=np.array([3, 4]) * S,
        finished_outcome=np.array([int(Outcome.OK), int(Outcome.UNKNOWN)]),
    )
    recording.flush(ended, 5 * S)
    sent = stage.recorder.table("writes_sent").to_pylist()
    done = stage.recorder.table("writes_done").to_pylist()
    assert [(r["key"], r["seq"], r["sent_us"]) for r in sent] == [(0, 0, 10**6), (1, 1, 2 * 10**6), (2, 2, 3 * 10**6)]
    ends = [(r["key"], r["outcome"], r["done_us"]) for r in done]
    assert ends == [(1, "acked", 3 * 10**6), (0, "unknown", 4 * 10**6)]
    assert recording.counts["requests"] == 3


def samples(values: Callable[[Any], Any], *flushes_s: float) -> list[tuple[float, float]]:
    stage = Stage(scenario())
    stage.context.samplers[:] = [("thing", "replicas_ready", values)]
    recording = Recording(stage.context)
    for at_s in flushes_s:
        recording.flush(EMPTY, round(at_s * S))
    return [(r["t_us"] / 1e6, r["value"]) for r in stage.recorder.table("samples").to_pylist()]


def test_each_second_is_sampled_once_before_the_clock() -> None:
    assert samples(lambda t: t / S, 2, 2, 2.5, 4) == [(0, 0), (1, 1), (2, 2), (3, 3)]


def test_what_has_no_value_has_no_row() -> None:
    assert samples(lambda t: np.where(t < 2 * S, np.nan, 5.0), 4) == [(2, 5), (3, 5)]


def test_queues_are_summed_over_the_pods_of_a_station() -> None:
    stage = Stage(scenario())
    recording = Recording(stage.context)
    places = stage.context.names.replicas[stage.context.names.station[HOME, "risk"]]
    waiting = np.zeros(sum(map(len, stage.context.names.replicas.values())), dtype=np.int64)
    waiting[list(places[:3])] = 1, 2, 4
    recording.queues(Counters(7 * S, NONE, NONE, NONE, NONE, NONE, waiting, NONE))
    recording.flush(EMPTY, 0)
    rows = {r["subject"]: (r["t_us"], r["name"], r["value"]) for r in stage.recorder.table("samples").to_pylist()}
    assert rows[f"{HOME}/risk"] == (7_000_000, "queue_length", 7)
    assert rows[f"{HOME}/tactical"][2] == 0
    assert len(rows) == 8


def test_samples_and_queues_stand_second_by_second_and_are_recorded_once() -> None:
    stage = Stage(scenario())
    stage.context.samplers[:] = [("thing", "replicas_ready", lambda t: t / S)]
    recording = Recording(stage.context)
    waiting = np.zeros(sum(map(len, stage.context.names.replicas.values())), dtype=np.int64)
    for now_s in (1, 2):
        recording.queues(Counters(now_s * S, NONE, NONE, NONE, NONE, NONE, waiting, NONE))
    recording.flush(EMPTY, 2 * S)
    recording.flush(EMPTY, 2 * S)
    rows = [(r["t_us"], r["name"]) for r in stage.recorder.table("samples").to_pylist()]
    stations = len(stage.context.names.station)
    assert rows == [
        (0, "replicas_ready"), *[(10**6, "queue_length")] * stations,
        (10**6, "replicas_ready"), *[(2 * 10**6, "queue_length")] * stations,
    ]  # fmt: skip


def test_loads_are_told_by_region_and_service() -> None:
    stage = Stage(scenario())
    one = np.array([1, 1], dtype=np.int64)
    station = np.array([stage.context.names.station[OTHER, "risk"], -1])
    histogram = np.array([[3, 5]], dtype=np.int64)
    rows = LoadRows(one, station, 2 * one, 3 * one, 4 * one, 5 * one, 6 * one, 7 * one, [histogram, histogram[:0]],
                    [histogram, histogram], [histogram[:0], histogram])  # fmt: skip
    Recording(stage.context).flush(replace(EMPTY, load=rows), S)
    risk, edge = stage.recorder.table("load").to_pylist()
    assert (risk["region"], risk["service"], risk["attempts"]) == (OTHER, "risk", 7)
    assert (edge["region"], edge["service"], edge["ok"]) == ("client", "edge", 4)
    assert risk["own"] == [{"bin": 3, "count": 5}]
    assert (edge["own"], risk["path"]) == ([], [])
