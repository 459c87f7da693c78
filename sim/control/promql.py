"""Evaluate alert rules: the part of PromQL that alert rules of this kind use, on scraped series.

Syntax is promql-parser's; evaluation is ours: selectors with matchers, rate, sum/max/min/avg/count (by), arithmetic,
comparison (filtering), and/or/unless, absent. Anything else is refused by name when the rules are read.
"""

import operator
import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import promql_parser as parser

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]

_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda a, b: a / b if b else (float("nan") if a == 0 else float("inf") * (1 if a > 0 else -1)),
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
    "max": max,
    "min": min,
    "count": len,
    "avg": lambda v: sum(v) / len(v),
}


class UnsupportedRuleError(ValueError):
    """A rule uses a part of PromQL that the twin does not evaluate."""


@dataclass
class Store:
    """Scraped samples: series -> (time ns, value), None when the series went stale."""

    keep_ns: int
    series: dict[Labels, deque[tuple[int, float | None]]] = field(default_factory=dict)

    def add(self, t_ns: int, labels: Labels, value: float | None) -> None:
        """Append a sample and forget what is too old to matter."""
        samples = self.series.setdefault(labels, deque())
        samples.append((t_ns, value))
        while len(samples) > 1 and samples[1][0] <= t_ns - self.keep_ns:
            samples.popleft()

    def select(self, name: str, matchers: Iterable[Any]) -> list[tuple[Labels, deque[tuple[int, float | None]]]]:
        """Series of a metric whose labels match."""
        tests = [(m.name, str(m.op).removeprefix("MatchOp."), m.value) for m in matchers]
        found = []
        for labels, samples in self.series.items():
            values = dict(labels)
            if values["__name__"] == name and all(_matches(values.get(n, ""), op, v) for n, op, v in tests):
                found.append((labels, samples))
        return found


def _matches(value: str, op: str, wanted: str) -> bool:
    if op == "Equal":
        return value == wanted
    if op == "NotEqual":
        return value != wanted
    return (re.fullmatch(wanted, value) is not None) == (op == "Re")


class Rule:
    """One parsed expression. Raises UnsupportedRuleError when it cannot be evaluated here."""

    def __init__(self, text: str) -> None:
        try:
            self._tree = parser.parse(text)
        except ValueError as error:
            raise UnsupportedRuleError(f"not PromQL: {error}") from error
        self.evaluate(Store(1), 0, 1)

    def evaluate(self, store: Store, now_ns: int, lookback_ns: int) -> Vector:
        """Value at an instant; for an alert: true while it has elements."""
        result = _Evaluation(store, now_ns, lookback_ns).of(self._tree)
        return result if isinstance(result, dict) else {frozenset(): result}


@dataclass(frozen=True)
class _Evaluation:
    store: Store
    now_ns: int
    lookback_ns: int

    def of(self, node: Any) -> Vector | float:
        kind = type(node).__name__
        method = getattr(self, f"_{kind}", None)
        if method is None:
            raise UnsupportedRuleError(f"{kind} in a rule is not evaluated by the twin")
        result: Vector | float = method(node)
        return result

    def _ParenExpr(self, node: Any) -> Vector | float:  # noqa: N802  named as the parser's nodes
        return self.of(node.expr)

    def _NumberLiteral(self, node: Any) -> float:  # noqa: N802
        return float(node.val)

    def _VectorSelector(self, node: Any) -> Vector:  # noqa: N802
        result = {}
        for labels, samples in self.store.select(node.name, node.matchers.matchers):
            t_ns, value = samples[-1]
            if value is not None and t_ns > self.now_ns - self.lookback_ns:
                result[labels] = value
        return result

    def _Call(self, node: Any) -> Vector:  # noqa: N802
        name = node.func.name
        if name == "absent":
            inner = self.of(node.args[0])
            return {} if inner else {frozenset(): 1.0}
        if name in ("rate", "increase"):
            return self._rate(node.args[0], per_second=name == "rate")
        raise UnsupportedRuleError(f"the function {name} is not evaluated by the twin")

    def _rate(self, node: Any, *, per_second: bool) -> Vector:
        """Increase over the range with resets added back (without Prometheus's extrapolation to the edges)."""
        window_ns = round(node.range.total_seconds() * 1e9)
        result = {}
        selector = node.vector_selector
        for labels, samples in self.store.select(selector.name, selector.matchers.matchers):
            seen = [(t, v) for t, v in samples if v is not None and t > self.now_ns - window_ns]
            if len(seen) < 2:
                continue
            steps = zip(seen, seen[1:], strict=False)
            grown = sum(after - before if after >= before else after for (_, before), (_, after) in steps)
            elapsed_s = (seen[-1][0] - seen[0][0]) / 1e9
            result[labels - {("__name__", selector.name)}] = grown / elapsed_s if per_second else grown
        return result

    def _AggregateExpr(self, node: Any) -> Vector:  # noqa: N802
        name = str(node.op)
        if name not in _AGGREGATES:
            raise UnsupportedRuleError(f"the aggregation {name} is not evaluated by the twin")
        inner = self.of(node.expr)
        assert isinstance(inner, dict), "an aggregation takes a vector"
        kept: tuple[str, ...] = ()
        if node.modifier is not None:
            if "By" not in str(node.modifier.type):
                raise UnsupportedRuleError("aggregation without(...) is not evaluated by the twin")
            kept = tuple(node.modifier.labels)
        groups: dict[Labels, list[float]] = {}
        for labels, value in inner.items():
            groups.setdefault(frozenset((n, v) for n, v in labels if n in kept), []).append(value)
        return {labels: float(_AGGREGATES[name](values)) for labels, values in groups.items()}

    def _BinaryExpr(self, node: Any) -> Vector | float:  # noqa: N802
        op = str(node.op)
        left, right = self.of(node.lhs), self.of(node.rhs)
        if op in ("and", "or", "unless"):
            return self._set_operation(op, left, right)
        if op not in _ARITHMETIC and op not in _COMPARISON:
            raise UnsupportedRuleError(f"the operator {op} is not evaluated by the twin")
        pairs: dict[Labels, tuple[float, float]]
        if isinstance(left, dict) and isinstance(right, dict):
            bare_right = {_bare(k): v for k, v in right.items()}
            pairs = {k: (v, bare_right[_bare(k)]) for k, v in left.items() if _bare(k) in bare_right}
        elif isinstance(left, dict) and not isinstance(right, dict):
            pairs = {k: (v, right) for k, v in left.items()}
        elif isinstance(right, dict) and not isinstance(left, dict):
            pairs = {k: (left, v) for k, v in right.items()}
        else:
            return _ARITHMETIC[op](left, right) if op in _ARITHMETIC else float(_COMPARISON[op](left, right))
        if op in _ARITHMETIC:
            return {_bare(k): _ARITHMETIC[op](a, b) for k, (a, b) in pairs.items()}
        vector_left = isinstance(left, dict)
        return {k: (a if vector_left else b) for k, (a, b) in pairs.items() if _COMPARISON[op](a, b)}

    def _set_operation(self, op: str, left: Vector | float, right: Vector | float) -> Vector:
        assert isinstance(left, dict), "a set operation takes vectors"
        assert isinstance(right, dict), "a set operation takes vectors"
        known = {_bare(k) for k in right}
        if op == "and":
            return {k: v for k, v in left.items() if _bare(k) in known}
        if op == "unless":
            return {k: v for k, v in left.items() if _bare(k) not in known}
        mine = {_bare(k) for k in left}
        return left | {k: v for k, v in right.items() if _bare(k) not in mine}


def _bare(labels: Labels) -> Labels:
    """Labels without the metric's name, by which vectors match."""
    return frozenset((n, v) for n, v in labels if n != "__name__")
