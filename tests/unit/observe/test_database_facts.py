"""From what databases say of themselves to facts."""

from dataclasses import replace

import pytest

from experiments.observe.database import State
from experiments.observe.database_facts import DatabaseFacts

EAST, WEST = "us-east-1", "us-west-2"
NOW = 1_000_000_000
PRIMARY = State(False, 1, 5_000, None, 1, NOW + 10_000_000)
STANDBY = State(True, 1, 4_000, NOW - 400_000, 0, NOW + 10_000_000)


def _facts() -> DatabaseFacts:
    facts = DatabaseFacts(EAST, (EAST, WEST))
    assert facts.seen(EAST, PRIMARY, NOW) == []
    assert facts.seen(WEST, STANDBY, NOW) == []
    return facts


def test_one_look_without_an_answer_is_no_failure() -> None:
    facts = _facts()
    assert facts.seen(EAST, None, NOW) == []
    assert facts.state(EAST) is None
    assert facts.seen(EAST, PRIMARY, NOW) == []
    assert facts.seen(EAST, None, NOW) == []
    assert [(f.kind, f.subject) for f in facts.seen(EAST, None, NOW)] == [("database_failed", f"{EAST}/database")]
    assert facts.seen(EAST, None, NOW) == []
    back = facts.seen(EAST, PRIMARY, NOW)
    assert [(f.kind, f.detail) for f in back] == [("database_available", {"timeline": f"{EAST}/1"})]


def test_a_database_that_leaves_recovery_was_promoted_where_it_had_replayed_to() -> None:
    facts = _facts()
    promoted = replace(PRIMARY, timeline=2, position=4_300)
    found = facts.seen(WEST, promoted, NOW)
    assert [(f.kind, f.subject, f.detail) for f in found] == [
        ("promoted", f"{WEST}/database", {"timeline": f"{WEST}/2", "position": 4_000})
    ]
    assert facts.seen(WEST, promoted, NOW) == []
    assert facts.primary() == WEST


@pytest.mark.parametrize("timeline", [1, 2, 3])
def test_in_a_split_the_primary_is_the_one_that_commits(timeline: int) -> None:
    """The other's lease has run out; its timeline may be numbered alike, or later."""
    facts = DatabaseFacts(EAST, (EAST, WEST))
    facts.seen(EAST, replace(PRIMARY, timeline=timeline, lease_until_us=NOW - 1), NOW)
    facts.seen(WEST, replace(PRIMARY, timeline=2), NOW)
    assert facts.primary() == WEST
    facts.seen(WEST, replace(PRIMARY, timeline=2, lease_until_us=NOW - 1), NOW)
    facts.seen(EAST, replace(PRIMARY, timeline=timeline), NOW)
    assert facts.primary() == EAST


def test_a_promotion_that_nobody_saw_happen_is_seen_at_the_first_look() -> None:
    facts = DatabaseFacts(EAST, (EAST, WEST))
    assert [f.kind for f in facts.seen(WEST, replace(PRIMARY, timeline=2), NOW)] == ["promoted"]


@pytest.mark.proves("an old primary counts as fenced only when its lease has run out")
def test_a_primary_without_a_lease_is_fenced_once_until_it_has_one_again() -> None:
    facts = _facts()
    ended = replace(PRIMARY, lease_until_us=NOW + 5)
    assert facts.seen(EAST, ended, NOW) == []
    fenced = facts.seen(EAST, ended, NOW + 5)
    assert [(f.kind, f.detail, f.source_epoch_us) for f in fenced] == [("fenced", {"by": "lease"}, NOW + 5)]
    assert facts.seen(EAST, ended, NOW + 6) == []
    assert facts.seen(EAST, PRIMARY, NOW + 7) == []
    assert [f.kind for f in facts.seen(EAST, ended, NOW + 8)] == ["fenced"]


def test_a_new_primary_that_waits_for_its_first_lease_is_not_fenced() -> None:
    facts = _facts()
    # the lease that it has replayed is the old primary's, and over
    waiting = replace(PRIMARY, timeline=2, lease_until_us=NOW - 5)
    assert [f.kind for f in facts.seen(WEST, waiting, NOW)] == ["promoted"]
    assert facts.seen(WEST, waiting, NOW + 1) == []
    assert facts.seen(WEST, replace(waiting, lease_until_us=NOW + 10), NOW + 2) == []
    assert [f.kind for f in facts.seen(WEST, replace(waiting, lease_until_us=NOW + 10), NOW + 10)] == ["fenced"]


def test_a_database_that_is_dead_is_fenced_when_the_witness_says_that_its_lease_is_over() -> None:
    facts = _facts()
    assert facts.lease_over(EAST, NOW + 10, NOW + 9) == []
    assert [f.subject for f in facts.lease_over(EAST, NOW + 10, NOW + 10)] == [f"{EAST}/database"]
    assert facts.lease_over(EAST, NOW + 10, NOW + 11) == []
    # it comes back with the lease that it had: that is no news
    assert facts.seen(EAST, replace(PRIMARY, lease_until_us=NOW + 10), NOW + 12) == []


def test_an_old_primary_that_was_made_a_standby_is_fenced_once() -> None:
    """The witness tells the end of its old lease at each look."""
    facts = _facts()
    facts.seen(EAST, PRIMARY, NOW)
    told: list[str] = []
    for later in range(1, 5):
        told += [f.kind for f in facts.seen(EAST, replace(STANDBY, lease_until_us=NOW), NOW + later)]
        told += [f.kind for f in facts.lease_over(EAST, NOW, NOW + later)]
    assert told == ["fenced"]


def test_a_standby_streams_again() -> None:
    facts = _facts()
    assert facts.seen(EAST, replace(PRIMARY, streaming_standbys=0), NOW) == []
    found = facts.seen(EAST, PRIMARY, NOW)
    assert [(f.kind, f.subject) for f in found] == [
        ("standby_streaming", f"{WEST}/database"),
        ("redundancy_restored", f"{WEST}/database"),
    ]


def test_true_lag_is_the_age_of_the_newest_position_that_the_replica_holds() -> None:
    facts = _facts()
    assert facts.lag_s(EAST, NOW) is None
    assert facts.lag_s(WEST, NOW) == 0.4  # by the last commit that it replayed
    for i in range(1, 9):
        facts.seen(EAST, replace(PRIMARY, position=5_000 + i), NOW + i * 250_000)
    assert facts.lag_s(WEST, NOW + 2_000_000) == 2.4
    facts.seen(WEST, replace(STANDBY, position=5_004), NOW + 2_000_000)
    assert facts.lag_s(WEST, NOW + 2_000_000) == 1.0  # it holds what the primary had a second ago
    facts.seen(WEST, replace(STANDBY, position=5_008), NOW + 2_000_000)
    assert facts.lag_s(WEST, NOW + 2_000_000) == 0.0


def test_a_replica_that_has_everything_is_not_behind_though_nothing_is_written() -> None:
    facts = _facts()
    for i in range(100):
        facts.seen(EAST, replace(PRIMARY, position=4_000), NOW + i * 250_000)
    facts.seen(WEST, STANDBY, NOW + 25_000_000)
    assert facts.lag_s(WEST, NOW + 24_750_000) == 0.0
