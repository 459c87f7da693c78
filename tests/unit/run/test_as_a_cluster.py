"""What the twin plays as a cluster is judged like the cluster, so that their verdicts can stand side by side."""

from datetime import UTC, datetime

import pytest

from gameday.play import cluster_head, head
from scenarios.files.load import load

STARTED = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("fidelity", ["request", "control"])
def test_what_the_cluster_does_not_judge_the_twin_does_not(fidelity: str) -> None:
    resolved = load("strategic-crash-loop", world="kind")
    played = cluster_head(resolved, "kind", STARTED, "scripted")["not_judged"]
    predicted = head(resolved, fidelity=fidelity, seed=1, trial=0)["not_judged"]
    assert "kpi.tactical" in played
    assert set(played) <= set(predicted)


def test_the_twin_as_itself_judges_the_runbooks_figures() -> None:
    resolved = load("strategic-crash-loop")
    assert not any(
        name.startswith("kpi.") for name in head(resolved, fidelity="request", seed=1, trial=0)["not_judged"]
    )
