"""A game day ends when it has settled, and not before."""

from dataclasses import replace

import pytest

from experiments.run.settling import Settling
from scenarios.files.load import load

SECOND = 1_000_000
SERVICES = ("strategic", "tactical", "risk", "database", "order", "page")


@pytest.fixture(scope="module")
def resolved():
    found = load("region-loss-automatic", overrides={"dns.ttl": "5 s"})
    entry = found.scenario.timeline[0].model_copy(update={"at_us": 60 * SECOND})
    return replace(found, scenario=found.scenario.model_copy(update={"timeline": (entry,)}))


def probe(settling: Settling, at_s: float, right: str = "yes", service: str | None = None, route: str = "dns") -> None:
    names = [service] if service else list(SERVICES)
    settling.probes(
        {
            "service": names,
            "route": [route] * len(names),
            "intended_us": [int(at_s * SECOND)] * len(names),
            "right": [right] * len(names),
        }
    )


def failed_over(settling: Settling) -> None:
    settling.mark(60 * SECOND, "injection_begun", "region-loss:0")
    for at_s in range(61, 70):
        probe(settling, at_s, "no")
    settling.mark(65 * SECOND, "procedure_started", "automatic-failover")
    settling.mark(90 * SECOND, "procedure_finished", "automatic-failover")


def test_it_waits_for_the_fault(resolved) -> None:
    settling = Settling(resolved)
    probe(settling, 50)
    assert settling.waiting_for == "region-loss to begin"
    assert not settling.has_settled(1_000 * SECOND)


def test_it_waits_for_the_procedure_that_answers(resolved) -> None:
    settling = Settling(resolved)
    settling.mark(60 * SECOND, "injection_begun", "region-loss:0")
    probe(settling, 61, "no")
    assert settling.waiting_for == "automatic-failover to act"
    settling.mark(65 * SECOND, "procedure_started", "automatic-failover")
    assert settling.waiting_for == "automatic-failover to finish"


def test_it_settles_a_sustain_and_a_throughput_window_after_the_last_bad_instant(resolved) -> None:
    settling = Settling(resolved)
    failed_over(settling)
    probe(settling, 100, "no", "risk")
    probe(settling, 100.05, "no", "risk")
    probe(settling, 100.1, "no", "risk")
    probe(settling, 219)
    assert settling.settled_us() == pytest.approx((100 + 120) * SECOND, abs=SECOND)
    assert not settling.has_settled(219 * SECOND)
    assert settling.has_settled(221 * SECOND)


def test_a_step_that_ends_later_delays_it(resolved) -> None:
    settling = Settling(resolved)
    failed_over(settling)
    probe(settling, 300)
    settling.mark(290 * SECOND, "step_finished", "automatic-failover")
    assert settling.settled_us() == (290 + 120) * SECOND


def test_wrong_answers_to_stale_and_direct_probes_do_not_delay_it(resolved) -> None:
    settling = Settling(resolved)
    failed_over(settling)
    probe(settling, 200)
    before = settling.settled_us()
    for route in ("stale", "direct"):
        probe(settling, 199, "no", route=route)
    assert settling.settled_us() == before


def test_a_service_that_nobody_probes_any_more_keeps_it_from_settling(resolved) -> None:
    settling = Settling(resolved)
    failed_over(settling)
    probe(settling, 100)
    assert not settling.has_settled(400 * SECOND), "no data is not quiet"
