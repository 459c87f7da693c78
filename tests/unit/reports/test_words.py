import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import words


def test_the_examples_hold():
    assert doctest.testmod(words).failed == 0


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (3599.6, "1 h"),
        (86_400, "24 h"),
        (float("inf"), "never"),
        (-65, "−1 min 5 s"),
        (0.9996, "1 s"),
    ],
)
def test_a_duration_turns_over_where_a_clock_does(seconds, expected):
    assert words.duration(seconds) == expected


@given(st.floats(0, 1e7))
def test_a_duration_never_says_sixty(seconds):
    assert "60 s" not in words.duration(seconds)
    assert "60 min" not in words.duration(seconds)
    assert ":60" not in words.clock(seconds)


@given(st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_a_share_is_not_rounded_to_all_or_nothing(value):
    text = words.share(value)
    if 1e-5 < value < 1 - 1e-5:
        assert text not in ("0 %", "100 %")


@given(st.text())
def test_plain_text_holds_nothing_a_terminal_or_xml_acts_on(text):
    left = words.plain(text)
    assert not any(ord(c) < 32 and c not in "\t\n" for c in left)
    assert "\x1b" not in left
    assert "\x9b" not in left
    assert "\u202e" not in left
    left.encode("utf-8")


def test_ascii_keeps_every_symbol_readable():
    text = words.ascii_only("✓ ≤ 5 min, 3 – 4 ±, − 1 µs, ░▒█▓")
    assert text == "+ <= 5 min, 3 - 4 +/-, - 1 us, .=#%"
