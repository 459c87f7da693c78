"""What is read back: which timelines, which survives, and the orders that live only on a losing one."""

import asyncio
import csv
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from experiments.observe import readback
from experiments.observe.database import State
from experiments.observe.readback import Question, ReadBack, Timeline, gone, read_back, reconcile, survivor, timelines
from experiments.observe.settings import Where
from scenarios.record.writer import RunWriter

from .servers import document, free_port, http, parent

EAST, WEST = "us-east-1", "us-west-2"
PRIMARY, STANDBY = State(False, 1, 5, None, 1, None), State(True, 1, 5, None, 0, None)
PROMOTED = State(False, 2, 5, None, 0, None)
BOTH = ReadBack("us-west-2/2", ("us-east-1/1", "us-west-2/2"), ())


@pytest.mark.parametrize(
    ("east", "west", "names"),
    [
        (PRIMARY, STANDBY, ["us-east-1/1"]),
        (PRIMARY, PROMOTED, ["us-east-1/1", "us-west-2/2"]),
        (None, PROMOTED, ["us-west-2/2"]),
        (None, STANDBY, ["us-east-1/1"]),
        (STANDBY, PROMOTED, ["us-east-1/1", "us-west-2/2"]),
        (None, None, []),
    ],
)
def test_each_timeline_is_read_once(east: State | None, west: State | None, names: list[str]) -> None:
    assert [t.name for t in timelines({EAST: east, WEST: west}, EAST)] == names


def test_the_last_promoted_timeline_survives_even_if_it_does_not_answer() -> None:
    old, new = Timeline("us-east-1/1", EAST, 1), Timeline("us-west-2/2", WEST, 2)
    assert survivor([old], []) == "us-east-1/1"
    assert survivor([old, new], ["us-west-2/2"]) == "us-west-2/2"
    assert survivor([old], ["us-west-2/2"]) == "us-west-2/2"
    assert survivor([old, new], []) == "us-west-2/2"
    assert survivor([new, Timeline("us-east-1/3", EAST, 3)], ["us-west-2/2"]) == "us-east-1/3"
    assert survivor([], []) is None


@pytest.mark.proves("a split leaves a list of the exact orders that live only on the losing timeline")
def test_orders_that_live_only_on_the_losing_timeline_are_listed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with RunWriter(folder, {}) as writer:
        keys = [10, 11, 12, 13]
        one = {"data_class": "transactions", "key": keys}
        writer.append("writes_sent", one | {"seq": [0, 1, 2, 3], "sent_us": [100, 200, 300, 400]})
        ends = ["acked", "acked", "unknown", "acked"]
        writer.append("writes_done", one | {"done_us": [101, 201, 301, 401], "outcome": ends})
        for timeline, found in (("us-east-1/1", [10, 11, 12]), ("us-west-2/2", [10, 13])):
            rows = {"key": found, "copies": [1] * len(found), "position": [k * 10 for k in found]}
            writer.append(
                "readback", rows | {"data_class": "transactions", "timeline": timeline, "read_us": [9] * len(found)}
            )
        assert reconcile(folder, {}, BOTH) == 2
    with (folder / "reconciliation.csv").open() as file:
        assert list(csv.reader(file)) == [
            ["timeline", "key", "seq", "sent_us", "acknowledged", "position"],
            ["us-east-1/1", "11", "1", "200", "yes", "110"],
            ["us-east-1/1", "12", "2", "300", "no", "120"],
        ]


def test_the_list_is_there_when_nothing_is_on_it(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with RunWriter(folder, {}):
        assert reconcile(folder, {}, BOTH) == 0
    assert len((folder / "reconciliation.csv").read_text().splitlines()) == 1


@pytest.mark.proves("no list of orders to reconcile is written, and why, unless every timeline of the run was read")
@pytest.mark.parametrize(
    ("read", "why"),
    [
        (ReadBack(None, (), (EAST, WEST)), "which timeline survives is not known"),
        (ReadBack("us-west-2/2", ("us-east-1/1",), (WEST,)), "us-west-2/2, which survives, was not read back"),
        (ReadBack("us-west-2/2", ("us-west-2/2",), (EAST,)), "us-east-1 was not read back"),
        (ReadBack("us-east-1/3", ("us-east-1/3",), (), ("us-west-2/2",)), "us-west-2/2 was rewound before"),
    ],
    ids=["nothing answers", "the survivor is silent", "the loser is silent", "the loser is gone"],
)
def test_no_list_unless_every_timeline_was_read(tmp_path: Path, read: ReadBack, why: str) -> None:
    """What was read of the old primary lives on both timelines, as far as anybody knows."""
    folder = tmp_path / "run"
    with RunWriter(folder, {}) as writer:
        rows = {"key": [10, 11], "copies": [1, 1], "position": [100, 110], "read_us": [9, 9]}
        writer.append("readback", rows | {"data_class": "transactions", "timeline": "us-east-1/1"})
        reconcile(folder, {}, BOTH)
        assert reconcile(folder, {}, read) is None
    assert not (folder / "reconciliation.csv").exists()
    assert read.unlisted.startswith(why)
    assert read.head()["unlisted"] == read.unlisted


def test_timelines_that_a_promotion_left_behind_and_nobody_holds() -> None:
    old, new, third = (
        Timeline("us-east-1/1", EAST, 1),
        Timeline("us-west-2/2", WEST, 2),
        Timeline("us-east-1/3", EAST, 3),
    )
    assert gone([old], [], EAST) == ()
    assert gone([old, new], ["us-west-2/2"], EAST) == ()
    assert gone([old], ["us-west-2/2"], EAST) == ()  # the survivor is silent, which is said elsewhere
    assert gone([new], ["us-west-2/2"], EAST) == ("us-east-1's timeline before us-west-2/2",)
    twice = ["us-west-2/2", "us-east-1/3"]
    assert gone([third], twice, EAST) == ("us-east-1's timeline before us-west-2/2", "us-west-2/2")


def test_a_database_that_does_not_answer_is_said_and_not_taken_for_empty() -> None:
    where = Where.of(document("watchers", port=free_port(), dns_port=1))
    with parent() as found:
        back = read_back(where, found.clock, found.recorder, Question(EAST, 0, [], (), within_s=0))
        assert (back.survives, back.read, back.unread) == (None, (), (EAST,))
        assert [m.kind for m in found.recorder.marks] == ["observer_gap"]


def test_items_of_copied_classes_are_written_by_any_and_found_in_the_surviving_region() -> None:
    with parent() as found:
        now_us = found.clock.epoch_us(1_000)

        async def play() -> None:
            answers = {"/copies/logs": [[0, now_us - 10_000_000], [1, now_us], [2, now_us + 5]]}
            async with http(lambda _m, path, _b: (200, {}, answers[path])) as server:
                settings = document("watchers", port=server.port, dns_port=1)
                settings["ports"]["database"] = free_port()
                question = Question(EAST, 0, ["us-east-1/1"], ("logs",), within_s=0)
                await asyncio.to_thread(read_back, Where.of(settings), found.clock, found.recorder, question)

        asyncio.run(play())
        assert [r["key"] for r in found.rows("writes_sent")] == [1, 2]  # the others are older than the run
        assert [r["key"] for r in found.rows("readback")] == [1, 2]
        assert {r["timeline"] for r in found.rows("readback")} == {"us-east-1/1"}


class Held:
    """Databases by their ports: what each says of itself, and the keys of its orders."""

    found: dict[int, tuple[State | None, list[int]]]
    asked: list[int]

    def __init__(self, _: str, port: int, __: float) -> None:
        self._port = port

    async def state(self) -> State | None:
        return self.found[self._port][0]

    async def orders(self, after_key: int, up_to_key: int) -> AsyncIterator[list[tuple[int, int, int | None]]]:
        self.asked.append(self._port)
        yield [(key, 1, key) for key in self.found[self._port][1]]

    def drop(self) -> None:
        pass


@pytest.mark.proves("a run that fails over and back lists the orders that only the old timeline held")
@pytest.mark.parametrize(
    ("east", "west", "unlisted"),
    [
        (State(False, 15, 5, None, 1, None), State(True, 15, 5, None, 0, None), ""),
        (State(False, 15, 5, None, 1, None), None, ""),  # it copies: what it wrote was read before
        (None, State(True, 15, 5, None, 0, None), "us-east-1 was not read back to its end"),
    ],
    ids=["both answer", "the one that was rewound is silent", "the survivor is silent"],
)
def test_what_was_read_before_it_was_rewound_is_known(
    east: State | None, west: State | None, unlisted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readback, "Session", Held)
    monkeypatch.setattr(Held, "found", {1: (east, [10, 13, 14]), 2: (west, [10, 13, 14])}, raising=False)
    monkeypatch.setattr(Held, "asked", [], raising=False)
    settings = document("watchers", port=1, dns_port=1)
    settings |= {"places": {EAST: "127.0.0.1", WEST: "127.0.0.1"}}
    settings |= {"databases": {EAST: ["127.0.0.1", 1], WEST: ["127.0.0.1", 2]}}
    promoted, known = ["us-west-2/14", "us-east-1/15"], ["us-east-1/13", "us-west-2/14"]
    with parent() as found:
        question = Question(EAST, 0, promoted, (), within_s=0, known=known)
        back = read_back(Where.of(settings), found.clock, found.recorder, question)
        assert back.survives == "us-east-1/15"
        assert unlisted in back.unlisted
        assert bool(back.unlisted) == bool(unlisted)
        assert {r["timeline"] for r in found.rows("readback")} <= {"us-east-1/15"}, "known ones are not read again"


def test_a_primary_that_was_rewound_and_made_primary_again_is_not_known() -> None:
    question = Question(EAST, 0, ["us-west-2/14", "us-east-1/15"], (), known=["us-east-1/13", "us-west-2/14"])
    assert question.has_all_of(WEST)
    assert not question.has_all_of(EAST)
    assert Question(EAST, 0, ["us-west-2/14"], (), known=["us-east-1/13"]).has_all_of(EAST)
    assert not Question(EAST, 0, [], ()).has_all_of(WEST)


@pytest.mark.parametrize("recovery", [False, True])
def test_a_standby_has_written_no_timeline(recovery: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readback, "Session", Held)
    monkeypatch.setattr(Held, "found", {1: (State(recovery, 13, 5, None, 0, None), [10])}, raising=False)
    monkeypatch.setattr(Held, "asked", [], raising=False)
    settings = document("watchers", port=1, dns_port=1)
    with parent() as found:
        read = readback.read_timeline(
            Where.of(settings), found.clock, found.recorder, Question(EAST, 0, [], (), within_s=0), EAST
        )
        assert (read is None) is recovery
        assert [r["key"] for r in found.rows("readback")] == ([] if recovery else [10])
        assert [m.kind for m in found.recorder.marks] == ([] if recovery else ["readback_done"])
