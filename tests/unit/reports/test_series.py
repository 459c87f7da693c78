import numpy as np
import pytest

from reports import series
from reports.model import Report
from scenarios.record import histogram
from scenarios.record.writer import MemoryRecorder
from tests.golden import sample


def empty(**head):
    return Report(sample.head(**head), sample.judgement(), MemoryRecorder())


def test_an_empty_record_has_nothing_to_draw():
    report = empty()
    assert series.load(report) is None
    assert series.bands(report) == []
    assert series.lags(report) == {}
    assert series.lost_writes(report) is None


def test_rates_are_means_over_their_bins():
    made = MemoryRecorder()
    seconds = np.arange(700, dtype=np.int32)
    made.append(
        "load",
        {
            "second": seconds,
            "region": ["client"] * 700,
            "service": ["edge"] * 700,
            "intended": np.full(700, 100),
            "sent": np.full(700, 100),
            "ok": np.where(seconds < 350, 100, 50),
            "failed": np.where(seconds < 350, 0, 50),
            "unknown": np.zeros(700, dtype=int),
        },
    )
    load = series.load(Report(sample.head(duration_us=700_000_000), sample.judgement(), made))
    assert load is not None
    assert load.step_s == 2
    assert load.ok[:175].tolist() == [100.0] * 175
    assert load.ok[175:].tolist() == [50.0] * 175
    assert load.availability[-1] == 0.5


def test_quantiles_are_those_of_the_merged_histograms():
    made = MemoryRecorder()
    values = [np.array([1_000_000, 2_000_000]), np.array([8_000_000, 9_000_000])]
    paths = [[{"bin": int(b), "count": int(c)} for b, c in histogram.of(v)] for v in values]
    made.append(
        "load",
        {
            "second": [0, 0],
            "region": ["client", "client"],
            "service": ["edge", "edge"],
            "intended": [2, 2],
            "sent": [2, 2],
            "ok": [2, 2],
            "failed": [0, 0],
            "unknown": [0, 0],
            "path": paths,
        },
    )
    load = series.load(Report(sample.head(duration_us=1_000_000), sample.judgement(), made))
    assert load is not None
    assert load.p50_ms[0] == pytest.approx(2.0, rel=0.004)
    assert load.p99_ms[0] == pytest.approx(9.0, rel=0.004)


def test_a_second_in_which_nothing_ended_is_unknown_not_bad():
    made = MemoryRecorder()
    made.append(
        "load",
        {
            "second": [0, 2],
            "region": ["client"] * 2,
            "service": ["edge"] * 2,
            "intended": [1, 1],
            "sent": [1, 1],
            "ok": [1, 0],
            "failed": [0, 0],
            "unknown": [0, 0],
        },
    )
    load = series.load(Report(sample.head(duration_us=3_000_000), sample.judgement(), made))
    assert load is not None
    assert np.isnan(load.availability).tolist() == [False, True, True]
    assert np.isnan(load.p50_ms).all()


def test_what_ends_after_the_judged_interval_is_not_drawn():
    made = MemoryRecorder()
    rows = {"region": "client", "service": "edge", "intended": [5] * 12, "sent": [5] * 12, "failed": [0] * 12}
    made.append("load", {"second": list(range(12)), "ok": [5] * 10 + [1, 1], "unknown": [0] * 12, **rows})
    load = series.load(Report(sample.head(duration_us=10_000_000), sample.judgement(), made))
    assert load is not None
    assert load.ok.tolist() == [5.0] * 10


def test_bins_of_lost_writes_are_round_and_begin_at_the_fault():
    writes = series.lost_writes(sample.report())
    assert writes is not None
    widths = np.diff(writes.edges_s)
    assert np.allclose(widths, widths[0])
    assert f"{widths[0]:.0e}"[0] in "125"
    assert np.isclose((writes.edges_s - sample.FAULT_S) / widths[0] % 1 % 1, 0, atol=1e-6).all()


def test_stretches_of_a_service_abut_and_hold_the_outage():
    risk = next(b for b in series.bands(sample.report()) if b.service == "risk")
    assert [state for _, _, state in risk.stretches] == ["good", "bad", "part", "good"]
    assert all(a[1] == b[0] for a, b in zip(risk.stretches, risk.stretches[1:], strict=False))
    assert risk.bad_s == 515.0


def test_only_probes_through_dns_are_shown():
    made = MemoryRecorder()
    made.append("probes", {"intended_us": [0], "route": ["stale"], "service": ["risk"], "right": ["none"]})
    assert series.bands(Report(sample.head(), sample.judgement(), made)) == []


def test_lost_writes_are_those_acknowledged_and_not_read_back():
    writes = series.lost_writes(sample.report())
    assert writes is not None
    assert writes.total_lost == 18
    assert writes.lost.sum() == 18
    assert writes.last_lost_s == pytest.approx(299.952)


def test_a_key_read_back_in_no_copy_is_lost():
    made = MemoryRecorder()
    made.append(
        "writes_done",
        {
            "data_class": ["transactions"] * 2,
            "key": [1, 2],
            "done_us": [1_000_000, 2_000_000],
            "outcome": ["acked"] * 2,
        },
    )
    made.append(
        "readback",
        {
            "data_class": ["transactions"] * 2,
            "timeline": ["t"] * 2,
            "key": [1, 2],
            "copies": [1, 0],
            "position": [1, 2],
            "read_us": [9, 9],
        },
    )
    writes = series.lost_writes(Report(sample.head(surviving_timeline="t"), sample.judgement(), made))
    assert writes is not None
    assert writes.total_lost == 1


def test_services_stand_in_the_order_of_their_topology():
    services = {"risk": {}, "strategic": {}, "tactical": {}}
    found = [b.service for b in series.bands(sample.report(topology={"topology": "own", "services": services}))]
    assert found == ["risk", "strategic", "tactical", "database", "order", "page"]
