"""An approval serves one run: on this machine, and on every other one that reaches the same targets."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from experiments.safety import uses
from experiments.safety.approval import NotApprovedError, Request
from experiments.safety.window import Window
from experiments.testbed.errors import TestbedError
from tests.unit.safety.doubles import Objects

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WINDOW = Window.of("2026-03-01T11:00:00+00:00", "2026-03-01T20:00:00+00:00")
REQUEST = Request("pod-kill", "a" * 64, "b" * 64, {}, {}, "", WINDOW)
SIGNATURE = Path("approvals/pod-kill.sig")


def take(state: Path, request: Request = REQUEST, executor: str = "me@example.test") -> None:
    uses.take(request, SIGNATURE, state, executor, NOON)


@pytest.mark.proves("an approval serves one run: the second one is refused, and is told when it was used")
def test_once(targets: dict[str, Objects], tmp_path: Path) -> None:
    uses.refuse(REQUEST, SIGNATURE, tmp_path)
    take(tmp_path)
    for again in (lambda: take(tmp_path), lambda: uses.refuse(REQUEST, SIGNATURE, tmp_path)):
        with pytest.raises(NotApprovedError, match=r"used at 2026-03-01T12:00:00\+00:00 by me@example.test"):
            again()
    take(tmp_path, replace(REQUEST, window=Window.of("2026-03-01T11:01:00+00:00", "2026-03-01T20:00:00+00:00")))


@pytest.mark.proves("an approval that another machine has used serves no run here: the targets know it")
def test_once_on_all_machines(targets: dict[str, Objects], tmp_path: Path) -> None:
    take(tmp_path / "theirs", executor="you@example.test")
    with pytest.raises(NotApprovedError, match=r"by you@example\.test"):
        take(tmp_path / "ours")
    with pytest.raises(NotApprovedError, match=r"by you@example\.test"):
        uses.refuse(REQUEST, SIGNATURE, tmp_path / "ours")


def test_targets_that_do_not_answer(targets: dict[str, Objects], tmp_path: Path) -> None:
    del targets["us-west-2"]
    with pytest.raises(NotApprovedError, match="every target's word"):
        take(tmp_path)


def test_what_is_kept_is_damaged(targets: dict[str, Objects], tmp_path: Path) -> None:
    (tmp_path / uses.FILE).write_text("[")
    with pytest.raises(TestbedError, match="used approvals"):
        take(tmp_path)
