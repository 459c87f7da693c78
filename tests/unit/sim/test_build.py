"""From a topology to the arrays of the data plane: every constant comes from there, and draws go by name."""

from dataclasses import replace

import numpy as np
import pytest

from scenarios.files.load import load
from scenarios.files.resolved import Resolved
from sim.build import names, system
from sim.data.commands import Balancer, Patience
from tests.worlds import SMALL, scenario

S = 1_000_000_000


def edges(**overrides: object) -> dict[str, list[float]]:
    """Fields of the edges of the home region, by name."""
    built, _ = system(scenario("busy", **overrides), 1, 0)
    fields = ("edge_sync", "edge_balancer", "edge_timeout", "max_retries", "budget_milli", "budget_burst", "pool_size",
              "pool_queue", "pool_patience", "breaker_window", "breaker_open", "backoff_base")  # fmt: skip
    return {name: getattr(built, name)[:4].tolist() for name in fields}


def test_edges_are_what_the_call_graph_says() -> None:
    found = edges()
    assert found["edge_sync"] == [True] * 4
    assert found["edge_balancer"] == [Balancer.LEAST_CONNECTIONS, *[Balancer.RANDOM] * 3]
    assert found["edge_timeout"] == [250_000_000] * 4
    assert found["max_retries"] == [3, 0, 0, 0]
    assert found["budget_milli"] == [100, -1, -1, -1]
    assert found["breaker_window"] == [20, 0, 0, 0]
    assert found["pool_size"] == [0, 0, 0, 4]
    assert found["backoff_base"][0] == 100_000_000


def test_saved_up_retries_and_the_queue_of_a_pool_are_declared() -> None:
    changed = {"calls.0.budget burst": 3, "calls.3.pool queue": 7, "calls.3.pool patience": "20 ms"}
    found = edges(**changed)
    assert found["budget_burst"][0] == 3
    assert (found["pool_queue"][3], found["pool_patience"][3]) == (7, 20_000_000)


def test_without_held_slots_inner_calls_are_async_and_have_no_pool_and_no_deadline() -> None:
    found = edges(switches__held_slots="off")
    assert found["edge_sync"] == [True, False, False, False]
    assert found["edge_timeout"] == [250_000_000, 0, 0, 0]
    assert found["pool_size"] == [0] * 4
    assert found["max_retries"][0] == 3


def test_without_balancing_every_call_goes_round_robin() -> None:
    assert edges(switches__balancing="off")["edge_balancer"] == [Balancer.ROUND_ROBIN] * 4


def test_the_mean_of_the_own_work_is_the_one_declared() -> None:
    built, known = system(scenario("busy"), 1, 0)
    risk = known.station["us-east-1", "risk"]
    mean_ns = built.work_scale[risk] * np.exp(built.work_sigma[risk] ** 2 / 2)
    assert mean_ns == pytest.approx(2_000_000)


def test_a_warm_region_has_its_pods_and_a_pilot_light_none() -> None:
    built, known = system(scenario("busy"), 1, 0)
    for region, ready in (("us-east-1", 2), ("us-west-2", 1)):
        places = list(known.replicas[known.station[region, "risk"]])
        assert built.initial_listed[places].sum() == ready
    cold, names_ = system(scenario("region-loss-automatic"), 1, 0)
    places = list(names_.replicas[names_.station["us-west-2", "risk"]])
    assert not cold.initial_listed[places].any()


# --- places


def with_timeline(*faults: str) -> Resolved:
    resolved = scenario("one-risk-pod-killed")
    (entry,) = resolved.scenario.timeline
    timeline = tuple(entry.model_copy(update={"fault": fault}) for fault in faults)
    return replace(resolved, scenario=resolved.scenario.model_copy(update={"timeline": timeline}))


@pytest.mark.parametrize(("faults", "places"), [((), 5), (("node-loss",), 5), (("node-loss",) * 3, 9)])
def test_pods_of_lost_nodes_keep_their_places(faults: tuple[str, ...], places: int) -> None:
    """Two plans of two pods and a surge of one, and a plan for each node after the first."""
    known = names(with_timeline(*faults))
    assert len(known.replicas[known.station["us-east-1", "risk"]]) == places


# --- probers


def test_probers_tick_and_ask_at_phases_of_their_own() -> None:
    built, known = system(scenario("region-loss-automatic"), 1, 0)
    other, _ = system(scenario("region-loss-automatic"), 1, 1)
    dns = [i for i, c in enumerate(known.classes) if c.route == "dns"]
    polls = [i for i, c in enumerate(known.classes) if c.route == "poll"]
    for field, most in (("probe_phase", built.probe_spacing), ("probe_expiry", np.full(len(dns) + 99, built.dns_ttl))):
        values = getattr(built, field)
        assert len(set(values[dns].tolist())) == len(dns)
        assert (values[dns] < most[dns]).all()
        assert (values[dns] != getattr(other, field)[dns]).all()
    assert built.probe_phase[polls].max() > S  # over the whole ten seconds between two polls


def test_the_automation_finds_a_loss_after_anything_between_two_and_three_polls() -> None:
    """Twenty seconds after the first poll that fails, which is due within ten, and a timeout."""
    waits = []
    for trial in range(200):
        built, known = system(scenario("region-loss-automatic"), 1, trial)
        polls = [i for i, c in enumerate(known.classes) if c.route == "poll"]
        phases = built.probe_phase[polls] / S
        waits.append(max((p - 300) % 10 for p in phases))
    assert min(waits) < 1.5
    assert max(waits) > 9.5
    assert np.mean(waits) == pytest.approx(20 / 3, abs=0.6)  # the later of two


@pytest.mark.parametrize(
    ("written", "kind", "size_ns", "sigma"),
    [
        ("20 ms", Patience.FIXED, 20_000_000, 0.0),
        ({"exponential": "30 ms"}, Patience.EXPONENTIAL, 30_000_000, 0.0),
        ({"lognormal": ["40 ms", 0.7]}, Patience.LOGNORMAL, 40_000_000, 0.7),
    ],
)
def test_patience_is_fixed_or_drawn(written: object, kind: Patience, size_ns: int, sigma: float) -> None:
    resolved = load(str(SMALL / "busy.yaml"), overrides={"services.risk.queue.patience": written})
    built, known = system(resolved, 1, 0)
    risk = [known.station[region, "risk"] for region in known.regions]
    others = [s for s in known.station.values() if s not in risk]
    assert (built.patience_kind[risk] == kind).all()
    assert (built.queue_patience[risk] == size_ns).all()
    assert (built.patience_sigma[risk] == sigma).all()
    assert (built.patience_kind[others] == Patience.FIXED).all()
    assert (built.patience_key[:, risk[0]] == built.patience_key[:, risk[1]]).all()
    assert not (built.patience_key == built.work_key).any()


def test_names_make_the_keys_and_numbers_do_not() -> None:
    """The keys of a class stay when others come before it."""
    plain, known = system(scenario("region-lost"), 1, 0)
    more, names_ = system(scenario("region-lost", dns__health_check_failover="true"), 1, 0)
    assert len(names_.classes) == len(known.classes) + 1
    for field in ("work_key", "pick_key", "backoff_key", "probe_phase"):
        for i, c in enumerate(known.classes):
            j = names_.class_number(c.name)
            assert np.array_equal(getattr(plain, field)[i], getattr(more, field)[j]), (field, c.name)


def test_a_key_is_the_same_in_every_region() -> None:
    built, known = system(scenario("busy"), 1, 0)
    a, b = (known.station[region, "risk"] for region in known.regions)
    assert (built.work_key[:, a] == built.work_key[:, b]).all()
    assert len(set(built.work_key[0].tolist())) == len(known.services)


def test_checkers_and_landed_probes_are_there_when_they_are_needed() -> None:
    assert {c.route for c in names(scenario("busy")).classes} == {"load", "dns", "stale", "direct"}
    (health,) = [c for c in names(scenario("region-checked")).classes if c.route == "health"]
    assert (health.service, health.region, health.spacing_ns) == ("strategic", "us-east-1", 10 * S // 16)
    looks = [c.name for c in names(with_timeline("partition", "partition")).classes if c.route == "look"]
    assert looks == ["order/look/us-east-1"]


def test_how_often_orders_are_probed_is_a_parameter() -> None:
    known = names(scenario("busy", client__order_probe_spacing="250 ms"))
    assert known.classes[known.class_number("order/dns")].spacing_ns == S // 4
