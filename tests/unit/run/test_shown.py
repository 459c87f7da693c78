"""What will break is shown before it is, whether somebody is asked or not."""

import pytest

from experiments.compile import radius
from experiments.safety.radius import Injection
from gameday import game_day
from scenarios.files.load import load


@pytest.mark.proves("What will break is shown before anything does, also with --yes")
def test_it_is_shown_with_and_without_a_question(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hit = Injection("pod-kill:0", "at 120 s", "one pod of strategic dies.", "mends itself")
    monkeypatch.setattr(radius, "injections", lambda _: [hit])
    resolved, targets = load("pod-kill-strategic", world="kind"), {"us-east-1": "the east's cluster"}
    game_day._experiment(resolved, targets, None)
    said = capsys.readouterr().err
    for words in ("the east's cluster", "one pod of strategic dies.", "mends itself"):
        assert words in said
    shown: list[str] = []
    game_day._experiment(resolved, targets, shown.append)
    assert shown == [said.rstrip("\n")] or shown == [said]
    assert capsys.readouterr().err == ""
