"""The kernel equals the reference, bit for bit, over every pair of features; each changes the fate of some requests."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sim.data.commands import Command, Patience, Status
from sim.data.event_plane import EventPlane
from sim.reference.check import check, play
from tests.contract.features import EVIDENCE, FEATURES, PAIRS, arrivals_of, build, default_balancer, fates
from tests.properties.systems import MS, S, SystemBuilder, Timed, poisson_arrivals

REQUESTS = 5_200  # in each pair: more than 400,000 in all


@pytest.mark.proves(
    "kernel = SimPy reference, bit for bit, over 400,000 requests and every pair of: sync call, queue timeout, client "
    "timeout, retry, budget, breaker, each balancer, slowdown, pod lost with work, database failover"
)
def test_every_pair_of_features(record_property: Callable[[str, object], None]) -> None:
    requests = 0
    ends = dict.fromkeys(FEATURES, 0)
    times = dict.fromkeys(FEATURES, 0)
    for number, pair in enumerate(PAIRS):
        arrivals = arrivals_of(REQUESTS, number)
        until_ns = int(arrivals[-1]) + 1_000_000_000
        on = frozenset(pair)
        default = default_balancer(on)
        played = build(on, int(arrivals[-1]), number, default)
        report = check(played.system, played.script, arrivals, until_ns=until_ns)
        assert report.differing == 0, f"{pair}: {report.first_difference}"
        requests += report.requests
        with_both = fates(played, arrivals, until_ns)
        for feature in pair:
            for evidence in EVIDENCE[feature]:
                assert report.features.get(evidence, 0) > 0, f"{pair}: never seen: {evidence}"
            without = fates(build(on - {feature}, int(arrivals[-1]), number, default), arrivals, until_ns)
            other_end = int((with_both[:, :2] != without[:, :2]).any(axis=1).sum())
            other_time = int((with_both[:, 2] != without[:, 2]).sum())
            assert other_end + other_time > 0, f"{pair}: {feature} changed no request's fate"
            ends[feature] += other_end
            times[feature] += other_time
    assert requests >= 400_000
    for feature in FEATURES:
        assert ends[feature] > 0, f"{feature} changed no request's end"
    lines = [f"kernel = reference: {requests:,} requests over {len(PAIRS)} pairs of features, 0 differing"]
    lines += [f"  {f:18} changed how {ends[f]:7,} requests ended, when {times[f]:7,} did" for f in FEATURES]
    record_property("summary", "\n".join(lines))


@pytest.mark.proves(
    "patience that is drawn: kernel = SimPy reference, bit for bit, and who waits gives up in any order"
)
@pytest.mark.parametrize("kind", [Patience.EXPONENTIAL, Patience.LOGNORMAL])
def test_drawn_patience(kind: Patience) -> None:
    """Also of retries, of probes, at two stations, and when pods are lost with jobs that wait."""
    builder = SystemBuilder(clients=5)
    station = {"slots": 2, "queue_capacity": 50, "patience_kind": kind, "patience_sigma": 1.0}
    entry = builder.station("entry", replicas=3, work_scale=0.3 * MS, queue_patience=1 * MS, **station)
    inner = builder.station("inner", replicas=2, work_scale=0.5 * MS, queue_patience=2 * MS, **station)
    builder.edge(entry, inner)
    builder.client_edge(max_retries=2, backoff_base=2 * MS, edge_timeout=20 * MS)
    builder.probe(spacing=5 * MS, timeout=10 * MS, end=900 * MS)
    system = builder.build()
    arrivals = poisson_arrivals(4_000, 4_000)
    script = [Timed(t * 100 * MS, Command.LOSE, t % 3, 1) for t in range(1, 10)]
    report = check(system, script, arrivals, until_ns=2 * S)
    assert report.differing == 0, report.first_difference
    for evidence in ("call ended QUEUE_TIMEOUT", "retry", "lost queued"):
        assert report.features[evidence] > 0
    facts = play(EventPlane(replace(system, max_retries=0 * system.max_retries)), script, arrivals, 2 * S)
    gave_up = facts.columns["finished_status"] == Status.QUEUE_TIMEOUT
    assert gave_up.sum() > 100
    assert (np.diff(facts.columns["finished_index"][gave_up]) < 0).any()
