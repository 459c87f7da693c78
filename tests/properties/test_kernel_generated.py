"""Generated systems under generated commands: the kernel and the reference say the same."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.reference.check import check
from tests.properties.generated import generate


@pytest.mark.proves("kernel = SimPy reference, bit for bit, on generated systems under generated commands")
@settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_generated_systems(seed: int) -> None:
    case = generate(Random(seed))
    report = check(case.system, case.script, case.arrivals, until_ns=case.until_ns, feeding=case.feeding)
    assert report.differing == 0, report.first_difference
