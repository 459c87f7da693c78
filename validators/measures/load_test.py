"""Load tests: the rate that the test names, completed in every whole minute of its length.

A run is such a test when its workload is: a steady rate that is high enough, for a fixed time that is long enough, with
nothing broken. Source: the runbook, Performance Testing; DESIGN, What is measured, exactly (throughput).
"""

from collections.abc import Mapping
from typing import Any

from validators.marks import planned
from validators.measures import throughput
from validators.model import Measurement, Observations
from validators.stretches import SECOND_US, WINDOW_S, Stretch, stretches
from validators.words import quantity, seconds


def why_not(observations: Observations, objective: Mapping[str, Any]) -> str | None:
    """Return why the workload is not this test, in words; None when it is."""
    workload = observations.scenario["workload"]
    rate, duration = float(workload["rate_per_s"]), workload["duration"]
    if workload["profile"] != "steady" or isinstance(duration, str) or planned(observations):
        return "the workload is not a load test: a steady rate for a fixed time, and nothing breaks"
    if rate < float(objective["limit_per_s"]):
        return (
            f"{quantity(rate, '1/s')} are offered, the test asks for {quantity(float(objective['limit_per_s']), '1/s')}"
        )
    if duration < int(objective["lasts_us"]):
        return f"the load lasts {seconds(duration / 1e6)}, the test {seconds(int(objective['lasts_us']) / 1e6)}"
    return None


def measure(observations: Observations, objective: Mapping[str, Any]) -> list[Measurement]:
    """Completed requests a second in the least minute of the test."""
    found = stretches(observations).judged
    lasts_s = int(objective["lasts_us"]) // SECOND_US
    if not found:
        return throughput.over(observations, objective, (), "there is no whole minute with load")
    test = Stretch("of the test", found[0].from_s, min(found[0].to_s, found[0].from_s + lasts_s))
    short = test.to_s - test.from_s < lasts_s - WINDOW_S // 2
    missing = f"the load stopped after {seconds(test.to_s - test.from_s)} of {seconds(lasts_s)}" if short else ""
    return throughput.over(observations, objective, (test,), missing)
