import time

import pytest

from experiments.testbed.system.timing import Watch, join_own


def test_own_times_of_hops_are_joined_and_those_of_one_name_summed() -> None:
    assert join_own("risk=20", "database=900,redis=5") == "risk=20,database=900,redis=5"
    assert join_own("risk=20,database=3", "database=900") == "risk=20,database=903"
    assert join_own("", "x,=3,risk=abc,risk=7") == "risk=7"


def test_waits_are_no_own_time() -> None:
    watch = Watch("risk", 1000)
    began_ns = time.perf_counter_ns() - 5_000_000_000  # as if it had waited 5 s
    watch.waited("database", began_ns)
    own = dict(part.split("=") for part in watch.own().split(","))
    assert int(own["database"]) >= 5_000_000
    assert int(own["risk"]) == 0


@pytest.mark.parametrize(("asked", "most_s"), [("200", 0.2), ("5000", 1.0), (None, 1.0), ("soon", 1.0), ("-5", 1.0)])
def test_the_smaller_deadline_counts(asked: str | None, most_s: float) -> None:
    left_s = Watch("tactical", 1000, asked).left_s()
    assert most_s - 0.1 < left_s <= most_s


def test_the_next_hop_gets_whole_milliseconds_of_what_is_left() -> None:
    watch = Watch("tactical", 1000, "0")
    assert watch.left_s() == 0
    assert watch.left_header() == "0"
    assert int(Watch("tactical", 1000).left_header()) < 1000
