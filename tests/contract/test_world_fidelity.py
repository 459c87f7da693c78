"""Fidelity control against fidelity request, on the same draws: what users saw, and when it was over.

The bounds are what a study may lean on when it plays most trials at fidelity control.
"""

import numpy as np
import pytest

from tests.worlds import SERVICES, Played, played

TRIALS = range(4)
# Scenario, and the states of the system that it goes through.
STATES = {
    "busy": "healthy",
    "region-lost": "lost",
    "region-checked": "failed over by DNS, a database that only reads",
    "strategic-crashes": "crash loop",
    "one-risk-pod-killed": "a pod that refuses, then one less",
    "slow-risk": "overloaded for a while",
    "too-much": "overloaded for good: breakers open and close",
    "risk-hangs": "a pod that hangs",
}
ALL_OR_NOTHING = ("busy", "region-lost", "region-checked", "strategic-crashes", "one-risk-pod-killed")


def both(name: str, trial: int) -> tuple[Played, Played]:
    return played(name, "control", trial), played(name, "request", trial)


@pytest.mark.proves(
    "Where all probes of a service succeed or none, each ends at fidelity control as at fidelity request"
)
@pytest.mark.parametrize("trial", TRIALS)
@pytest.mark.parametrize("name", ALL_OR_NOTHING)
def test_every_probe_ends_the_same(name: str, trial: int) -> None:
    control, request = both(name, trial)
    for service in SERVICES:
        for route in ("dns", "stale", "direct"):
            a, b = control.wrong_s(service, route), request.wrong_s(service, route)
            differing = len(np.setxor1d(a, b))
            assert differing <= 2 + 0.001 * max(len(a), len(b)), (service, route)


@pytest.mark.proves(
    "19 of 20 recovery times of fidelity control and of fidelity request differ by at most 6 s; an outage that only one"
    " of them sees has less than 20 wrong probes"
)
@pytest.mark.parametrize("name", [name for name in STATES if name not in ("busy", "risk-hangs")])
def test_outages_end_at_the_same_time(name: str) -> None:
    """Last bad probe of each service."""
    differences = []
    for trial in TRIALS:
        control, request = both(name, trial)
        for service in SERVICES:
            a, b = control.bad_s(service), request.bad_s(service)
            if len(a) and len(b):
                differences.append(abs(a[-1] - b[-1]))
            elif len(a) or len(b):
                assert max(len(a), len(b)) < 20, service
    assert np.quantile(differences, 0.95) <= 6.0


@pytest.mark.parametrize("trial", TRIALS)
@pytest.mark.parametrize("name", STATES)
def test_both_see_the_same_happen(name: str, trial: int) -> None:
    """Control and request differ in what requests do, and not in what happens to the system."""
    marks = [
        [(m.t_us, m.kind, m.subject) for m in found.marks if m.kind not in LOOKED_AT] for found in both(name, trial)
    ]
    assert marks[0] == marks[1]


def test_as_many_probes_hang_at_one_of_two_pods() -> None:
    """One a timeout or little more, of all routes together; whose it is depends on how the probers tick in step."""
    totals = {"control": 0, "request": 0}
    for trial in range(6):
        for fidelity in totals:
            found = played("risk-hangs", fidelity, trial)
            totals[fidelity] += sum(len(found.wrong_s("risk", route)) for route in ("dns", "stale", "direct"))
    assert totals["control"] == pytest.approx(totals["request"], rel=0.35)


# What one learns by probes, to which an answer takes a fixed 6 ms at fidelity control.
LOOKED_AT = ("effect_seen", "automation_detected", "health_check_failed", "health_check_passed", "dns_switched")


@pytest.mark.parametrize("name", ["busy", "region-lost", "strategic-crashes"])
def test_the_thinned_ledger_loses_what_the_whole_one_loses(name: str) -> None:
    """Share of the orders that were acknowledged, and share of those found after the run."""
    shares = []
    for found in both(name, 0):
        acked = (found.column("writes_done", "outcome") == "acked").mean()
        shares.append((acked, len(found.column("readback", "key")) / len(found.column("writes_sent", "key"))))
    assert shares[0] == pytest.approx(shares[1], abs=0.06)
