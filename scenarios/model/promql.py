"""Evaluate alert rules: the part of PromQL that alert rules of this kind use, on scraped series.

Syntax is promql-parser's; evaluation is ours and follows Prometheus 3: selectors with matchers (left-open windows,
stale series have no value), rate and increase with Prometheus's extrapolation to the edges of the range,
sum/max/min/avg/count (by, without), + - * /, comparison (filtering), and/or/unless, absent. Anything else is refused
by name when a rule is read.
"""

import math
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import promql_parser as parser

from scenarios.model.scraped import Labels, Selector, Series, Store

Vector = dict[Labels, float]

SUPPORTED = (
    "PromQL of selectors, rate, increase, sum/max/min/avg/count (by, without), arithmetic, comparison, "
    "and/or/unless, absent"
)
NO_LABELS: Labels = frozenset()
_CLOSE = 1.1  # an edge of a range is reached if it is within so many usual steps of a sample


@dataclass(frozen=True)
class Instant:
    """What is asked, and when."""

    store: Store
    now_ns: int
    lookback_ns: int  # an older sample counts no longer


OfVector = Callable[[Instant], Vector]
OfScalar = Callable[[], float]


class UnsupportedRuleError(ValueError):
    """A rule uses a part of PromQL that is not evaluated."""


def _divide(a: float, b: float) -> float:
    if b:
        return a / b
    return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)


def _number(choose: Callable[[list[float]], float]) -> Callable[[list[float]], float]:
    """Choose among the values that are numbers, if any is."""
    return lambda values: choose([v for v in values if not math.isnan(v)] or values)


_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
}
_COMPARISON: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "sum": sum,
    "max": _number(max),
    "min": _number(min),
    "count": lambda values: float(len(values)),
    "avg": lambda values: sum(values) / len(values),
}


class Rule:
    """One parsed expression. Raises UnsupportedRuleError when it cannot be evaluated here."""

    def __init__(self, text: str) -> None:
        self._of, self.longest_ns = _compiled(text)

    def evaluate(self, store: Store, now_ns: int, lookback_ns: int) -> Vector:
        """Value at an instant; for an alert: one element for each thing that is wrong."""
        return self._of(Instant(store, now_ns, lookback_ns))


def look_back_us(rules: Iterable[str]) -> int:
    """Return how far the farthest-looking of some rules looks back, in microseconds; 0: all look at what is now."""
    return max((Rule(text).longest_ns for text in rules), default=0) // 1_000


@cache
def _compiled(text: str) -> tuple[OfVector, int]:
    """Return how to evaluate a rule, and the longest range that it looks back."""
    try:
        tree = parser.parse(text)
    except ValueError as error:
        raise UnsupportedRuleError(f"not PromQL: {error}") from error
    if _is_scalar(tree):
        raise UnsupportedRuleError("a number, which is no condition: an alert on it always fires")
    ranges: list[int] = []
    return _vector(tree, ranges), max(ranges, default=0)


# --- kinds of nodes


def _kind(node: Any) -> str:
    return type(node).__name__


def _is_scalar(node: Any) -> bool:
    kind = _kind(node)
    if kind == "ParenExpr":
        return _is_scalar(node.expr)
    return kind == "NumberLiteral" or (kind == "BinaryExpr" and _is_scalar(node.lhs) and _is_scalar(node.rhs))


def _scalar(node: Any) -> float:
    """Value of an expression without series."""
    if _kind(node) == "ParenExpr":
        return _scalar(node.expr)
    if _kind(node) == "NumberLiteral":
        return float(node.val)
    op = str(node.op)
    if op not in _ARITHMETIC:
        raise UnsupportedRuleError(f"the operator {op} between numbers is not evaluated")
    return _ARITHMETIC[op](_scalar(node.lhs), _scalar(node.rhs))


def _vector(node: Any, ranges: list[int]) -> OfVector:
    kind = _kind(node)
    if kind == "ParenExpr":
        return _vector(node.expr, ranges)
    if kind == "VectorSelector":
        return _instant(node)
    if kind == "Call":
        return _call(node, ranges)
    if kind == "AggregateExpr":
        return _aggregate(node, ranges)
    if kind == "BinaryExpr":
        return _binary(node, ranges)
    raise UnsupportedRuleError(f"{kind} in a rule is not evaluated")


# --- selectors


def _selector(node: Any) -> Selector:
    if node.name is None:
        raise UnsupportedRuleError("a selector without a metric's name is not evaluated")
    if node.offset is not None or node.at is not None:
        raise UnsupportedRuleError("offset and @ are not evaluated")
    if node.matchers.or_matchers:
        raise UnsupportedRuleError("`or` between matchers is not evaluated")
    tests = [_matcher(m) for m in node.matchers.matchers]

    def matches(labels: Labels) -> bool:
        values = dict(labels)
        return all(test(values.get(name, "")) for name, test in tests)

    return Selector(node.name, matches)


def _operation(matcher: Any) -> str:
    return str(matcher.op).removeprefix("MatchOp.")


def _matcher(matcher: Any) -> tuple[str, Callable[[str], bool]]:
    op, wanted = _operation(matcher), str(matcher.value)
    if op in ("Equal", "NotEqual"):
        return matcher.name, lambda value: (value == wanted) == (op == "Equal")
    try:
        pattern = re.compile(wanted)
    except re.error as error:
        raise UnsupportedRuleError(f"the pattern {wanted} is not evaluated") from error
    return matcher.name, lambda value: (pattern.fullmatch(value) is not None) == (op == "Re")


def _instant(node: Any) -> OfVector:
    selector = _selector(node)

    def of(at: Instant) -> Vector:
        oldest = at.now_ns - at.lookback_ns
        return {s.labels: s.values[-1] for s in at.store.select(selector) if not s.stale and s.t_ns[-1] > oldest}

    return of


# --- functions


def _call(node: Any, ranges: list[int]) -> OfVector:
    name = node.func.name
    if name == "absent":
        return _absent(node.args[0], ranges)
    if name in ("rate", "increase"):
        return _rate(node.args[0], ranges, per_second=name == "rate")
    raise UnsupportedRuleError(f"the function {name} is not evaluated")


def _absent(node: Any, ranges: list[int]) -> OfVector:
    inner = _vector(node, ranges)
    found = {NO_LABELS if _kind(node) != "VectorSelector" else _absent_labels(node): 1.0}
    return lambda at: {} if inner(at) else dict(found)


def _absent_labels(node: Any) -> Labels:
    """What is absent has the labels that its selector asks to be equal, each once."""
    matchers = node.matchers.matchers
    names = [m.name for m in matchers]
    return frozenset((m.name, m.value) for m in matchers if _operation(m) == "Equal" and names.count(m.name) == 1)


def _rate(node: Any, ranges: list[int], *, per_second: bool) -> OfVector:
    if _kind(node) != "MatrixSelector":
        raise UnsupportedRuleError(f"a rate of {_kind(node)} is not evaluated")
    selector = _selector(node.vector_selector)
    window_ns = round(node.range.total_seconds() * 1e9)
    ranges.append(window_ns)
    unit = window_ns / 1e9 if per_second else 1.0

    def of(at: Instant) -> Vector:
        since = at.now_ns - window_ns
        grown = ((s.labels, _increase(s, since, at.now_ns)) for s in at.store.select(selector))
        return {labels: value / unit for labels, value in grown if value is not None}

    return of


def _increase(series: Series, since_ns: int, now_ns: int) -> float | None:
    """Increase over (since, now], extrapolated to its edges where samples come close to them; None: no two samples.

    Beyond the last (first) sample by half a usual step if the edge is farther away, and never below a counter of zero.
    """
    times = series.t_ns
    if not times or times[-1] <= since_ns:
        return None
    first = series.first_after(since_ns)
    steps = len(times) - 1 - first
    if steps < 1:
        return None
    grown = series.grown[-1] - series.grown[first]
    sampled_ns = times[-1] - times[first]
    usual_ns = sampled_ns / steps
    before_ns: float = times[first] - since_ns
    after_ns: float = now_ns - times[-1]
    if before_ns >= _CLOSE * usual_ns:
        before_ns = usual_ns / 2
    if grown > 0 and series.values[first] >= 0:
        before_ns = min(before_ns, sampled_ns * series.values[first] / grown)
    if after_ns >= _CLOSE * usual_ns:
        after_ns = usual_ns / 2
    return grown * ((sampled_ns + before_ns + after_ns) / sampled_ns)


# --- aggregation and operators


def _aggregate(node: Any, ranges: list[int]) -> OfVector:
    name = str(node.op)
    if name not in _AGGREGATES or node.param is not None:
        raise UnsupportedRuleError(f"the aggregation {name} is not evaluated")
    inner, of_group = _vector(node.expr, ranges), _AGGREGATES[name]
    if node.modifier is None:
        return lambda at: {NO_LABELS: of_group(list(found.values()))} if (found := inner(at)) else {}
    listed, by = frozenset(node.modifier.labels), str(node.modifier.type).endswith("By")

    def of(at: Instant) -> Vector:
        groups: dict[Labels, list[float]] = {}
        for labels, value in inner(at).items():
            kept = frozenset((n, v) for n, v in labels if (n in listed) == by)
            groups.setdefault(kept, []).append(value)
        return {labels: of_group(values) for labels, values in groups.items()}

    return of


def _binary(node: Any, ranges: list[int]) -> OfVector:
    op = str(node.op)
    if node.modifier is not None and (node.modifier.matching is not None or node.modifier.return_bool):
        raise UnsupportedRuleError(f"{op} with bool, on, ignoring or group is not evaluated")
    if op in ("and", "or", "unless"):
        return _set_operation(op, _vector(node.lhs, ranges), _vector(node.rhs, ranges))
    if op not in _ARITHMETIC and op not in _COMPARISON:
        raise UnsupportedRuleError(f"the operator {op} is not evaluated")
    if _is_scalar(node.rhs):
        right = _scalar(node.rhs)
        return _each(op, _vector(node.lhs, ranges), lambda value: (value, right))
    if _is_scalar(node.lhs):
        left = _scalar(node.lhs)
        return _each(op, _vector(node.rhs, ranges), lambda value: (left, value))
    return _between(op, _vector(node.lhs, ranges), _vector(node.rhs, ranges))


def _each(op: str, inner: OfVector, sides: Callable[[float], tuple[float, float]]) -> OfVector:
    """Between each element and a number; a comparison keeps the elements for which it holds."""
    if op in _ARITHMETIC:
        compute = _ARITHMETIC[op]
        return lambda at: {k: compute(*sides(v)) for k, v in inner(at).items()}
    holds = _COMPARISON[op]
    return lambda at: {k: v for k, v in inner(at).items() if holds(*sides(v))}


def _between(op: str, of_left: OfVector, of_right: OfVector) -> OfVector:
    """Between elements with the same labels."""

    def pairs(at: Instant) -> dict[Labels, tuple[float, float]]:
        left = of_left(at)
        right = of_right(at) if left else {}
        return {k: (v, right[k]) for k, v in left.items() if k in right}

    if op in _ARITHMETIC:
        compute = _ARITHMETIC[op]
        return lambda at: {k: compute(a, b) for k, (a, b) in pairs(at).items()}
    holds = _COMPARISON[op]
    return lambda at: {k: a for k, (a, b) in pairs(at).items() if holds(a, b)}


def _set_operation(op: str, of_left: OfVector, of_right: OfVector) -> OfVector:
    def of(at: Instant) -> Vector:
        left, right = of_left(at), of_right(at)
        if op == "or":
            return right | left
        return {k: v for k, v in left.items() if (k in right) == (op == "and")}

    return of
