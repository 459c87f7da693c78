"""From Locust's lines to rows of the sender."""

import json
from typing import Any

from experiments.traffic.locust_run import Rows
from tests.unit.observe.servers import parent


def _rows(*said: dict[str, Any], torn: bytes = b"") -> list[dict[str, Any]]:
    with parent() as found:
        rows = Rows(found.clock, found.wire)
        begun_s = found.clock.epoch_us(5_500_000) // 1_000_000
        data = b"".join(json.dumps({**s, "epoch_s": begun_s + s["epoch_s"]}).encode() + b"\n" for s in said) + torn
        for i in range(0, len(data), 7):
            rows.take(data[i : i + 7])
        rows.finish()
    return found.rows("load")


def test_each_second_is_a_row_and_none_is_left_out() -> None:
    rows = _rows(
        {"epoch_s": 0, "users": 50, "sent": 50, "ok": 49, "failed": 1, "path": [[3, 49], [9, 1]]},
        {"epoch_s": 3, "users": 50, "sent": 40, "ok": 30, "unknown": 10, "path": [[3, 40]]},
        torn=b'{"epoch_s": 9',
    )
    first = rows[0]["second"]
    assert [r["second"] for r in rows] == list(range(first, first + 4))
    assert [(r["intended"], r["sent"], r["ok"], r["failed"], r["unknown"], r["attempts"]) for r in rows] == [
        (50, 50, 49, 1, 0, 50),
        (0, 0, 0, 0, 0, 0),
        (0, 0, 0, 0, 0, 0),
        (50, 40, 30, 0, 10, 40),
    ]
    assert rows[0]["path"] == [{"bin": 3, "count": 49}, {"bin": 9, "count": 1}]


def test_nothing_counts_as_sent_before_it_counts_as_intended() -> None:
    rows = _rows({"epoch_s": 0, "users": 10, "sent": 8}, {"epoch_s": 1, "users": 10, "sent": 13})
    assert [(r["intended"], r["sent"]) for r in rows] == [(10, 8), (11, 13)]
