"""Own time by minutes against the same numbers sorted by hand."""

import numpy as np
import pyarrow as pa
import pytest

from scenarios.record import histogram
from scenarios.record.tables import TABLES
from scenarios.record.writer import batch
from tests.records import Run, us
from validators.measures.own_time import OwnTime
from validators.model import Observations
from validators.observe import observe
from validators.stretches import Stretch

SECONDS, EACH = 150, 200
STRETCH = Stretch("over the run", 0, SECONDS)


def recorded(values_ns: np.ndarray, lost: np.ndarray) -> Observations:
    """A record in which a service answers these, a row a second, and turns so many away."""
    counted = [histogram.of(v) for v in values_ns]
    own = [[{"bin": int(b), "count": int(c)} for b, c in h] for h in counted]
    n = len(values_ns)
    answered = np.full(n, EACH)
    columns = {
        "second": np.arange(n, dtype=np.int32), "region": "us-east-1", "service": "risk", "ok": answered,
        "failed": lost, "attempts": answered + lost, "own": pa.array(own, TABLES["load"].field("own").type),
    }  # fmt: skip
    table = pa.Table.from_batches([batch("load", columns)], schema=TABLES["load"])
    run = Run()
    head = {**run.head, "duration_us": us(n)}
    return observe(head, [], lambda name: table if name == "load" else TABLES[name].empty_table())


@pytest.fixture(scope="module")
def values_ns() -> np.ndarray:
    return np.random.default_rng(3).lognormal(np.log(2e6), 0.5, (SECONDS, EACH)).astype(np.int64)


def test_quantile_of_each_whole_minute(values_ns: np.ndarray) -> None:
    own = OwnTime(recorded(values_ns, np.zeros(SECONDS, dtype=np.int64)), "risk", 5.0)
    minutes = own.minutes([STRETCH], 0.95)
    assert [m.from_s for m in minutes] == [0, 60]
    for minute in minutes:
        exact = np.sort(values_ns[minute.from_s : minute.from_s + 60].ravel())[int(0.95 * 60 * EACH) - 1] / 1e6
        assert minute.value_ms == pytest.approx(exact, rel=0.004)
        assert minute.low_ms < minute.value_ms < minute.high_ms
        assert (minute.attempts, minute.answered) == (60 * EACH, 60 * EACH)


def test_what_is_turned_away_counts_as_slowest(values_ns: np.ndarray) -> None:
    lost = np.full(SECONDS, 8)  # 8 of 208: 3.8 %
    own = OwnTime(recorded(values_ns, lost), "risk", 5.0)
    [first, _] = own.minutes([STRETCH], 0.95)
    rank = int(np.ceil(0.95 * 60 * (EACH + 8))) - 1
    assert first.value_ms == pytest.approx(np.sort(values_ns[:60].ravel())[rank] / 1e6, rel=0.004)
    assert first.lost == pytest.approx(8 / 208)


def test_no_quantile_where_too_much_is_turned_away(values_ns: np.ndarray) -> None:
    lost = np.where(np.arange(SECONDS) < 60, 20, 0)  # 20 of 220: 9 %
    own = OwnTime(recorded(values_ns, lost), "risk", 5.0)
    [first, second] = own.minutes([STRETCH], 0.95)
    assert first.value_ms is None
    assert first.low_ms > 5.0
    assert second.value_ms is not None


def test_the_interval_widens_with_the_batches_and_the_number_of_minutes(values_ns: np.ndarray) -> None:
    none = np.zeros(SECONDS, dtype=np.int64)
    uneven = values_ns * np.where(np.arange(SECONDS) // 10 % 2 == 0, 1, 2)[:, None]
    steady, swinging = (OwnTime(recorded(v, none), "risk", 5.0).minutes([STRETCH], 0.95) for v in (values_ns, uneven))
    wide = [(s.high_ms - s.low_ms) / (s.value_ms or 1) for s in (steady[0], swinging[0])]
    assert wide[1] > 5 * wide[0]
    alone = OwnTime(recorded(values_ns, none), "risk", 5.0).minutes([Stretch("", 0, 60)], 0.95)
    assert alone[0].high_ms - alone[0].low_ms < steady[0].high_ms - steady[0].low_ms


def test_answers_without_their_own_time_are_named(values_ns: np.ndarray) -> None:
    observed = recorded(values_ns[:, : EACH // 2], np.zeros(SECONDS, dtype=np.int64))
    assert OwnTime(observed, "risk", 5.0).unrecorded([STRETCH]) == (
        "risk told its own time of 15,000 of 30,000 answers over the run",
    )
