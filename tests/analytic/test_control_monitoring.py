"""How soon rules fire and pages come, against what CALIBRATION 0.1 and 1 derive."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from sim.control.roles import Target
from tests.unit.sim.stage import HOME, Scripted, Stage, scenario

Targets = Callable[[float], tuple[Target, ...]]  # of an instant in minutes
FAULT = 10.0  # minutes
PER_S = 10_000


def watched_from_afar(targets: Targets, trial: int, **overrides: object) -> Stage:
    """Only the server of the other region lives, as in a region loss."""
    stage = Stage(scenario(**overrides), trial=trial)
    Scripted(stage, targets)
    stage.context.monitoring.lose(HOME)
    return stage


def failing(share: float) -> Targets:
    def targets(minute: float) -> tuple[Target, ...]:
        failed = int(share * PER_S * 60 * max(0.0, minute - FAULT))
        return (Target(f"{HOME}/strategic/0", "strategic", True, int(PER_S * 60 * minute) - failed, failed),)

    return targets


@pytest.mark.parametrize("share", [0.02, 0.05, 0.2])
def test_the_error_rule_as_intended_is_true_after_three_over_the_share_of_errors(share: float) -> None:
    """The ratio over five minutes is share x t / 300 s; it crosses 1 % at 3 / share seconds, seen a little later."""
    crossing = 3 / share
    seen = []
    for trial in range(10):
        stage = watched_from_afar(failing(share), trial).until(FAULT + (crossing + 60) / 60)
        seen.append((stage.minute("alert_pending", "HighErrorRate", rules="intended") - FAULT) * 60)
    # a scrape and an evaluation later at most; rate() reaches half a scrape ahead, and the first sample of errors
    assert min(seen) >= crossing - 1
    assert max(seen) <= crossing + 15 + 15 + 15
    fine = watched_from_afar(failing(share), 0, monitoring__scrape="1 s", monitoring__evaluation="1 s")
    fine.until(FAULT + (crossing + 60) / 60)
    exact = (fine.minute("alert_pending", "HighErrorRate", rules="intended") - FAULT) * 60
    assert exact == pytest.approx(crossing, abs=3)


def down(minute: float) -> tuple[Target, ...]:
    return (Target(f"{HOME}/strategic/0", "strategic", minute < FAULT, int(minute * 60), 0),)


@pytest.mark.parametrize(("every_s", "least_s", "most_s"), [(15, 60, 90), (60, 90, 210)])
def test_a_dead_service_is_paged_after_scrape_evaluation_for_and_group_wait(
    every_s: int, least_s: float, most_s: float
) -> None:
    """U(0, scrape) + U(0, evaluation) + 30 s rounded up to evaluations + 30 s."""
    names = ("scrape", "evaluation", "fast_evaluation")
    every = {f"monitoring__{name}": f"{every_s} s" for name in names}
    after = []
    for trial in range(120):
        stage = watched_from_afar(down, trial, **every).until(FAULT + most_s / 60 + 0.1)
        after.append((stage.minute("page_sent") - FAULT) * 60)
    assert min(after) >= least_s
    assert max(after) <= most_s + 0.001
    beyond = (np.array(after) - least_s) / every_s  # the sum of two uniforms is triangular
    assert stats.kstest(beyond, stats.triang(0.5, 0, 2).cdf).pvalue > 0.001
