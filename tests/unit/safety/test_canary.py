"""No synthetic order without a sink that was just seen to reject one."""

from typing import Any

import pytest

from experiments.safety.canary import FRESH_S, Answer, NoSinkError, insist, prove


def answering(status: int, **body: Any) -> Any:
    return lambda: Answer(status, body)


@pytest.mark.proves("no synthetic order is sent on production unless the non-market sink was just seen to reject one")
def test_the_sink_must_say_no() -> None:
    proof = prove("production", "sink", answering(422, rejected_by="sink"))
    insist(proof, "production")
    assert proof.fresh(proof.at_s + FRESH_S)
    assert not proof.fresh(proof.at_s + FRESH_S + 0.1)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (answering(200, position=1), "status 200, rejected by nobody"),
        (answering(200, rejected_by="sink"), "status 200"),
        (answering(422), "rejected by nobody"),
        (answering(422, rejected_by="market"), "rejected by market"),
        (answering(0), "status 0"),
        (answering(503, rejected_by="sink"), "status 503"),
    ],
)
def test_anything_else_is_refused(answer: Any, words: str) -> None:
    with pytest.raises(NoSinkError, match=words):
        prove("production", "sink", answer)


def test_no_sink_no_canary() -> None:
    with pytest.raises(NoSinkError, match="no non-market sink"):
        prove("production", None, lambda: pytest.fail("an order was sent"))
    with pytest.raises(NoSinkError, match="no proof"):
        insist(None, "production")
