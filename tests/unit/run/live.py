"""A game day with a live operator as a process of its own, whose terminal a test holds: `python -m ... FOLDER`."""

import sys
from pathlib import Path

import pytest

from gameday.cli.run import _ask
from tests.unit.compile.test_execute import activity, experiment
from tests.unit.run.stage import Play

STEPS = "experiments.operate.steps"
METHOD = (
    activity("decide", STEPS, "decide", procedure="failover", severity="P0", decide_s=0.0),
    activity("begins", STEPS, "begin", procedure="failover"),
    activity("a step", STEPS, "step", procedure="failover", step="promote", verb="promote", title="Promote the west."),
    activity("ends", STEPS, "end", procedure="failover"),
    activity("holds", "experiments.operate.watching", "until_over", at_s=600.0),
)
OBSERVER = """
import sys, time
sys.stdin.readline()
sys.stdin.read()
"""


def main() -> None:
    """Play until Ctrl-C, and print what stopped it."""
    folder = Path(sys.argv[1])
    document = experiment(folder, method=METHOD)
    play = Play(folder, pytest.MonkeyPatch(), document, {"watchers": OBSERVER})
    sys.stdout.write(f"{play.play(ask=_ask).stopped}\n")


if __name__ == "__main__":
    main()
