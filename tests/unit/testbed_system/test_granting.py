import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.testbed.system.granting import Grants, Lease, Refused

LENGTH_US = 10_000_000
EAST, WEST = "us-east-1", "us-west-2"


def granted(expires_us: int = 0) -> Grants:
    return Grants(Lease(EAST, False, expires_us), LENGTH_US)


def test_a_fenced_region_is_renewed_no_more_and_its_lease_runs_out() -> None:
    grants = granted()
    assert grants.renew(EAST, 1_000_000) == 11_000_000
    assert grants.fence(EAST, 2_000_000) == 11_000_000
    with pytest.raises(Refused, match="fenced"):
        grants.renew(EAST, 3_000_000)
    with pytest.raises(Refused, match=r"another 0\.5 s"):
        grants.grant(WEST, 10_500_000)
    grants.grant(WEST, 11_000_000)
    assert grants.renew(WEST, 11_000_000) == 21_000_000
    with pytest.raises(Refused, match="us-west-2 holds"):
        grants.renew(EAST, 99_000_000)


def test_a_region_that_holds_nothing_is_fenced_at_once() -> None:
    assert granted(50_000_000).fence(WEST, 7) == 7


def test_a_holder_may_be_granted_again() -> None:
    grants = granted()
    grants.renew(EAST, 0)
    grants.fence(EAST, 0)
    grants.grant(EAST, 1)
    assert grants.renew(EAST, 1) == LENGTH_US + 1


@pytest.mark.proves("the witness never lets two regions write at the same time")
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["renew", "fence", "grant"]), st.sampled_from([EAST, WEST]), st.integers(0, LENGTH_US)
        )
    )
)
def test_no_two_regions_may_ever_write_at_the_same_instant(moves: list[tuple[str, str, int]]) -> None:
    grants, now_us = granted(), 0
    until = {EAST: 0, WEST: 0}
    for verb, region, wait_us in moves:
        now_us += wait_us
        try:
            told_us = getattr(grants, verb)(region, now_us)
        except Refused:
            continue
        if verb == "renew":
            other = WEST if region == EAST else EAST
            assert until[other] <= now_us
            until[region] = told_us
        if verb == "fence":
            assert told_us >= until[region]
