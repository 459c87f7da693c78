"""What a Prometheus makes of its scrapes, what becomes a page, and what happens when a server dies."""

from collections.abc import Callable

import pytest

from sim.control.roles import Target
from tests.unit.sim.stage import HOME, OTHER, S, Scripted, Stage, scenario

Targets = Callable[[float], tuple[Target, ...]]  # of an instant in minutes


def pod(service: str, index: int, *, up: bool = True, ok: int = 0, failed: int = 0) -> Target:
    return Target(f"{HOME}/{service}/{index}", service, up, ok, failed)


def watched(targets: Targets, **overrides: object) -> Stage:
    stage = Stage(scenario(**overrides))
    Scripted(stage, targets)
    return stage


def running(minute: float) -> tuple[Target, ...]:
    """Two strategic pods and a risk pod, 100 good answers a second each."""
    ok = int(minute * 6_000)
    return pod("strategic", 0, ok=ok), pod("strategic", 1, ok=ok), pod("risk", 0, ok=ok)


def errors(share: float, since: float, until: float = 1e9) -> Targets:
    """One strategic pod, 100 answers a second, a share of them failing for a while."""

    def targets(minute: float) -> tuple[Target, ...]:
        failed = int(share * 6_000 * max(0.0, min(minute, until) - since))
        return (pod("strategic", 0, ok=int(minute * 6_000) - failed, failed=failed),)

    return targets


# --- the beginning


def test_a_server_that_has_run_for_long_knows_its_targets_at_the_start() -> None:
    assert watched(running).until(12).facts == []


def test_a_server_that_comes_back_starts_empty() -> None:
    """A scrape apart from the evaluation, the rule on what is absent holds for a moment, and does not fire."""
    stage = watched(running, monitoring__scrape="25 s", monitoring__evaluation="5 s").until(3)
    stage.context.monitoring.lose(HOME)
    stage.until(6)
    stage.context.monitoring.regain(HOME)
    stage.until(12)
    assert stage.minutes("alert_pending", "StrategicAgentDown", region=HOME, rules="intended")
    assert not stage.minutes("alert_firing")
    assert not stage.minutes("alert_pending", region=OTHER)


# --- rules


def test_a_target_that_does_not_answer_fires_both_readings() -> None:
    def targets(minute: float) -> tuple[Target, ...]:
        return pod("strategic", 0, up=minute < 5), pod("strategic", 1, up=minute < 5)

    stage = watched(targets).until(8)
    for rules in ("intended", "written"):
        fired = stage.minute("alert_firing", "StrategicAgentDown", rules=rules, region=HOME)
        assert 30 / 60 <= fired - 5 <= (30 + 15 + 15) / 60
        assert fired - stage.minute("alert_pending", "StrategicAgentDown", rules=rules, region=HOME) >= 0.5


def test_a_target_that_vanishes_is_seen_only_by_the_rule_on_what_is_absent() -> None:
    """CALIBRATION 0.7: with the target its series is gone, and `up == 0` has nothing to compare."""
    stage = watched(lambda minute: running(minute) if minute < 5 else (running(minute)[2],)).until(20)
    assert stage.minutes("alert_firing", "StrategicAgentDown", rules="intended")
    assert not stage.minutes("alert_pending", "StrategicAgentDown", rules="written")


def test_without_stale_markers_a_vanished_target_counts_for_ever() -> None:
    stage = watched(lambda m: running(m) if m < 5 else (running(m)[2],), switches__staleness="off")
    assert not stage.until(30).minutes("alert_pending")


def test_a_rule_has_a_clock_for_each_element() -> None:
    """Two pods that are down in turn, never one of them for 30 s: neither reading may fire."""

    def in_turn(minute: float) -> tuple[Target, ...]:
        first = int(minute * 3) % 2 == 0  # 20 s each
        return pod("strategic", 0, up=first), pod("strategic", 1, up=not first)

    stage = watched(in_turn, monitoring__scrape="5 s", monitoring__evaluation="5 s").until(10)
    assert stage.minutes("alert_pending", rules="written")
    assert not stage.minutes("alert_firing", rules="written")
    one_down = watched(lambda m: (pod("strategic", 0), pod("strategic", 1, up=m < 5))).until(8)
    assert one_down.minutes("alert_firing", rules="written")
    assert not one_down.minutes("alert_pending", rules="intended")  # one of two is up


def test_the_error_rule_as_written_fires_on_any_error_and_as_intended_on_one_in_a_hundred() -> None:
    """CALIBRATION 0.1: as written every series of errors is divided by itself."""
    few = watched(errors(0.002, since=6)).until(20)
    assert few.minute("alert_firing", "HighErrorRate", rules="written") < 9
    assert not few.minutes("alert_pending", "HighErrorRate", rules="intended")
    many = watched(errors(0.05, since=6)).until(20)
    assert many.minute("alert_firing", "HighErrorRate", rules="intended") < 10


def test_an_error_rate_of_nothing_over_nothing_is_no_alert() -> None:
    """When requests cease the ratio is 0/0 five minutes later, and the alert is resolved."""
    stage = watched(errors(0.5, since=6, until=9)).until(9)
    Scripted(stage, lambda _: errors(0.5, 6, 9)(9))
    stage.until(25)
    assert stage.minutes("alert_firing", "HighErrorRate", rules="intended", region=HOME)
    assert 13.5 <= stage.minute("alert_resolved", "HighErrorRate", rules="intended", region=HOME) <= 14.6


def test_without_for_an_alert_fires_as_soon_as_it_is_true() -> None:
    stage = watched(errors(0.9, since=6), switches__alert_for="off").until(10)
    assert stage.minutes("alert_firing", rules="intended") == stage.minutes("alert_pending", rules="intended")


# --- pages


def down_within(*spans: tuple[float, float]) -> Targets:
    """A strategic pod that is down from one minute until before another, each time."""
    return lambda minute: (pod("strategic", 0, up=not any(since <= minute < until for since, until in spans)),)


def down(since: float, until: float = 1e9) -> Targets:
    return down_within((since, until))


def test_two_servers_make_one_page() -> None:
    stage = watched(down(5)).until(40)
    assert len(stage.minutes("alert_firing", rules="intended")) == 2
    assert len(stage.minutes("page_sent")) == len(stage.minutes("page_received")) == 1
    first = min(stage.minutes("alert_firing", rules="intended"))
    assert stage.minute("page_sent") == pytest.approx(first + 0.5, abs=0.001)


def test_what_only_the_rule_as_written_sees_is_no_page() -> None:
    stage = watched(lambda m: (pod("strategic", 0), pod("strategic", 1, up=m < 5))).until(20)
    assert stage.minutes("alert_firing", rules="written")
    assert not stage.minutes("page_sent")


def test_an_alert_that_is_over_before_the_group_has_waited_is_no_page() -> None:
    stage = watched(down(5, until=6.2), monitoring__group_wait="2 min").until(20)
    assert stage.minutes("alert_firing", rules="intended")
    assert not stage.minutes("page_sent")


def test_an_alert_that_comes_again_while_its_group_waits_or_lives_is_one_page() -> None:
    """It fires, ends and fires again before the group has waited; later once more before the group is looked at."""
    again = down_within((5, 6.5), (7.5, 9.5), (10.5, 30))
    stage = watched(again, monitoring__group_wait="3 min").until(25)
    assert len(stage.minutes("alert_firing", rules="intended", region=HOME)) == 3
    assert len(stage.minutes("page_sent")) == 1


def test_an_alert_that_was_over_when_its_group_was_looked_at_pages_again() -> None:
    twice = down_within((5, 8), (20, 30))
    assert len(watched(twice).until(35).minutes("page_sent")) == 2


def test_a_dead_server_s_alert_expires() -> None:
    """It fired in a server that died with it: the next occurrence, seen by the other one, is a page of its own."""
    twice = down_within((5, 8), (30, 40))
    stage = watched(twice).until(7)
    stage.context.monitoring.lose(HOME)
    stage.until(45)
    assert len(stage.minutes("page_sent")) == 2
    lasting = watched(down(5)).until(7)
    lasting.context.monitoring.lose(HOME)
    assert len(lasting.until(45).minutes("page_sent")) == 1  # the other server still says so


def test_nothing_is_sent_without_a_living_server() -> None:
    stage = watched(down(5)).until(1)
    stage.context.monitoring.lose(HOME)
    stage.context.monitoring.lose(OTHER)
    stage.until(15)
    assert not stage.minutes("alert_pending")
    assert not stage.minutes("page_sent")
    sent = {round(p.intended_ns / S): p.done_ns for p in stage.context.page_probes}
    assert sent[50] is not None
    assert {sent[t] for t in range(70, 900, 10)} == {None}
    stage.context.monitoring.regain(OTHER)
    assert stage.until(20).minutes("page_sent")
    last = stage.context.page_probes[-1]
    assert last.done_ns is not None
    assert last.region == OTHER


def test_a_server_survives_its_region_when_that_is_not_modelled() -> None:
    stage = watched(down(5), switches__monitoring_dies="off").until(1)
    stage.context.monitoring.lose(HOME)
    assert stage.until(8).minutes("alert_firing", region=HOME)


def test_what_is_not_modelled_takes_no_time() -> None:
    fired = watched(down(5), switches__scrape_interval="off").until(8)
    assert fired.minute("alert_pending", rules="intended") - 5 <= 15 / 60  # seen at the next evaluation
    sent = watched(down(5), switches__group_wait="off").until(8)
    assert sent.minute("page_sent") == pytest.approx(sent.minute("alert_firing", rules="intended"), abs=1e-6)


def test_a_page_opens_an_incident() -> None:
    stage = watched(down(5)).until(60)
    assert stage.minute("acknowledged") > stage.minute("page_received")
