"""Watchers that were started again tell nothing twice."""

from typing import Any

import pytest

from experiments.run.children import Message
from experiments.run.repeats import Repeats
from tests.unit.run.stage import quiet_day

PAGE = {"alert": "HighErrorRate", "severity": "critical"}
RULE = {"rules": "intended", "region": "us-west-2"}


def mark(kind: str, subject: str, source_t_us: int | None = None, **detail: Any) -> dict[str, Any]:
    return {"t_us": 9, "kind": kind, "subject": subject, "detail": detail, "source_t_us": source_t_us}


@pytest.mark.parametrize(
    "again",
    [
        mark("page_received", "HighErrorRate", 5_000_000, **PAGE),
        mark("alert_pending", "HighErrorRate", 4_000_000, **RULE),
        mark("alert_firing", "HighErrorRate", **RULE),
        mark("dns_switched", "dns", region="us-west-2"),
        mark("promoted", "us-west-2/database", timeline="us-west-2/2", position=7),
    ],
)
def test_what_has_not_changed_is_told_once(again: dict[str, Any]) -> None:
    repeats = Repeats()
    stamp = again["source_t_us"]
    assert not repeats.note(again)
    assert repeats.note({**again, "source_t_us": stamp and stamp + 300})  # put on the clock a little otherwise


def test_what_has_changed_in_between_is_news() -> None:
    repeats = Repeats()
    for news in (
        mark("dns_switched", "dns", region="us-west-2"),
        mark("dns_switched", "dns", region="us-east-1"),
        mark("dns_switched", "dns", region="us-west-2"),
        mark("alert_firing", "HighErrorRate", **RULE),
        mark("alert_firing", "HighErrorRate", **{**RULE, "region": "us-east-1"}),
        mark("alert_resolved", "HighErrorRate", **RULE),
        mark("alert_firing", "HighErrorRate", **RULE),
        mark("page_received", "HighErrorRate", 5_000_000, **PAGE),
        mark("page_received", "HighErrorRate", 65_000_000, **PAGE),
        mark("promoted", "us-west-2/database", timeline="us-west-2/2", position=7),
        mark("promoted", "us-east-1/database", timeline="us-east-1/3", position=9),
        mark("pod_ready", "us-east-1/risk/a"),
        mark("pod_ready", "us-east-1/risk/a"),
    ):
        assert not repeats.note(news), news


def test_a_run_leaves_them_out_only_after_a_restart() -> None:
    day, recorder = quiet_day()
    fact = mark("promoted", "us-west-2/database", timeline="us-west-2/2", position=7)
    day._one(Message("watchers", {"mark": fact}))
    day._restarts["watchers"] = 1
    day._one(Message("watchers", {"mark": fact}))
    assert [m.kind for m in recorder.marks] == ["promoted"]


def test_lines_that_were_no_message_are_counted() -> None:
    day, _ = quiet_day()
    day._stop("over")
    for torn in (2, 0, 1):
        day._one(Message("watchers", {}, ended=0, torn=torn))
    assert day.torn == {"watchers": 3}
