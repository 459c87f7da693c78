"""PromQL against values computed by hand from Prometheus's definitions (3.x: windows are open on the left)."""

import math

import pytest

from scenarios.model.promql import Rule, UnsupportedRuleError, Vector
from scenarios.model.scraped import Labels, Store

S = 1_000_000_000
MINUTE = 60 * S
HOUR = 60 * MINUTE


def labels(**values: str) -> Labels:
    return frozenset(values.items())


class Loaded:
    """A store loaded with samples at a fixed spacing from time 0 on, as `promtool`'s tests do; None: a stale marker."""

    def __init__(self, every_ns: int, keep_ns: int = 10 * HOUR) -> None:
        self.store = Store(keep_ns)
        self._every = every_ns

    def load(self, name: str, values: list[float | None], **of: str) -> "Loaded":
        series = self.store.series(name, labels(**of))
        for n, value in enumerate(values):
            if value is None:
                series.stale = True
            else:
                self.store.add(series, n * self._every, value)
        return self

    def ask(self, text: str, at_ns: int, lookback_ns: int = 5 * MINUTE) -> Vector:
        return Rule(text).evaluate(self.store, at_ns, lookback_ns)


def steps(first: float, step: float, count: int) -> list[float | None]:
    """`first+step x count`, count + 1 values."""
    return [first + step * n for n in range(count + 1)]


def only(vector: Vector) -> float:
    assert len(vector) == 1
    return next(iter(vector.values()))


# --- rate and increase


def test_increase_reaches_both_edges_when_samples_come_close_to_them() -> None:
    # ten samples in (0, 50 min], 10 to 100 in 45 min; the first is one step from the edge: 90 x 50/45
    assert only(Loaded(5 * MINUTE).load("x_total", steps(0, 10, 10)).ask("increase(x_total[50m])", 50 * MINUTE)) == 100
    assert only(
        Loaded(5 * MINUTE).load("x_total", steps(0, 80, 10)).ask("rate(x_total[50m])", 50 * MINUTE)
    ) == pytest.approx(800 / 3000)


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (0.0, 100.0),  # at zero already: nothing before it
        (10.0, 105.0),  # zero would be a step away: half a step is assumed
        (1.0, 101.0),  # zero is 30 s away: no farther than that
    ],
)
def test_increase_beyond_the_first_sample_is_half_a_step_and_never_below_zero(first: float, expected: float) -> None:
    loaded = Loaded(5 * MINUTE).load("x_total", steps(first, 10, 10))
    assert only(loaded.ask("increase(x_total[100m])", 50 * MINUTE)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("start_min", "expected"), [(0, 0.5), (1, 0.55), (2, 0.6), (3, 0.6), (5, 0.6)], ids=lambda v: str(v)
)
def test_rate_of_a_series_that_begins_within_the_range(start_min: int, expected: float) -> None:
    # a second counts 1, samples each 4 min; asked at 10 min over 20 min: samples at 0, 4, 8; the end is 2 min away
    loaded = Loaded(4 * MINUTE).load("x_total", steps(60.0 * start_min, 240, 10)[:3])
    assert only(loaded.ask("rate(x_total[20m])", 10 * MINUTE)) == pytest.approx(expected)


def test_rate_beyond_a_series_that_ended_is_half_a_step() -> None:
    # samples at 0, 1, 2 min with 60 each; asked at 6 min over 10 min: 120 x (2 + 0 before + 1/2 after) / 2
    loaded = Loaded(MINUTE).load("x_total", [0.0, 60.0, 120.0])
    assert only(loaded.ask("increase(x_total[10m])", 6 * MINUTE)) == pytest.approx(150)


def test_counter_resets_are_added_back() -> None:
    loaded = Loaded(5 * MINUTE).load("x_total", [*steps(0, 18, 5), *steps(0, 18, 4)])
    # (0, 50 min]: 18..90 is 72, then 0..72 is 72 more: 144 x 50/45
    assert only(loaded.ask("increase(x_total[50m])", 50 * MINUTE)) == pytest.approx(160)
    assert (
        only(Loaded(5 * MINUTE).load("y_total", [0, 1, 2, 3, 2, 3, 4]).ask("increase(y_total[1h])", 30 * MINUTE)) == 7
    )


def test_a_range_is_open_on_the_left_and_needs_two_samples() -> None:
    loaded = Loaded(5 * MINUTE).load("x_total", steps(0, 10, 10))
    assert loaded.ask("rate(x_total[5m])", 50 * MINUTE) == {}  # the sample at 45 min is just outside
    assert only(loaded.ask("rate(x_total[6m])", 50 * MINUTE)) > 0
    assert loaded.ask("rate(x_total[5m])", 70 * MINUTE) == {}


def test_old_samples_are_forgotten_without_a_trace_in_the_result() -> None:
    short, long = Loaded(15 * S, keep_ns=5 * MINUTE), Loaded(15 * S)
    for loaded in (short, long):
        loaded.load("x_total", steps(0, 7, 1_000))
    asked = 1_000 * 15 * S + 4 * S
    assert short.ask("rate(x_total[5m])", asked) == long.ask("rate(x_total[5m])", asked)
    assert len(short.store.series("x_total", labels()).t_ns) < 200


# --- instant vectors


def test_a_sample_counts_for_the_lookback_unless_its_series_went_stale() -> None:
    loaded = Loaded(MINUTE).load("up", [1.0, 0.0], pod="a").load("up", [1.0, None], pod="b")
    assert loaded.ask("up", MINUTE) == {labels(pod="a"): 0.0}
    assert loaded.ask("up", 6 * MINUTE - 1) == {labels(pod="a"): 0.0}
    assert loaded.ask("up", 6 * MINUTE) == {}
    assert only(loaded.load("up", [1.0, None], pod="c").ask("count(up)", MINUTE)) == 1


def test_a_stale_series_still_has_a_rate() -> None:
    assert only(Loaded(MINUTE).load("x_total", [0.0, 60.0, 120.0, None]).ask("rate(x_total[5m])", 3 * MINUTE)) > 0


def test_matchers_are_anchored_and_a_missing_label_is_empty() -> None:
    loaded = Loaded(MINUTE).load("m", [1.0], code="503").load("m", [2.0], code="1503").load("m", [4.0])
    assert only(loaded.ask('sum(m{code=~"5.."})', 0)) == 1
    assert only(loaded.ask('sum(m{code!~"5.."})', 0)) == 6
    assert only(loaded.ask('sum(m{code=""})', 0)) == 4
    assert only(loaded.ask('sum(m{code!="503"})', 0)) == 6


# --- operators


def test_arithmetic_between_vectors_pairs_the_same_labels_only() -> None:
    loaded = Loaded(MINUTE).load("a", [6.0], x="1").load("a", [8.0], x="2").load("b", [3.0], x="1").load("b", [2.0])
    assert loaded.ask("a / b", 0) == {labels(x="1"): 2.0}
    assert loaded.ask("sum(a) / sum(b)", 0) == {labels(): 14 / 5}


def test_division_by_zero_is_not_a_number_or_without_limit() -> None:
    loaded = Loaded(MINUTE).load("nothing", [0.0]).load("some", [-2.0])
    assert math.isnan(only(loaded.ask("nothing / nothing", 0)))
    assert only(loaded.ask("some / nothing", 0)) == -math.inf
    assert loaded.ask("nothing / nothing > 0.01", 0) == {}  # no alert on 0/0
    assert loaded.ask("nothing / nothing < 0.01", 0) == {}


def test_comparison_filters_and_keeps_the_vector_s_value() -> None:
    loaded = Loaded(MINUTE).load("a", [5.0], x="1").load("a", [1.0], x="2")
    assert loaded.ask("a > 2", 0) == {labels(x="1"): 5.0}
    assert loaded.ask("2 > a", 0) == {labels(x="2"): 1.0}
    assert loaded.ask("a >= (1 + 4)", 0) == {labels(x="1"): 5.0}


def test_set_operations() -> None:
    loaded = (
        Loaded(MINUTE).load("a", [1.0], x="1").load("a", [2.0], x="2").load("b", [9.0], x="2").load("b", [8.0], x="3")
    )
    one, two, three = (labels(x=n) for n in "123")
    assert loaded.ask("a and b", 0) == {two: 2.0}
    assert loaded.ask("a unless b", 0) == {one: 1.0}
    assert loaded.ask("a or b", 0) == {one: 1.0, two: 2.0, three: 8.0}


def test_aggregation() -> None:
    loaded = (
        Loaded(MINUTE).load("a", [1.0], x="1", y="p").load("a", [5.0], x="1", y="q").load("a", [math.nan], x="2", y="p")
    )
    assert loaded.ask("max by (x) (a)", 0)[labels(x="1")] == 5
    assert loaded.ask("min without (y) (a)", 0)[labels(x="1")] == 1
    assert only(loaded.ask("max(a)", 0)) == 5  # what is not a number is greater than nothing
    assert only(loaded.ask("count(a)", 0)) == 3
    assert only(loaded.ask('avg(a{x="1"})', 0)) == 3
    assert loaded.ask("sum(missing)", 0) == {}


def test_absent_has_the_labels_it_was_asked_for() -> None:
    loaded = Loaded(MINUTE).load("up", [1.0], job="a")
    assert loaded.ask('absent(up{job="a"})', 0) == {}
    assert loaded.ask('absent(up{job="b",pod=~".+"})', 0) == {labels(job="b"): 1.0}
    assert loaded.ask('absent(sum(up{job="b"}))', 0) == {labels(): 1.0}
    assert loaded.ask('absent(up{job="a",job!="a"})', 0) == {labels(): 1.0}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("up offset 5m", "offset"),
        ("up @ 10", "@"),
        ("sum(rate(x_total[5m:1m]))", "SubqueryExpr"),
        ("a > bool 1", "bool"),
        ("a / on(x) b", "on"),
        ("a and ignoring(x) b", "ignoring"),
        ("topk(3, a)", "topk"),
        ("quantile(0.9, a)", "quantile"),
        ("histogram_quantile(0.9, a)", "histogram_quantile"),
        ("a % 2 > 0", "%"),
        ("-a", "UnaryExpr"),
        ('{__name__="up"}', "name"),
        ("1 + 1", "always fires"),
        ('up{a="b" or c="d"}', "or"),
        ("a >", "not PromQL"),
        ("irate(x_total[5m])", "irate"),
    ],
)
def test_what_is_not_evaluated_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(UnsupportedRuleError, match=named):
        Rule(text)
