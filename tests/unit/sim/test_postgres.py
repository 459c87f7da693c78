"""Primary, standby, replica: what is committed where, who may write, what a promotion, fence or restore leaves."""

import numpy as np
import pytest

from sim.control.postgres import Postgres
from sim.data.commands import Command
from sim.data.timelines import Timelines
from tests.unit.sim.stage import HOME, MINUTE, OTHER, S, Stage, StillPlane, scenario

LAG = "2 s"


@pytest.fixture(name="stage")
def _stage() -> Stage:
    return make()


def make(workload: str = "", **overrides: object) -> Stage:
    """Constant lag, so that every position can be said beforehand."""
    settings = {"postgres__replication_lag": LAG, "postgres__replication_lag_tail_share": "0 %"} | overrides
    return Stage(scenario(workload=workload, **settings))


def database(stage: Stage) -> Postgres:
    assert isinstance(stage.context.database, Postgres)
    return stage.context.database


def still(stage: Stage) -> StillPlane:
    assert isinstance(stage.plane, StillPlane)
    return stage.plane


def writers(stage: Stage) -> list[str]:
    """Regions whose database commits now, as the data plane was told."""
    plane, now = stage.plane, stage.context.now_ns
    before = {r: plane.wal_position(database(stage).number(r)) for r in (HOME, OTHER)}
    stage.until(now / MINUTE + 1 / 60)
    return [r for r in before if plane.wal_position(database(stage).number(r)) > before[r]]


def as_of_s(stage: Stage, region: str, *seconds: float) -> list[float]:
    return list(database(stage).as_of_us(region, np.array([round(s * 1e6) for s in seconds])) / 1e6)


# --- replication


def test_the_replica_holds_what_was_committed_before_the_lag(stage: Stage) -> None:
    stage.until(2)
    assert stage.sampled(f"{HOME}/database", "wal_position", 60, 100) == [6_000, 10_000]  # 100 commits a second
    assert stage.sampled(f"{OTHER}/database", "replayed_position", 60, 100) == [5_800, 9_800]
    assert stage.sampled(f"{OTHER}/database", "replication_lag_s", 60, 100) == [2, 2]
    assert stage.sampled(f"{HOME}/database", "writable", 60) == [1]
    assert stage.sampled(f"{OTHER}/database", "writable", 60) == [0]


def test_a_cut_replica_stands_still_and_then_catches_up_at_a_finite_speed() -> None:
    stage = make(postgres__catch_up=5, postgres__wal_receiver_retry="1 us").until(1)
    database(stage).stall_replication(stalled=True)
    stage.until(3)
    assert as_of_s(stage, OTHER, 60, 100, 180) == [58, 58, 58]
    assert stage.sampled(f"{OTHER}/database", "replication_lag_s", 120) == [62]  # it grows a second each second
    database(stage).stall_replication(stalled=False)
    stage.until(5)
    assert as_of_s(stage, OTHER, 190) == [pytest.approx(58 + 50, abs=0.01)]
    # 58 + 5 t = 180 + t - 2: from 30 s on it is as far as usual
    assert as_of_s(stage, OTHER, 209, 211) == [pytest.approx(203, abs=0.01), 209]


def test_two_reasons_hold_a_replica_back_until_both_are_gone(stage: Stage) -> None:
    db = database(stage.until(1))
    db.stall_replication(stalled=True)
    db.fail_primary(HOME)
    stage.until_fact("database_available")
    assert as_of_s(stage, OTHER, stage.context.now_ns / S) == [58]
    db.stall_replication(stalled=False)
    stage.until(stage.context.now_ns / MINUTE + 10)
    assert stage.sampled(f"{OTHER}/database", "replication_lag_s", stage.context.now_ns / S) == [2]


def test_the_observed_lag_is_published_once_a_minute_and_is_high_on_an_idle_source(stage: Stage) -> None:
    name = "replication_lag_observed_s"
    stage.until(5.5)
    assert stage.sampled(f"{OTHER}/database", name, 61, 119) == [2, 2]
    still(stage).silence()
    stage.until(9.9)
    true = stage.sampled(f"{OTHER}/database", "replication_lag_s", 500)
    shown = stage.sampled(f"{OTHER}/database", name, 490, 530, 550)
    assert true == [2]
    assert shown == [pytest.approx(150, abs=2), pytest.approx(150, abs=2), pytest.approx(210, abs=2)]
    stage.until(20)
    assert max(stage.sampled(f"{OTHER}/database", name, *range(700, 1_200))) <= 300 + 2  # the log is switched


def test_the_observed_lag_of_the_first_minute_is_that_of_a_busy_source(stage: Stage) -> None:
    stage.until(1)
    observed = stage.sampled("us-west-2/database", "replication_lag_observed_s", 30)
    assert observed[0] < 60


def test_the_observed_lag_grows_a_second_each_second_in_a_partition(stage: Stage) -> None:
    stage.until(1)
    database(stage).lose(HOME)
    stage.until(11)
    assert database(stage).observed_lag_s() == pytest.approx(602, abs=1)


# --- losing the primary


@pytest.mark.proves(
    "A promoted replica holds exactly what it had received, and the writes beyond it stay on the old timeline"
)
def test_a_promotion_forks_where_the_replica_was_when_its_primary_was_lost(stage: Stage) -> None:
    stage.until(5)
    database(stage).lose(HOME)
    stage.do(database(stage).promote(OTHER))
    stage.until_fact("promoted")
    old, new = database(stage).timelines()
    assert (old.name, new.name) == (f"{HOME}/1", f"{OTHER}/2")
    assert (new.parent, new.fork_position) == (old.name, 29_800)  # 298 s of 100 a second; 200 rows are left behind
    assert stage.plane.wal_position(database(stage).number(HOME)) == 30_000
    assert database(stage).surviving == new.name
    stage.until(stage.context.now_ns / MINUTE + 1)
    now_s = stage.context.now_ns // S
    assert stage.sampled(f"{OTHER}/database", "replayed_position", now_s - 10, now_s)[1] > 29_800
    assert stage.sampled(f"{OTHER}/database", "replication_lag_s", now_s) == [0]
    assert database(stage).observed_lag_s() is None


def test_without_a_fork_nothing_is_lost() -> None:
    stage = make(switches__timeline_fork="off").until(5)
    database(stage).lose(HOME)
    stage.do(database(stage).promote(OTHER))
    stage.until_fact("promoted")
    assert database(stage).timelines()[1].fork_position == 30_000


def test_a_promotion_of_a_living_primary_loses_nothing_once_it_is_fenced(stage: Stage) -> None:
    """The old primary commits until its lease has expired; the replica receives the rest while it is promoted."""
    stage.until(5)
    stage.do(database(stage).promote(OTHER))
    fenced = stage.until_fact("fenced")
    assert 20 / 60 <= fenced - 5 <= 30 / 60  # a lease of 30 s, renewed each 10 s
    stage.until_fact("promoted")
    assert database(stage).timelines()[1].fork_position == stage.plane.wal_position(database(stage).number(HOME))
    assert writers(stage) == [OTHER]


def test_a_fence_waits_for_the_lease_whether_or_not_the_primary_answers(stage: Stage) -> None:
    stage.until(5)
    database(stage).lose(HOME)
    stage.until(5.1)
    fencing = stage.do(database(stage).fence(HOME))
    fenced = stage.until_fact("fenced")
    assert 20 / 60 <= fenced - 5 <= 30 / 60
    stage.until(fenced + 0.01)
    assert not fencing.is_alive


@pytest.mark.proves("After a promotion the old primary returns fenced: never two writers")
@pytest.mark.parametrize("back_after_min", [0.2, 3, 60])
def test_a_primary_that_returns_never_makes_two_writers(back_after_min: float) -> None:
    """It returns before, during and after the promotion."""
    stage = make(postgres__promote="5 min").until(5)
    db = database(stage)
    db.lose(HOME)
    stage.do(db.promote(OTHER))
    stage.until(5 + back_after_min)
    db.regain(HOME)
    assert writers(stage) in ([], [OTHER])
    stage.until(80)
    assert writers(stage) == [OTHER]
    seconds = range(0, 4_700)
    both = np.array([stage.sampled(f"{r}/database", "writable", *seconds) for r in (HOME, OTHER)]).sum(axis=0)
    assert both.max() == 1
    assert both[-1] == 1


@pytest.mark.proves(
    "The twin plays a failback: the old primary is copied anew, catches up, and takes over with every order"
)
def test_the_way_home_loses_nothing_and_leaves_a_standby() -> None:
    stage = make(postgres__promote="1 min", postgres__reseed="10 min").until(5)
    db = database(stage)
    db.lose(HOME)
    stage.do(db.promote(OTHER))
    stage.until(10)
    db.regain(HOME)
    stage.do(db.reseed(HOME))
    stage.until(19)
    assert db.replica is None  # it is still being copied
    stage.until(21)
    assert db.replica == HOME
    assert writers(stage) == [OTHER]
    stage.do(db.fence(OTHER))
    fenced = stage.until_fact("fenced", subject=f"{OTHER}/database")
    stage.until(fenced + 0.2)
    assert writers(stage) == []
    stage.do(db.catch_up(HOME))
    stage.do(db.promote(HOME))
    stage.until_fact("promoted", subject=f"{HOME}/database")
    assert writers(stage) == [HOME]
    first, second, third = db.timelines()
    assert third.name == db.surviving == f"{HOME}/3"
    assert third.fork_position == stage.plane.wal_position(db.number(OTHER))
    assert first.last is not None
    assert first.last < third.first  # rows of the first timeline that were lost do not come back
    assert second.fork_position < first.last  # two seconds of lag
    stage.do(db.reseed(OTHER))
    stage.until(60)
    assert db.replica == OTHER
    assert as_of_s(stage, OTHER, 3_590) == [3_588]
    assert stage.sampled(f"{OTHER}/database", "replication_lag_s", 400, 3_590) == [0, 2]


def test_nothing_is_copied_from_a_primary_that_is_lost(stage: Stage) -> None:
    stage.until(5)
    db = database(stage)
    stage.do(db.promote(OTHER))
    stage.until_fact("promoted")
    db.lose(OTHER)
    reseeding = stage.do(db.reseed(HOME))
    stage.until(60)
    assert reseeding.value is False
    assert db.replica is None


def test_a_lookup_before_the_first_row_ends_when_both_databases_were_forked_from_each_other() -> None:
    known = Timelines(2)
    row = np.array([[7], [0], [1], [1_000]], dtype=np.int64)
    known.add(row)
    known.fork(1, 0, 1, 2_000)
    known.fork(0, 1, 1, 3_000)
    assert [known.position_at(0, t) for t in (500, 1_500, 9_000)] == [0, 1, 1]
    assert [known.position_at(1, t) for t in (500, 1_500, 9_000)] == [0, 1, 1]


def test_without_fencing_a_primary_that_returns_makes_two_writers() -> None:
    stage = make(switches__fencing="off").until(5)
    db = database(stage)
    db.lose(HOME)
    stage.do(db.promote(OTHER))
    stage.until_fact("promoted")
    db.regain(HOME)
    assert writers(stage) == [HOME, OTHER]
    assert list(db.timeline_of(HOME, np.array([stage.context.now_ns // 1_000]))) == [f"{HOME}/1"]


def test_a_primary_whose_lease_nobody_took_goes_on(stage: Stage) -> None:
    stage.until(5)
    database(stage).lose(HOME)
    assert writers(stage) == []
    stage.until(25)
    database(stage).regain(HOME)
    assert writers(stage) == [HOME]
    assert stage.minute("database_available", timeline=f"{HOME}/1") == pytest.approx(25, abs=0.02)
    stage.until(40)
    assert stage.sampled(f"{OTHER}/database", "replication_lag_s", 2_400) == [2]


def test_a_promotion_is_refused_while_the_replica_backs_up() -> None:
    stage = make(aws__replica_backup_at_s=52_200, postgres__start_of_run_s=52_200).until(1)
    refused = stage.do(database(stage).promote(OTHER))
    stage.until(1.01)
    assert refused.value is False
    assert stage.minutes("promotion_refused") == [1]
    stage.until(16)  # the backup takes 15 min
    stage.do(database(stage).promote(OTHER))
    assert stage.until_fact("promoted") > 16


def test_a_replica_that_is_lost_while_it_is_promoted_is_no_primary(stage: Stage) -> None:
    stage.until(5)
    promoting = stage.do(database(stage).promote(OTHER))
    stage.until(5.5)
    database(stage).lose(OTHER)
    stage.until(60)
    assert promoting.value is False
    assert stage.minutes("promoted") == []


# --- the instance, and its standby


def test_the_standby_takes_over_without_loss_and_is_made_anew(stage: Stage) -> None:
    stage.until(5)
    database(stage).fail_primary(HOME)
    assert writers(stage) == []
    back = stage.until_fact("database_available")
    assert 0.4 < back - 5 < 16
    assert database(stage).surviving == f"{HOME}/1"
    assert stage.until_fact("standby_streaming") > back + 1
    assert stage.plane.wal_position(database(stage).number(HOME)) > 30_000


def test_without_a_standby_the_instance_has_to_be_repaired() -> None:
    settings = {"postgres__failover_multi_az": "1 min", "aws__rds_failover_tail_share": "0 %"}
    stage = make(aws__rds_single_az_recovery="9 min", aws__standby_create="20 min", **settings).until(5)
    database(stage).fail_primary(HOME)
    assert stage.until_fact("database_available") == pytest.approx(6, abs=0.01)
    database(stage).fail_primary(HOME)  # its new standby is not there yet
    assert stage.until_fact("database_available") == pytest.approx(15, abs=0.01)
    single = make(database__multi_az="off", aws__rds_single_az_recovery="9 min").until(5)
    database(single).fail_primary(HOME)
    assert single.until_fact("database_available") == pytest.approx(14, abs=0.01)


def test_an_instance_that_is_started_again_is_back_at_once_and_its_standby_is_still_there() -> None:
    settings = {"postgres__failover_multi_az": "1 min", "aws__rds_failover_tail_share": "0 %"}
    stage = make(aws__rds_single_az_recovery="9 min", **settings).until(5)
    db = database(stage)
    db.fail_primary(HOME)
    stage.until(5.2)
    assert writers(stage) == []
    db.start_again(HOME)
    assert writers(stage) == [HOME]
    stage.until(30)
    assert stage.minutes("database_available") == [pytest.approx(5.2, abs=0.02)]  # nothing takes over any more
    assert stage.sampled(f"{OTHER}/database", "replication_lag_s", 600) == [2]
    db.fail_primary(HOME)
    assert stage.until_fact("database_available") == pytest.approx(31, abs=0.1)
    db.start_again(HOME)  # the standby was faster
    assert stage.until(40).minutes("database_available")[2:] == []


def test_an_instance_in_a_lost_region_is_not_started_again(stage: Stage) -> None:
    stage.until(5)
    database(stage).fail_primary(HOME)
    database(stage).lose(HOME)
    stage.until(5.1)
    database(stage).start_again(HOME)
    assert writers(stage) == []
    assert stage.minutes("database_available") == []


def test_the_replica_s_own_failure_leaves_the_primary_alone(stage: Stage) -> None:
    stage.until(5)
    database(stage).fail_primary(OTHER)
    stage.until(6)
    assert writers(stage) == [HOME]
    stage.until(40)
    assert stage.minutes("database_available") == []  # it takes no writes
    assert stage.sampled(f"{OTHER}/database", "replication_lag_s", 2_400) == [2]


def test_a_region_lost_while_its_standby_takes_over_stays_lost(stage: Stage) -> None:
    stage.until(5)
    database(stage).fail_primary(HOME)
    stage.until(5.1)
    database(stage).lose(HOME)
    stage.until(60)
    assert stage.minutes("database_available") == []
    assert writers(stage) == []


# --- restoring


def test_a_snapshot_brings_back_the_history_up_to_two_at_night() -> None:
    stage = make(workload=", history: {covers: 13 h, spacing: 5 s}").until(5)
    db = database(stage)
    assert len(db.history_us()) == 13 * 720
    db.drop_table()
    assert writers(stage) == []
    stage.do(db.restore_snapshot())
    stage.until_fact("restored")
    assert writers(stage) == []  # nobody has been told of it yet
    db.connect(HOME, "restored")
    assert writers(stage) == [HOME]
    new = db.timelines()[-1]
    assert new.name == db.surviving == f"{HOME}/2"
    assert (new.history_until_us, new.kept, new.first, new.parent) == (-12.5 * 3_600e6, 0, 30_000, None)
    assert db.timelines()[0].history_until_us is None  # the dropped one holds nothing
    assert db.timelines()[0].last == 0


def test_a_point_in_time_restore_loses_at_most_an_upload() -> None:
    """To the mistake when its log was uploaded since; else to the last upload."""
    for wait_min, recovered_s in ((0.5, 300), (5.5, 450)):
        stage = make(switches__restore_time="off").until(7.5)
        database(stage).drop_table()
        stage.until(7.5 + wait_min)
        stage.do(database(stage).restore_point_in_time())
        stage.until_fact("restored")
        database(stage).connect(HOME, "restored")
        new = database(stage).timelines()[-1]
        assert new.history_until_us == recovered_s * 1_000_000
        assert new.kept == recovered_s * 100
        assert new.first == 45_000


def test_a_restore_beside_a_living_database_takes_over_when_it_is_connected(stage: Stage) -> None:
    stage.until(1)
    stage.do(database(stage).restore_snapshot())
    stage.until_fact("restored")
    assert writers(stage) == [HOME]
    assert database(stage).surviving == f"{HOME}/1"
    position = stage.plane.wal_position(database(stage).number(HOME))
    database(stage).connect(HOME, "restored")
    old, new = database(stage).timelines()
    assert old.last == new.first == position


def test_a_restored_database_reads_cold_blocks_at_first(stage: Stage) -> None:
    stage.until(5)
    database(stage).drop_table()
    stage.do(database(stage).restore_snapshot())
    stage.until_fact("restored")
    database(stage).connect(HOME, "restored")
    began = stage.context.now_ns
    stage.until(began / MINUTE + 60)
    slow = [(t, b) for t, command, _, b, _ in still(stage).commands if command == Command.SLOW and t >= began]
    factors = [b / 1_000 for _, b in slow]
    assert 1 + 20 / 3 <= factors[0] <= 1 + 35 / 3  # 20 to 35 ms a miss on top of 3 ms
    assert factors == sorted(factors, reverse=True)
    assert factors[-1] == 1.0
    half = next(t for t, b in slow if b / 1_000 - 1 <= (factors[0] - 1) / 2)
    assert 2 * 60 * np.log(2) - 10 <= (half - began) / S <= 5 * 60 * np.log(2) + 10  # tau 2 to 5 min
