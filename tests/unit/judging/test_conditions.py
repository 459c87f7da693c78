"""Conditions of alert rules, computed from the record."""

from dataclasses import replace

import numpy as np
import pytest

from tests.record_load import Second
from tests.records import EAST, WEST, Run, us
from validators import integrity
from validators.conditions import holds, metrics, scraped, stretches, unseen
from validators.model import Observations
from validators.recorded import NotOnRecordError, NotSampledError

READY = "replicas_ready"


def seen(**ready: list[float]) -> Observations:
    """A record with ready pods of services in us-east-1, a value a second, and a gauge."""
    run = Run()
    run.samples.clear()
    seconds = max(map(len, ready.values()))
    run.head["duration_us"] = us(seconds)
    t = np.arange(seconds) * 1_000_000
    for station in (f"{region}/{service}" for region in (EAST, WEST) for service in run.head["topology"]["services"]):
        for quantity in (READY, "replicas_planned"):
            run.sample(station, quantity, t, np.zeros(seconds))
    for service, values in ready.items():
        run.sample(f"{EAST}/{service}", READY, t, values)
        run.sample(f"{EAST}/{service}", "replicas_planned", t, np.full(seconds, max(values)))
    run.sample(f"{EAST}/risk", "var", t, np.arange(seconds))
    return run.observations()


UP = 'up{job="strategic-service"}'


ERRORS = 'sum(rate(http_requests_total{status=~"5.."}[5m])) / sum(rate(http_requests_total[5m])) > 0.01'


def failing(failed_per_s: int) -> Run:
    """A service that answers 100/s, and so many of them badly from 400 s on."""
    run = Run()
    for name in ("strategic", "tactical", "risk", "database"):
        run.loaded(name, 0, 720, lambda s: None)
    bad = [failed_per_s * (s >= 400) for s in range(720)]
    for name in ("strategic", "tactical"):
        run.load += [Second(s, EAST, name, 0, 0, 0, 0, 0, 0) for s in range(720)]
    run.load += [Second(s, EAST, "risk", 0, 0, 100 - b, b, 0, 100, own_ms=1.0) for s, b in enumerate(bad)]
    return run


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (f"sum({UP}) == 0", [0, 1, 0, 0]),
        (f"sum({UP}) < 2", [0, 1, 1, 0]),
        (f"min({UP}) == 0", [0, 1, 1, 0]),
        (f"max({UP}) == 1", [1, 0, 1, 1]),
        (f"{UP} == 0", [0, 1, 1, 0]),
        (f"count({UP} == 1) >= 2", [1, 0, 0, 1]),
        (f"avg({UP}) > 0.4", [1, 0, 1, 1]),
        (f"absent({UP})", [0, 0, 0, 0]),
        (f"sum({UP}) == 0 or absent({UP})", [0, 1, 0, 0]),
        (f"sum({UP}) == 0 or sum({UP}) == 2", [1, 1, 0, 1]),
        (f"sum({UP}) > 0 and sum({UP}) < 2", [0, 0, 1, 0]),
        (f"sum({UP}) < 2 unless sum({UP}) == 0", [0, 0, 1, 0]),
        ("var > 1", [0, 0, 1, 1]),
        ("2 < var", [0, 0, 0, 1]),
        ("max(var) * 2 - 1 >= 3", [0, 0, 1, 1]),
        ("rate(var[2s]) > 0.9", [0, 1, 1, 1]),
        ("increase(var[2s]) == 2", [0, 0, 1, 1]),
        ('sum by (job) (up{job=~"str.*"}) == 1', [0, 0, 1, 0]),
        ('max without (pod) (up{job=~"str.*"}) == 0', [0, 1, 0, 0]),
        ("var > (1 + 1)", [0, 0, 0, 1]),
        ('sum(up{job!="strategic-service"}) == 3', [1, 1, 1, 0]),
        (f"absent({UP} == 1)", [0, 1, 0, 0]),
    ],
)
def test_rule(rule: str, expected: list[int]) -> None:
    observed = seen(strategic=[2, 0, 1, 2], risk=[3, 3, 3, 1])
    assert holds(observed, rule).astype(int).tolist()[:4] == expected


def test_pods_that_are_planned_and_not_ready_are_down() -> None:
    run = Run()
    t = np.arange(0, 720) * 1_000_000
    run.sample(f"{EAST}/strategic", READY, t, np.full(720, 1.0))
    run.sample(f"{EAST}/strategic", "replicas_planned", t, np.full(720, 2.0))
    for quantity in (READY, "replicas_planned"):
        run.sample(f"{WEST}/strategic", quantity, t, np.zeros(720))
    assert holds(run.observations(), f"min({UP}) == 0").all()


def test_share_of_errors_over_five_minutes() -> None:
    """3 % of the answers are errors from 400 s on: the share over 5 min crosses 1 % once 101 s of it are."""
    [(first, last)] = stretches(holds(failing(3).observations(), ERRORS))
    assert abs(first - 501) <= 1
    assert last == 721


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("sum(nobody_knows) > 1", "nobody_knows is not on record"),
        ('up{job="unknown-service"} == 0', "up of what it watches is not on record"),
        ("topk(1, up) > 0", "topk"),
        ("histogram_quantile(0.9, up) > 0", "histogram_quantile"),
        ("sum(up) / on(job) sum(up) > 1", "matching by labels"),
        ("sum(up) > bool 1", "matching by labels"),
        ("((", "not PromQL"),
    ],
)
def test_what_cannot_be_computed_is_named(rule: str, why: str) -> None:
    with pytest.raises(NotOnRecordError, match=why):
        holds(seen(strategic=[1, 1]), rule)


@pytest.mark.parametrize("quantity", [READY, "replicas_planned"])
def test_pods_that_the_topology_plans_and_nobody_sampled_are_no_pods_that_are_gone(quantity: str) -> None:
    run = Run()
    run.samples.pop((f"{WEST}/strategic", quantity))
    with pytest.raises(NotSampledError, match="up of us-west-2/strategic is not on record"):
        holds(run.observations(), f"absent({UP})")
    holds(run.observations(), 'absent(up{job="risk-service"})')


def test_a_service_whose_answers_nobody_counted_is_missed_where_there_is_load() -> None:
    run = Run().loaded("risk", 0, 720, lambda s: None)
    with pytest.raises(NotSampledError, match="us-east-1/risk and us-west-2/risk"):
        holds(run.observations(), ERRORS)
    run.head["scenario"]["workload"]["rate_per_s"] = 0
    holds(run.observations(), ERRORS)


def test_series_of_a_rule() -> None:
    assert metrics(f"sum(rate(a[5m])) / sum(b) > 1 or absent({UP})") == {"a", "b", "up"}


def test_gaps_of_what_a_rule_watches() -> None:
    run = Run()
    for place in (f"{EAST}/strategic", f"{EAST}/risk"):
        run.resampled(place, READY, lambda t, v: (t[(t < us(60)) | (t >= us(90))], v[(t < us(60)) | (t >= us(90))]))
    observed = run.observations()
    assert unseen(observed, f"sum({UP}) == 0") == [(us(59), us(90))]
    assert unseen(observed, 'sum(up{job="tactical-service"}) == 0') == []


def test_what_was_sampled_only_after_the_run_ended_was_not_sampled() -> None:
    """A run that is stopped within its first second has such samples, of every station."""
    record = replace(failing(3).observations(), duration_us=0)
    assert unseen(record, ERRORS) == []
    assert integrity.subjects(record, READY) == []


def test_a_share_that_creeps_over_its_threshold_is_seen_later_by_scrapes() -> None:
    """By up to a scrape, which depends on when it scrapes."""
    observed = failing(3).observations()
    [(ideal, _)] = stretches(holds(observed, ERRORS))
    begun = [stretches(s)[0][0] for s in scraped(observed, ERRORS, us(15))]
    assert len(begun) == 6  # at three instants of a scrape, without the probes and with them
    assert all(ideal <= b <= ideal + 15 for b in begun)
    assert len(set(begun)) == 3


def test_scrapes_of_a_constant_rate_see_the_same() -> None:
    observed = failing(3).observations()
    rule = "sum(rate(http_requests_total[1m])) > 95"
    ideal = holds(observed, rule)
    for seen_ in scraped(observed, rule, us(15)):
        assert seen_[90:].all()
    assert ideal[90:].all()


def test_scrapes_make_no_difference_to_a_gauge() -> None:
    assert scraped(seen(strategic=[1, 0]), f"sum({UP}) == 0", us(15)) == []
