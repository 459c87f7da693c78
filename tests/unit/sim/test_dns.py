"""A changed record takes its time, caches theirs; a health check moves the name; stale clients are counted."""

import numpy as np
import pytest

from sim.build import system
from sim.control.caches import Caches
from tests.unit.sim.stage import HOME, OTHER, S, Stage, library, scenario

LOST = "[{at: 2 min, fault: region-loss, target: {region: us-east-1}, until: end}]"
CHECKED = {"dns.health_check_failover": "true"}


def submitted(trial: int = 0, **overrides: object) -> Stage:
    stage = Stage(scenario(**overrides), trial=trial)
    stage.do(stage.context.dns.submit(OTHER))
    return stage.until(2)


def test_a_change_takes_ten_seconds_to_a_minute() -> None:
    took = [submitted(t).minute("dns_switched") * 60 for t in range(40)]
    assert 10 <= min(took) < 14
    assert 56 < max(took) <= 60


def test_without_propagation_it_is_served_at_once() -> None:
    assert submitted(switches__dns_propagation="off").minutes("dns_switched") == [0]


# --- caches


def moved(at_s: float, **overrides: object) -> tuple[Caches, int]:
    built, names = system(scenario(**overrides), 1, 0)
    caches = Caches(built)
    caches.answered(round(at_s * S), names.regions.index(OTHER))
    return caches, names.regions.index(HOME)


@pytest.mark.proves(
    "After a DNS change the share of clients that follow it is min(t / TTL, 1), those apart that ignore it"
)
@pytest.mark.parametrize("ttl_s", [10, 60])
def test_clients_follow_within_one_ttl_evenly(ttl_s: int) -> None:
    caches, home = moved(300, client__count=2000, client__ignore_ttl="5 %", dns__ttl=f"{ttl_s} s")
    after = np.array([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.5]) * ttl_s
    stayed = caches.shares(np.array([round((300 + t) * S) for t in after]), 2)[:, home]
    expected = 1 - 0.95 * np.minimum(after / ttl_s, 1)
    assert stayed == pytest.approx(expected, abs=4 * 0.5 / 2000**0.5)
    assert stayed[0] == pytest.approx(1, abs=1e-3)
    assert stayed[-1] == stayed[-2] == 0.05


def test_without_caches_everybody_follows_at_once() -> None:
    caches, home = moved(300, client__ignore_ttl="0 %", switches__dns_cache="off")
    assert caches.shares(np.array([300 * S - 2, 300 * S + 2]), 2)[:, home].tolist() == [1, 0]


def test_without_a_ttl_everybody_asks_each_time() -> None:
    with np.errstate(all="raise"):
        caches, home = moved(300, client__ignore_ttl="0 %", dns__ttl="0 s")
        assert caches.shares(np.array([300 * S - 2, 300 * S + 2]), 2)[:, home].tolist() == [1, 0]


def test_a_second_change_is_followed_too() -> None:
    caches, home = moved(300, client__ignore_ttl="0 %")
    caches.answered(400 * S, home)
    assert caches.shares(np.array([399 * S, 460 * S]), 2)[:, home].tolist() == [0, 1]


# --- stale clients


def test_stale_clients_are_sampled_while_a_region_is_lost_and_only_then() -> None:
    stage = Stage(scenario(LOST))
    stage.until(3)
    stage.do(stage.context.dns.submit(OTHER))
    switched = stage.until_fact("dns_switched") * 60
    stage.until(6)
    before, lost, half, last = stage.sampled("dns", "stale_share", 119, 121, switched + 30, switched + 61)
    assert np.isnan(before)
    assert lost == 1
    assert half == pytest.approx(0.03 + 0.97 / 2, abs=0.12)
    assert last == pytest.approx(0.03)
    stage.clusters[HOME].regain()
    stage.faults.clean_up()
    stage.until(7)
    assert np.isnan(stage.sampled("dns", "stale_share", 415)[0])


# --- the health check


def checked(trial: int = 0, timeline: str = LOST, **overrides: object) -> Stage:
    return Stage(scenario(timeline, **CHECKED, **overrides), trial=trial, state=True)


@pytest.mark.proves("A health check of 10 s x 3 moves the name 28 s and a timeout after a loss, one of 30 s x 3 85 s")
@pytest.mark.parametrize(("period_s", "least_s"), [(10, 28), (30, 84)])
def test_the_name_moves_when_enough_checkers_have_failed(period_s: int, least_s: float) -> None:
    """82 % of the checkers must have failed three times: 2.82 periods, and the last check's six seconds."""
    took = []
    for trial in range(8):
        stage = checked(trial, dns__health_check_period=f"{period_s} s")
        took.append(stage.until_fact("health_check_failed") * 60 - 120)
        assert stage.minute("dns_switched") == stage.minute("health_check_failed")
        assert stage.context.dns.region == OTHER
    assert least_s + 6 <= min(took)
    assert max(took) <= least_s + 6 + 2 * period_s / 16
    assert len(set(took)) > 4  # at phases of their own


def test_a_target_that_refuses_is_found_without_the_timeout() -> None:
    stage = checked(
        timeline="[{at: 2 min, fault: crash-loop, target: {region: us-east-1, service: strategic}, until: end}]"
    )
    assert 27.5 <= stage.until_fact("health_check_failed") * 60 - 120 <= 30.5


def test_the_name_moves_back_by_itself() -> None:
    stage = checked(
        timeline="[{at: 2 min, fault: crash-loop, target: {region: us-east-1, service: strategic}, until: 3 min}]"
    )
    back = stage.until_fact("health_check_passed")
    assert back > stage.minute("lifted")
    assert [f.detail["region"] for f in stage.facts if f.kind == "dns_switched"] == [OTHER, HOME]


def test_a_record_moved_by_hand_is_left_alone() -> None:
    stage = checked()
    stage.do(stage.context.dns.submit(OTHER))
    stage.until(6)
    assert stage.minutes("health_check_failed")
    assert [f.detail["region"] for f in stage.facts if f.kind == "dns_switched"] == [OTHER]


def test_with_the_switch_off_the_first_failed_check_moves_it() -> None:
    stage = checked(switches__health_check="off")
    assert stage.until_fact("health_check_failed") * 60 - 120 <= 6 + 10 / 16


def test_there_is_no_check_where_none_is_declared() -> None:
    stage = Stage(library("region-loss-automatic"), state=True)
    assert not [c for c in stage.context.names.classes if c.route == "health"]
    stage.until(8)
    assert not stage.minutes("health_check_failed")
