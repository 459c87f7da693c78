"""Steps without a testbed: what the faults' tests have, and people who begin anew."""

import itertools

import pytest

from experiments.operate import changing, steps
from tests.unit.faults.conftest import facts, own_run

__all__ = ["facts", "own_run"]


@pytest.fixture(autouse=True)
def new_people(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_begun", "_failed"):
        monkeypatch.setattr(steps, name, set())
    for name in ("_asker", "_changes"):
        monkeypatch.setattr(steps, name, [])
    monkeypatch.setattr(steps, "_undone", {})
    monkeypatch.setattr(changing, "_under_way", {})
    monkeypatch.setattr(changing, "_numbers", itertools.count())
    monkeypatch.setattr(steps, "LOOK_AGAIN_S", 0.01)
