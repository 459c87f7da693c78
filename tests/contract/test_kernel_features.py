"""The kernel equals the reference, bit for bit, over every pair of features; each changes the fate of some requests."""

from collections.abc import Callable

import pytest

from sim.reference.check import check
from tests.contract.features import EVIDENCE, FEATURES, PAIRS, arrivals_of, build, default_balancer, fates

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
