"""Faults without a testbed: a state folder of their own, and a run of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.faults import base, report
from experiments.operate.moments import Moments, moments


@pytest.fixture
def facts() -> Iterator[list[tuple[str, str]]]:
    """Facts that are reported, kind and subject."""
    found: list[tuple[str, str]] = []

    def listener(kind: str, subject: str, detail: dict[str, object]) -> None:
        found.append((kind, subject))

    report.listen(listener)
    yield found
    report.deafen(listener)


@pytest.fixture(autouse=True)
def own_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(moments, "__dict__", Moments().__dict__)
    yield
    base.protect(None)
