"""A rule looks back to before the run: what servers had counted then decides where it is on record, and only there."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from tests.record_load import Second
from tests.records import ANSWERED_PER_S, EAST, WEST, Run, us
from tests.unit.judging.test_alert_history import errors, pending
from tests.unit.judging.test_conditions import ERRORS
from tests.unit.validators.plants.alerts import erring, fires
from validators.conditions import scraped
from validators.judge import judge
from validators.model import Result

ALERT = "HighErrorRate"
SERVICES = ("strategic", "tactical", "risk")


def told(run: Run, share: float | None = None, from_s: float = -300) -> Run:
    """Have it on record what was counted before: nothing, or as much as in the run, with so many errors."""
    t = np.arange(-300, 16, 15)
    answered = np.maximum(0, np.minimum(t, 0) - from_s) * (ANSWERED_PER_S if share is not None else 0)
    for station in (f"{region}/{service}" for region in (EAST, WEST) for service in SERVICES):
        mine = answered * station.startswith(EAST)
        run.sample(station, "answered_ok", t * 1_000_000, np.floor(mine * (1 - (share or 0))))
        run.sample(station, "answered_5xx", t * 1_000_000, np.floor(mine * (share or 0)))
    return run


def groundless(run: Run) -> Run:
    """Have the alert fire a minute after the start, although nothing in the run is a reason."""
    return fires(pending(run, 60, 60), 185, 400, ALERT)


@pytest.mark.proves(
    "an alert in a run's first minutes is decided where the record holds what was counted before the run"
)
def test_nothing_was_counted_before_so_nothing_excuses_an_alert() -> None:
    assert errors(groundless(Run())).result is Result.INCONCLUSIVE
    assert errors(groundless(told(Run()))).result is Result.FAIL
    assert errors(groundless(told(Run(), 0.0))).result is Result.FAIL


@pytest.mark.proves("an alert that errors from before the run carry is neither spurious nor an answer to what happened")
def test_errors_before_the_run_carry_an_alert() -> None:
    run = fires(pending(told(Run(), 0.03, -200), 0.5, 0.5), 120, 400, ALERT)
    judged, found = judge(run.observations()), errors(run)
    assert (found.state, found.result) == ("not_exercised", None)
    assert "fired at 2:00 in us-west-2 for what servers had counted before the run" in found.reason
    assert judged.result is Result.PASS


def test_one_that_errors_of_before_carried_does_not_answer_for_those_of_the_run() -> None:
    run = erring(told(Run(end_s=1_200), 0.03, -200), 0.03, 600, 1_200)
    found = errors(fires(pending(run, 0.5, 0.5), 120, None, ALERT))
    assert found.result is Result.INCONCLUSIVE
    assert "for what servers had counted before the run" in found.reason


def together(run: Run, fired_s: float | None) -> Run:
    """Errors of the run that make the alert due at 3:17 together with those before it, which alone do not."""
    erring(run, 0.03, 20, 170)
    if fired_s is None:
        return run.mark(10, "alert_firing", "DiskFull", rules="intended", region=WEST)
    return fires(pending(run, 60, 60), fired_s, None, ALERT)


@pytest.mark.parametrize(("fired_s", "expected"), [(185, Result.PASS), (300, Result.FAIL), (None, Result.FAIL)])
def test_errors_of_before_and_of_the_run_count_together(fired_s: float | None, expected: Result) -> None:
    assert errors(together(told(Run(), 0.008), fired_s)).result is expected
    assert errors(together(Run(), fired_s)).result is Result.INCONCLUSIVE


@pytest.mark.proves(
    "one region whose Prometheus was silent, or whose counters began anew, leaves such an alert undecided"
)
@pytest.mark.parametrize("how", ["silent", "jumps back", "too short", "not to the start"])
def test_evidence_that_is_not_whole_decides_nothing(how: str) -> None:
    run = told(Run())
    for name in ("answered_ok", "answered_5xx"):
        what = f"{WEST}/risk", name
        t, v = run.samples.pop(what)
        kept = {"silent": t > us(1e6), "jumps back": t == t, "too short": t >= us(-290), "not to the start": t < 0}[how]
        run.sample(*what, t[kept], (v + 5 * (t < us(-100)) * (how == "jumps back"))[kept])
    found = errors(groundless(run))
    assert found.result is Result.INCONCLUSIVE
    assert "its rule looks back 5 min, to before the run, and what us-west-2/risk had counted then" in found.reason


def test_errors_that_the_first_scrape_found_may_be_of_before_or_of_the_run() -> None:
    run = told(Run())
    t = np.array([-300, 12]) * 1_000_000
    run.sample(f"{EAST}/risk", "answered_5xx", t, np.array([0, 90_000]))
    found = errors(fires(pending(run, 45, 45), 170, 400, ALERT))
    assert found.result is Result.INCONCLUSIVE
    assert "servers may have counted more than the orders of the run" in found.reason


@pytest.mark.proves("probes are answers too: an alert that they keep quiet is not called missed")
def test_probes_may_keep_a_share_below_its_threshold() -> None:
    run = told(Run())
    for name in (*SERVICES, "database"):
        run.loaded(name, 0, 720, lambda s: None)
    for name, failed in (("strategic", 1), ("tactical", 1), ("risk", 0)):
        empty = Second(0, EAST, name, 0, 0, 50 - failed, failed, 0, 50)
        run.load += [replace(empty, second=s) for s in range(720)]
    observed = run.observations()

    def tables(name: str) -> pa.Table:
        table = observed.tables(name)
        place = table.schema.get_field_index("region")
        answered = pa.array([EAST] * table.num_rows).dictionary_encode()
        return table.set_column(place, "region", answered) if name == "probes" else table

    seen = scraped(replace(observed, tables=tables), ERRORS, us(15))
    assert {bool(held[690:].any()) for held in seen} == {True, False}
