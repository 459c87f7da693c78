"""A promotion, in the order that lets anybody see later who the primary is."""

from contextlib import contextmanager
from typing import Any

import pytest

from experiments.operate import verbs


class Standby:
    """A database in recovery, and what was asked of it."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def execute(self, statement: str, *_: object) -> "Standby":
        self.said.append("promote" if "pg_promote" in statement else "look")
        return self

    def fetchone(self) -> tuple[bool]:
        return (True,)


@pytest.mark.proves("The writer's lease is granted before a standby is promoted")
@pytest.mark.parametrize(("answer", "expected"), [(200, ["look", "grant", "promote"]), (400, ["look", "grant"])])
def test_the_lease_comes_first(answer: int, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    standby = Standby()

    @contextmanager
    def connect(*_: object) -> Any:
        yield standby

    def request(_: str, url: str, __: Any) -> tuple[int, str]:
        standby.said.append(url.rpartition("/")[2])
        return answer, "said"

    monkeypatch.setattr(verbs.database, "connect", connect)
    monkeypatch.setattr(verbs.containers, "request", request)
    if answer == 200:
        assert "may write" in verbs.perform("promote", {"region": "us-west-2"}, {})
    else:
        with pytest.raises(verbs.StepError):
            verbs.perform("promote", {"region": "us-west-2"}, {})
    assert standby.said == expected
