"""Loss by asynchronous replication, the commit lease and late copies against theory."""

from collections.abc import Iterator

import numpy as np
import pytest
from scipy import stats

from sim.control.context import Context, Draws
from sim.control.copies import Copies
from sim.control.lease import Lease
from tests.unit.sim.stage import HOME, OTHER, S, Stage, StillPlane, scenario

RATE_PER_S, LAG_S = 5.0, 2.0


class PoissonPlane(StillPlane):
    """Commits of the home database are a Poisson stream until it is lost."""

    def arrive(self, trial: int) -> "PoissonPlane":
        gaps = np.random.default_rng(trial).exponential(S / RATE_PER_S, 800)
        self._commits = np.cumsum(gaps).astype(np.int64)
        return self

    def wal_position_at(self, database: int, at_ns: int) -> int:
        if database != 0:
            return super().wal_position_at(database, at_ns)
        return int(np.searchsorted(self._commits, min(at_ns, self._now), side="left"))


def lost_rows(trial: int) -> int:
    """Rows that the promoted replica lacks when its primary is lost in its second minute."""
    resolved = scenario(
        postgres__replication_lag=f"{LAG_S} s",
        postgres__replication_lag_tail_share="0 %",
        switches__promotion_time="off",
    )
    stage = Stage(resolved, trial=trial, make_plane=lambda built, home: PoissonPlane(built, home).arrive(trial))
    stage.until(1 + trial / 400)
    database = stage.context.database
    database.lose(HOME)
    had = stage.plane.wal_position(stage.context.names.database[HOME])
    stage.do(database.promote(OTHER))
    stage.until_fact("promoted")
    return had - database.timelines()[1].fork_position


@pytest.mark.proves("Asynchronous replication with a constant lag L loses Poisson(rate x L) writes")
def test_loss_under_a_constant_lag_is_poisson() -> None:
    lost = np.array([lost_rows(trial) for trial in range(250)])
    expected = RATE_PER_S * LAG_S
    assert lost.mean() == pytest.approx(expected, abs=3.3 * np.sqrt(expected / len(lost)))
    assert lost.var(ddof=1) / lost.mean() == pytest.approx(1, abs=3.3 * np.sqrt(2 / len(lost)))
    edges = [-0.5, 5.5, 7.5, 8.5, 9.5, 10.5, 11.5, 12.5, 14.5, 100]
    observed = np.histogram(lost, edges)[0]
    shares = np.diff(stats.poisson.cdf(np.array(edges), expected))
    assert stats.chisquare(observed, shares / shares.sum() * len(lost)).pvalue > 0.001


def drawn_anew(trials: int) -> Iterator[Context]:
    """One context after a minute, with the draws of many trials."""
    stage = Stage(scenario()).until(1)
    for trial in range(trials):
        stage.context.draws = Draws(stage.resolved, 1, trial)
        yield stage.context


def test_a_lease_expires_its_length_after_the_last_renewal() -> None:
    """Cut off at any moment, the holder has renewed U(0, 10) s ago: 30 s less that."""
    left = []
    for context in drawn_anew(500):
        lease = Lease(context, "lease")
        lease.cut_off()
        left.append((lease.expires_ns() - context.now_ns) / S)
    assert stats.kstest(left, stats.uniform(20, 10).cdf).pvalue > 0.001


def test_the_age_of_a_copy_at_a_random_instant_is_uniform() -> None:
    ages = []
    for context in drawn_anew(500):
        context.samplers.clear()
        Copies(context)
        point = next(f for s, n, f in context.samplers if (s, n) == (f"{OTHER}/models", "recovery_point_us"))
        ages.append(1_000 - float(point(np.array([1_000 * S]))[0]) / 1e6)
    assert stats.kstest(ages, stats.uniform(0, 300).cdf).pvalue > 0.001
