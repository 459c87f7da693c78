"""Losses, returns, failures, fences, promotions and stalls in any order: what must hold of the databases."""

import random

import numpy as np
import pytest

from tests.unit.sim.stage import HOME, MINUTE, OTHER, Stage, StillPlane, scenario

ACTIONS = (
    "lose home", "regain home", "lose other", "regain other", "fail home", "fail other", "fence home", "fence other",
    "promote home", "promote other", "reseed home", "reseed other", "stall", "flow", "start home", "start other",
    "restore", "connect", "drop",
)  # fmt: skip


def act(stage: Stage, action: str, lost: set[str]) -> None:
    """Do it if it can be done; nothing is lost twice."""
    database = stage.context.database
    verb, _, where = action.partition(" ")
    region = HOME if where == "home" else OTHER
    if verb == "lose" and region not in lost:
        database.lose(region)
        lost.add(region)
    elif verb == "regain" and region in lost:
        database.regain(region)
        lost.discard(region)
    elif verb == "fail" and region not in lost:
        database.fail_primary(region)
    elif verb == "start":
        database.start_again(region)
    elif verb == "fence":
        stage.do(database.fence(region))
    elif verb in ("promote", "reseed") and region not in lost:
        stage.do(database.promote(region) if verb == "promote" else database.reseed(region))
    elif verb in ("stall", "flow"):
        database.stall_replication(stalled=verb == "stall")
    elif verb == "restore" and HOME not in lost and database.surviving == f"{HOME}/1":
        stage.do(database.restore_snapshot())
    elif verb == "connect" and HOME not in lost:
        database.connect(HOME, "restored")
    elif verb == "drop" and HOME not in lost and database.surviving == f"{HOME}/1":
        database.drop_table()


def writing(stage: Stage) -> list[str]:
    """Regions whose database commits within the next second."""
    plane, numbers = stage.plane, stage.context.names.database
    before = {r: plane.wal_position(numbers[r]) for r in (HOME, OTHER)}
    stage.until(stage.context.now_ns / MINUTE + 1 / 60)
    return [r for r in before if plane.wal_position(numbers[r]) > before[r]]


@pytest.mark.proves("Whatever is lost, fenced, promoted or restored, in any order: never two writers")
@pytest.mark.parametrize("seed", range(45))
def test_whatever_happens_one_writer_at_most_and_a_replica_that_never_goes_back(seed: int) -> None:
    chance = random.Random(seed)
    stage = Stage(scenario(), trial=seed)
    assert isinstance(stage.plane, StillPlane)
    for region in (HOME, OTHER):
        stage.context.monitoring.lose(region)  # nobody looks, nobody acts
    done, minute = [], 1.0
    lost: set[str] = set()
    for _ in range(chance.randint(2, 9)):
        stage.until(minute)
        done.append(action := chance.choice(ACTIONS[: 16 if seed % 3 else 19]))
        act(stage, action, lost)
        assert len(writing(stage)) <= 1, done
        minute = stage.context.now_ns / MINUTE + chance.choice((0.05, 0.5, 3, 20))
    for region in ("home", "other"):
        act(stage, f"regain {region}", lost)
    stage.context.database.stall_replication(stalled=False)
    stage.until(minute + 100)
    seconds = range(0, int(stage.context.now_ns // 1_000_000_000), 3)
    both = np.array([stage.sampled(f"{r}/database", "writable", *seconds) for r in (HOME, OTHER)])
    assert both.sum(axis=0).max() <= 1, done
    replayed = np.array(stage.sampled(f"{OTHER}/database", "replayed_position", *seconds))
    assert (np.diff(replayed) >= 0).all() or "reseed other" in done, done
    database = stage.context.database
    now_us = np.array(seconds) * 1_000_000
    assert (database.as_of_us(OTHER, now_us) <= now_us).all()
    writers = writing(stage)
    assert list(both[:, -1]) == [float(r in writers) for r in (HOME, OTHER)], done
    last = "home" if database.surviving.startswith(HOME) else "other"
    taken = {f"fence {last}", "promote home", "promote other"} & set(done)
    stopped = taken or (database.surviving == f"{HOME}/1" and "drop" in done)
    assert writers or stopped, done  # in the end somebody writes, unless the last writer was stopped for good
    numbers = stage.context.names.database
    for timeline in database.timelines():
        assert timeline.fork_position <= max(stage.plane.wal_position(n) for n in numbers.values())
