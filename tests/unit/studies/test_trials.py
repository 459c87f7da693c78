"""How many processes play trials."""

import os

import pytest

from gameday.studies.trials import workers


def test_as_many_as_were_asked_for() -> None:
    assert workers(3) == 3


def test_one_for_each_core_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5})
    assert workers(0) == 2


def test_where_only_the_machine_s_cores_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert workers(0) == 7
