"""Copies at their intervals, the nightly snapshot, the uploads of logs, the lag that never goes back."""

import numpy as np
import pytest

from sim.control.backups import Backups
from sim.control.lag import Lag
from tests.unit.sim.stage import HOME, MINUTE, OTHER, S, Stage, scenario

DAY_US = 86_400_000_000
HOURS_US = 3_600_000_000


@pytest.mark.parametrize(
    ("start", "asked_h", "expected_h"),
    [
        ("14:30", 0.0, -12.5),
        ("14:30", 11.5, 11.5),  # at two at night, and the snapshot of that night is there
        ("14:30", 11.4, -12.5),
        ("01:00", 0.5, -23.0),
        ("01:00", 30.0, 25.0),
    ],
)
def test_the_last_snapshot_is_the_last_night_s(start: str, asked_h: float, expected_h: float) -> None:
    backups = Backups(Stage(scenario(workload=f', starts at: "{start}"')).context)
    assert backups.snapshot_us(round(asked_h * HOURS_US)) == expected_h * HOURS_US


def test_logs_are_uploaded_at_multiples_of_five_minutes_of_the_clock() -> None:
    backups = Backups(Stage(scenario(workload=', starts at: "14:33"')).context)
    assert backups.uploaded_us(0) == -3 * 60_000_000
    assert backups.uploaded_us(2 * 60_000_000 - 1) == -3 * 60_000_000
    assert backups.uploaded_us(2 * 60_000_000) == 2 * 60_000_000


def copies(stage: Stage, name: str, *seconds: float) -> tuple[list[float], list[float]]:
    """Recovery points and last writes of a class, in seconds."""
    points = stage.sampled(f"{OTHER}/{name}", "recovery_point_us", *seconds)
    return [p / 1e6 for p in points], [w / 1e6 for w in stage.sampled(f"source/{name}", "last_write_us", *seconds)]


def test_a_copy_is_never_older_than_its_interval_and_keeps_to_it() -> None:
    stage = Stage(scenario()).until(40)
    seconds = list(range(0, 2_400))
    for name, interval, spacing in (("models", 300, 60), ("configuration", 900, 300), ("logs", 60, 1)):
        points, writes = copies(stage, name, *seconds)
        ages = [t - p for t, p in zip(seconds, points, strict=True)]
        assert max(ages) < interval
        assert max(ages) > interval - 2
        assert set(np.diff(sorted(set(points))).round(6)) <= {interval}
        assert max(t - w for t, w in zip(seconds, writes, strict=True)) < spacing


def test_copies_stop_with_their_source_and_go_on_when_it_is_back() -> None:
    stage = Stage(scenario()).until(10)
    before, last = copies(stage, "models", 600)
    stage.context.copies.lose(HOME)
    stage.until(30)
    assert copies(stage, "models", 601, 900, 1_800) == (before * 3, last * 3)
    stage.context.copies.regain(HOME)
    stage.until(45)
    points, writes = copies(stage, "models", 2_150)
    assert 1_800 <= points[0] <= 2_150
    assert 1_800 <= writes[0] <= 2_150
    assert copies(stage, "models", 601, 1_799) == (before * 2, last * 2)  # what was said stays said


def test_copies_do_not_go_on_at_a_source_that_was_replaced() -> None:
    stage = Stage(scenario()).until(10)
    stage.context.copies.lose(HOME)
    stage.context.database.lose(HOME)
    stage.do(stage.context.database.promote(OTHER))
    stage.until_fact("promoted")
    points, _ = copies(stage, "models", 600)
    stage.context.copies.regain(HOME)
    stage.until(60)
    assert copies(stage, "models", 3_500)[0] == points


def test_without_copies_being_modelled_everything_is_copied_at_once() -> None:
    stage = Stage(scenario(switches__copies="off")).until(10)
    assert copies(stage, "models", 100, 333)[0] == [100, 333]


def test_a_replica_never_goes_back_and_is_never_farther_behind_than_drawn() -> None:
    lag = Lag(Stage(scenario(postgres__replication_lag_tail_share="30 %")).context)
    instants = np.arange(0, 120 * MINUTE, S // 2)
    position = instants - lag.many_ns(instants)
    assert (np.diff(position) >= 0).all()
    assert (lag.many_ns(instants) > 0).all()
    assert len(set(lag.many_ns(instants).tolist())) > 60  # drawn anew each minute
    assert [lag.at_ns(int(t)) for t in instants[:100]] == lag.many_ns(instants[:100]).tolist()
    backwards = Lag(Stage(scenario(postgres__replication_lag_tail_share="30 %")).context)
    assert [backwards.at_ns(int(t)) for t in instants[::-997]] == lag.many_ns(instants[::-997]).tolist()


def test_the_lag_s_median_is_the_parameter_s() -> None:
    lag = Lag(Stage(scenario()).context)
    seen = lag.many_ns(np.arange(0, 2_000) * MINUTE + 59 * S) / S
    assert np.median(seen) == pytest.approx(1.0, rel=0.1)
    assert 0.005 < (seen > 20).mean() < 0.04  # the tail of two in a hundred
