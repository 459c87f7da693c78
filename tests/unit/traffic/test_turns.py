"""Turns do not move when an answer is late: they are sent late or not at all, and that is known."""

from experiments.traffic.turns import HeldUp, Turns

SECOND_US = 1_000_000


def test_turns_come_at_their_pace_whatever_became_of_the_answer() -> None:
    turns = Turns(250_000, SECOND_US)
    assert turns.wait_us(0) == 250_000
    assert turns.take(251_000) == (250_000, [])
    turns.ended(1_700_000)
    assert turns.wait_us(1_700_000) == 0
    assert turns.take(1_700_000) == (1_250_000, [1_250_000])
    turns.ended(1_701_000)
    assert turns.wait_us(1_701_000) == 549_000
    assert list(turns.due(3_000_000)) == [250_000, 1_250_000, 2_250_000]
    assert list(turns.due(3_000_000)) == []


def test_a_turn_that_is_two_seconds_late_is_not_sent() -> None:
    turns = Turns(0, SECOND_US)
    turns.take(0)
    turns.ended(5_500_000)
    taken, held = turns.take(5_500_000)
    assert taken == 4 * SECOND_US
    assert held == [1 * SECOND_US, 2 * SECOND_US, 3 * SECOND_US, 4 * SECOND_US]


def test_a_turn_that_is_late_because_of_the_machine_is_not_held_up() -> None:
    turns = Turns(0, SECOND_US)
    assert turns.take(900_000) == (0, [])


def test_what_a_waiting_user_has_not_sent_at_the_end_was_held_up() -> None:
    turns = Turns(0, SECOND_US)
    turns.take(0)
    assert list(turns.due(2_500_000)) == [0, SECOND_US, 2 * SECOND_US]
    turns.ended(3_200_000)
    assert list(turns.unsent()) == [SECOND_US, 2 * SECOND_US]
    idle = Turns(0, SECOND_US)
    assert list(idle.due(2_500_000)) == [0, SECOND_US, 2 * SECOND_US]
    assert list(idle.unsent()) == []


def test_a_minute_in_which_more_than_one_turn_of_a_hundred_was_held_up_was_not_offered() -> None:
    held_up = HeldUp(0, 10 * SECOND_US)
    for i in range(6_000):  # 50 a second for two minutes
        held_up.due(i * 20_000)
    for i in range(31):
        held_up.held(20 * SECOND_US + i * 100_000)
    for i in range(30):
        held_up.held(80 * SECOND_US + i * 100_000)
    assert list(held_up.stretches(69 * SECOND_US)) == []  # not known yet
    assert list(held_up.stretches(70 * SECOND_US)) == [(20 * SECOND_US, 23 * SECOND_US + 1)]
    assert list(held_up.stretches(200 * SECOND_US, last=True)) == []


def test_the_last_minute_counts_although_it_is_not_whole() -> None:
    held_up = HeldUp(0, 10 * SECOND_US)
    held_up.due(0)
    held_up.held(500_000)
    assert list(held_up.stretches(SECOND_US, last=True)) == [(500_000, 500_001)]
