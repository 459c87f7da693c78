"""Messages from child to parent: whole ones arrive, torn ones do not, and nobody waits for a parent that is gone."""

import itertools
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.observe import wire
from scenarios.record.writer import MemoryRecorder

from .servers import parent

MARK = b'{"mark":{"t_us":5,"kind":"load_started","subject":"client","detail":{},"source_t_us":null}}\n'
ROWS = b'{"table":"samples","columns":{"t_us":[1],"subject":["probers"],"name":["gap_us"],"value":[2.5]}}\n'


@pytest.mark.proves("a measuring process that is killed in the middle of a line costs the record that line alone")
def test_a_torn_last_line_is_left_out() -> None:
    for cut in range(len(ROWS)):
        reader = wire.Reader()
        messages = list(reader.feed(MARK + ROWS[:cut]))
        assert [m["mark"]["kind"] for m in messages] == ["load_started"], cut
        assert reader.torn == 0


@given(st.lists(st.integers(0, len(MARK + ROWS + MARK)), max_size=8))
def test_however_the_pipe_cuts_them_the_same_messages_arrive(cuts: list[int]) -> None:
    whole = MARK + ROWS + MARK
    edges = [0, *sorted(cuts), len(whole)]
    reader = wire.Reader()
    messages = [m for a, b in itertools.pairwise(edges) for m in reader.feed(whole[a:b])]
    assert messages == list(wire.Reader().feed(whole))
    assert len(messages) == 3


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe",
        b"[1, 2]",
        b'{"table":"nothing","columns":{"t_us":[1]}}',
        b'{"table":"samples","columns":{"t_us":[1],"value":[1,2]}}',
        b'{"table":"samples","columns":{"when":[1]}}',
        b'{"mark":{"t_us":1,"kind":"no_such_kind","subject":"x","detail":{}}}',
        b'{"mark":{"t_us":1.5,"kind":"load_started","subject":"x","detail":{}}}',
        b'{"mark":{"t_us":1,"kind":"promoted","subject":"x","detail":{}}}',
    ],
)
def test_a_line_that_is_no_message_is_counted_and_hurts_nobody(line: bytes) -> None:
    reader = wire.Reader()
    assert len(list(reader.feed(MARK + line + b"\n" + ROWS))) == 2
    assert reader.torn == 1


def test_rows_arrive_with_the_types_of_their_table() -> None:
    with parent() as found:
        found.wire.row(
            "load", second=3, region="client", service="edge", intended=2, sent=2, ok=1, failed=1, unknown=0,
            attempts=3, own=[], caller=[(7, 2), (9, 1)], path=[],
        )  # fmt: skip
        found.wire.row("probes", intended_us=1, sent_us=None, done_us=None, client="user", region=None)
    assert found.rows("load")[0]["caller"] == [{"bin": 7, "count": 2}, {"bin": 9, "count": 1}]
    assert found.rows("probes")[0]["sent_us"] is None
    assert found.rows("probes")[0]["client"] == "user"


def test_a_table_of_nulls_can_be_recorded() -> None:
    recorder = MemoryRecorder()
    message = {"table": "probes", "columns": {"intended_us": [1, 2], "pod": [None, None], "as_of_us": [None, None]}}
    wire.record(message, recorder)
    assert recorder.table("probes")["pod"].null_count == 2


def test_what_was_sent_now_can_be_read_at_once() -> None:
    reading, writing = os.pipe()
    sender = wire.Sender(writing, flush_s=3600)
    sender.row("writes_sent", data_class="transactions", seq=1, key=2, sent_us=3)
    sender.now()
    messages = list(wire.Reader().feed(os.read(reading, 65536)))
    assert messages == [
        {"table": "writes_sent",
         "columns": {"data_class": ["transactions"], "seq": [1], "key": [2], "sent_us": [3]}}
    ]  # fmt: skip
    sender.close()
    os.close(writing)
    os.close(reading)


def test_a_child_learns_that_its_parent_is_gone() -> None:
    reading, writing = os.pipe()
    sender = wire.Sender(writing, flush_s=3600)
    os.close(reading)
    sender.mark(1, "load_started", "client")
    sender.now()
    assert sender.gone.is_set()
    sender.close()
    os.close(writing)
