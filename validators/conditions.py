"""When the condition of an alert rule held, computed from samples and load as an ideal Prometheus would see them.

A rule's expression is evaluated at each whole second of the run on series that the record has: `up` of each pod (from
replicas ready and planned), `http_requests_total` of each service in each region (from the load), and any sampled
quantity under its own name. Everything is an array over the seconds; NaN is an element that is not there. The parts of
PromQL are those that alert rules of this kind use; a rule that needs more, or a series that nobody recorded, raises
NotOnRecordError. Source: DESIGN, What is measured, exactly (detection).
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validators import before, integrity
from validators.columns import F64, I64, Bool, names, whole
from validators.model import Observations
from validators.recorded import (
    COUNTED,
    PLAIN,
    SECOND_US,
    UNSEEN_US,
    Labels,
    NotOnRecordError,
    NotSampledError,
    Reading,
    Unanswered,
    Vector,
    instants,
    labels_of,
    lacking,
    series_of,
)
from validators.words import listed

Operation = Callable[[Any, Any], NDArray[Any]]

_ARITHMETIC: dict[str, Operation] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_COMPARISON: dict[str, Operation] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_RANGES = {"rate", "increase"}
_AGGREGATES: dict[str, Callable[[F64], F64]] = {
    "sum": lambda v: np.nansum(v, axis=0),
    "max": lambda v: np.fmax.reduce(v, axis=0),
    "min": lambda v: np.fmin.reduce(v, axis=0),
    "count": lambda v: np.sum(~np.isnan(v), axis=0, dtype=np.float64),
    "avg": lambda v: np.nansum(v, axis=0) / np.sum(~np.isnan(v), axis=0),
}


def metrics(expression: str) -> frozenset[str]:
    """Return the names of the series that a rule reads."""
    return frozenset(node.name for node in _selectors(_parsed(expression)))


def _parsed(expression: str) -> Any:
    """Tree of a rule. Raises NotOnRecordError."""
    import promql_parser

    try:
        return promql_parser.parse(expression)
    except ValueError as error:
        raise NotOnRecordError("its rule is not PromQL") from error


def _selectors(tree: Any) -> list[Any]:
    found, todo = [], [tree]
    while todo:
        node = todo.pop()
        if type(node).__name__ == "VectorSelector":
            found.append(node)
        todo += _below(node)
    return found


def _below(node: Any) -> list[Any]:
    parts = [getattr(node, name) for name in ("lhs", "rhs", "expr", "vector_selector") if hasattr(node, name)]
    return [*parts, *getattr(node, "args", [])]


def window_us(expression: str) -> int:
    """Return how far back a rule looks, in microseconds: its longest range; 0 where it looks at what is now."""
    ranges, todo = [0], [_parsed(expression)]
    while todo:
        node = todo.pop()
        if type(node).__name__ == "MatrixSelector":
            ranges.append(round(node.range.total_seconds() * SECOND_US))
        todo += _below(node)
    return max(ranges)


def stations(observations: Observations, expression: str) -> list[str]:
    """Return the stations ("us-east-1/risk") whose pods' `up` a rule reads; none for one that reads something else."""
    read = [node for node in _selectors(_parsed(expression)) if node.name == "up"]
    every = integrity.subjects(observations, "replicas_ready")
    return [s for s in every if any(_chosen(node, labels_of("up", s)) for node in read)]


def unseen(observations: Observations, expression: str) -> list[tuple[int, int]]:
    """Stretches (from, to) in microseconds in which nothing was recorded of something that a rule watches."""
    evaluation = _Evaluation(observations, observations.duration_us // SECOND_US + 1)
    watched = {
        (node.name, "/".join(dict(labels)["pod"].split("/")[:2]))
        for node in _selectors(_parsed(expression))
        for labels in evaluation.selected(node)
    }
    found: set[tuple[int, int]] = set()
    for name, station in watched:
        t_us = instants(observations, name, station)
        edges = np.concatenate([[0], t_us[t_us < observations.duration_us], [observations.duration_us]])
        found |= {(int(edges[i]), int(edges[i + 1])) for i in np.flatnonzero(np.diff(edges) > UNSEEN_US)}
    return sorted(found)


def holds(observations: Observations, expression: str) -> Bool:
    """Whether a rule's condition held at each whole second of the judged interval.

    Raises NotOnRecordError for a series that the record lacks and for PromQL that is not computed here.
    """
    reading = Reading(reach=reach_s(observations, expression))
    return observations.once(("condition", expression), lambda: _holds(observations, expression, Scrapes(), reading))


def may_hold(observations: Observations, expression: str) -> Bool:
    """The same, where it may have held by what servers counted: see `Reading`."""
    return np.any([_holds(observations, expression, Scrapes(), r) for r in _readings(observations, expression)], axis=0)


def reach_s(observations: Observations, expression: str) -> int:
    """Seconds before the run of which it is on record what a rule's window held: all of it, or none."""
    return before.reach_s(observations, window_us(expression)) if COUNTED in metrics(expression) else 0


def scraped(observations: Observations, expression: str, scrape_us: int) -> list[Bool]:
    """The same as a Prometheus may have seen it, by the instants of its scrapes; empty where that makes no difference.

    A rate is that between the first and the last scrape in its window, extrapolated to the window's edges: a share that
    crosses its threshold slowly is seen to cross it later. A window that reaches to before what is on record holds what
    nobody knows: nothing was surely seen then. What servers counted is taken in each way that the record leaves open.
    """
    if not (window := window_us(expression) // SECOND_US):
        return []
    every = max(1, scrape_us // SECOND_US)
    phases = sorted({0, every // 3, 2 * every // 3})
    readings = _readings(observations, expression)
    seen = [_holds(observations, expression, Scrapes(every, p), r) for p in phases for r in readings]
    inside = np.arange(observations.duration_us // SECOND_US + 1) >= window - reach_s(observations, expression)
    return [held & inside for held in seen]


def _readings(observations: Observations, expression: str) -> list[Reading]:
    """Each way in which servers may have counted what a rule reads; the plainest first."""
    if COUNTED not in metrics(expression):
        return [PLAIN]
    reach, load = reach_s(observations, expression), observations.tables("load")
    unknown = (whole(load, "unknown") > 0) & ~names(load, "service").equal("edge")
    ways = tuple(Unanswered) if unknown.any() else (Unanswered.LEFT_OUT,)
    earlier = (False, True) if reach and before.anything(observations) else (False,)
    return [Reading(way, probed, reach, early) for probed in (False, True) for early in earlier for way in ways]


@dataclass(frozen=True)
class Scrapes:
    """Seconds at which series are sampled: `phase`, and each `every` after it. `every` 0: continuously."""

    every: int = 0
    phase: int = 0

    def last(self, t: I64) -> I64:
        """Latest scrape up to an instant; negative: none yet."""
        return t if not self.every else (t - self.phase) // self.every * self.every + self.phase

    def first_after(self, t: I64, begun: int) -> I64:
        """Earliest scrape after an instant, or the first of all, which are from `begun` on."""
        if not self.every:
            return np.maximum(t, begun)
        t = np.maximum(t, begun - 1)
        return (t - self.phase) // self.every * self.every + self.every + self.phase


def _holds(observations: Observations, expression: str, scrapes: Scrapes, reading: Reading) -> Bool:
    tree = _parsed(expression)
    seconds = observations.duration_us // SECOND_US + 1
    with np.errstate(divide="ignore", invalid="ignore"):
        value = _Evaluation(observations, seconds, scrapes, reading).of(tree)
    if not isinstance(value, dict):
        raise NotOnRecordError("its rule is a number, not a condition")
    there = np.zeros(seconds, dtype=np.bool_)
    for element in value.values():
        there |= ~np.isnan(element[reading.reach :])
    return there


def stretches(held: Bool) -> list[tuple[int, int]]:
    """Stretches [from, to) of seconds in which it held.

    >>> stretches(np.array([False, True, True, False, True]))
    [(1, 3), (4, 5)]
    """
    edges = np.diff(np.concatenate([[False], held, [False]]).astype(np.int8))
    return list(zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True))


@dataclass(frozen=True)
class _Evaluation:
    """Value of a node: an array of the seconds for each element, from `reading.reach` before the run, or a number."""

    observations: Observations
    judged: int  # seconds of the run
    scrapes: Scrapes = Scrapes()
    reading: Reading = PLAIN

    @property
    def seconds(self) -> int:
        """Length of an array."""
        return self.reading.reach + self.judged

    def of(self, node: Any) -> Vector | float:
        nodes: dict[str, Callable[[Any], Vector | float]] = {
            "ParenExpr": lambda n: self.of(n.expr),
            "NumberLiteral": lambda n: float(n.val),
            "VectorSelector": self.selected,
            "Call": self._call,
            "AggregateExpr": self._aggregate,
            "BinaryExpr": self._binary,
        }
        kind = type(node).__name__
        if kind not in nodes:
            raise NotOnRecordError(f"{kind} in its rule is not computed from a record")
        return nodes[kind](node)

    def _vector(self, node: Any) -> Vector:
        value = self.of(node)
        if not isinstance(value, dict):
            raise NotOnRecordError("its rule takes a number where a series is needed")
        return value

    def selected(self, node: Any) -> Vector:
        """Series that a selector chooses. Raises NotOnRecordError when there are none, or one is not on record."""
        if gone := sorted({dict(k)["pod"] for k in lacking(self.observations, node.name) if _chosen(node, k)}):
            raise NotSampledError(f"{node.name} of {listed(gone)} is not on record")
        found = series_of(self.observations, node.name, self.judged, self.reading)
        chosen = {k: self._held(node.name, v) for k, v in found.items() if _chosen(node, k)}
        if not chosen:
            raise NotOnRecordError(f"{node.name} of what it watches is not on record")
        return chosen

    def _call(self, node: Any) -> Vector:
        name = node.func.name
        if name == "absent":
            inner = self._vector(node.args[0])
            there = np.zeros(self.seconds, dtype=np.bool_)
            for element in inner.values():
                there |= ~np.isnan(element)
            return {frozenset(): np.where(there, np.nan, 1.0)}
        if name not in _RANGES:
            raise NotOnRecordError(f"the function {name} in its rule is not computed from a record")
        window = node.args[0]
        length = max(1, round(window.range.total_seconds()))
        counters = self.selected(window.vector_selector)
        return {_bare(k): self._grown(v, length, per_second=name == "rate") for k, v in counters.items()}

    def _held(self, name: str, values: F64) -> F64:
        """A series as it was at the last scrape. A counter is there once it has counted something."""
        if not self.scrapes.every:
            return values
        last = self.scrapes.last(np.arange(self.seconds) - self.reading.reach) + self.reading.reach
        born = values if name != COUNTED else np.where(values > 0, values, np.nan)
        return np.where(last >= 0, born[np.maximum(last, 0)], np.nan)

    def _grown(self, values: F64, length: int, *, per_second: bool) -> F64:
        """By how much a counter grew within the last seconds, extrapolated to the window's edges as Prometheus does."""
        begin = -self.reading.reach
        t = np.arange(self.seconds) + begin
        known = np.flatnonzero(~np.isnan(values))
        born = int(known[0]) + begin if len(known) else self.judged
        last, first = self.scrapes.last(t), np.maximum(self.scrapes.first_after(t - length, begin), born)
        inside = (last > first) & (first < self.judged)
        begun = values[np.where(inside, first - begin, 0)]
        grown, sampled = values - begun, np.where(inside, last - first, 1).astype(np.float64)
        if not self.scrapes.every:
            return np.where(inside, grown / sampled * (1 if per_second else np.minimum(length, sampled)), np.nan)
        to_start = first - (t - length).astype(np.float64)
        to_start = np.where(to_start >= 1.1 * self.scrapes.every, self.scrapes.every / 2, to_start)
        to_start = np.minimum(to_start, np.where(grown > 0, sampled * begun / grown, to_start))  # not below zero
        grown = grown * (sampled + to_start + (t - last)) / sampled
        return np.where(inside, grown / length if per_second else grown, np.nan)

    def _aggregate(self, node: Any) -> Vector:
        name = str(node.op)
        if name not in _AGGREGATES:
            raise NotOnRecordError(f"the aggregation {name} in its rule is not computed from a record")
        named = tuple(node.modifier.labels) if node.modifier is not None else ()
        by = node.modifier is None or "By" in str(node.modifier.type)
        groups: dict[Labels, list[F64]] = {}
        for labels, value in self._vector(node.expr).items():
            groups.setdefault(frozenset((n, v) for n, v in _bare(labels) if (n in named) == by), []).append(value)
        result = {}
        for labels, values in groups.items():
            stacked = np.stack(values)
            result[labels] = np.where(np.isnan(stacked).all(axis=0), np.nan, _AGGREGATES[name](stacked))
        return result

    def _binary(self, node: Any) -> Vector | float:
        op, left, right = str(node.op), self.of(node.lhs), self.of(node.rhs)
        if node.modifier is not None and (node.modifier.return_bool or node.modifier.matching is not None):
            raise NotOnRecordError("matching by labels in its rule is not computed from a record")
        if op in ("and", "or", "unless") and isinstance(left, dict) and isinstance(right, dict):
            return self._set(op, left, right)
        if op not in _ARITHMETIC and op not in _COMPARISON:
            raise NotOnRecordError(f"the operator {op} in its rule is not computed from a record")
        if not isinstance(left, dict) and not isinstance(right, dict):
            return float(_ARITHMETIC[op](left, right)) if op in _ARITHMETIC else float(_COMPARISON[op](left, right))
        pairs = _pairs(left, right)
        if op in _ARITHMETIC:
            return {_bare(k): np.asarray(_ARITHMETIC[op](a, b), dtype=np.float64) for k, (a, b) in pairs.items()}
        kept = {k: (a if isinstance(left, dict) else b) for k, (a, b) in pairs.items()}
        compare = _COMPARISON[op]
        return {k: np.where(compare(a, b) & ~np.isnan(a + b), kept[k], np.nan) for k, (a, b) in pairs.items()}

    def _set(self, op: str, left: Vector, right: Vector) -> Vector:
        absent = np.zeros(self.seconds, dtype=np.bool_)
        if op == "or":
            mine, result = _there(left, self.seconds), dict(left)
            for labels, value in right.items():
                alone = np.where(mine.get(_bare(labels), absent), np.nan, value)
                result[labels] = (
                    np.where(np.isnan(result[labels]), alone, result[labels]) if labels in result else alone
                )
            return result
        others = _there(right, self.seconds)
        match = {k: others.get(_bare(k), absent) for k in left}
        return {k: np.where(match[k] == (op == "and"), v, np.nan) for k, v in left.items()}


def _pairs(left: Vector | float, right: Vector | float) -> dict[Labels, tuple[Any, Any]]:
    """Elements that meet, matched by their labels without the name of the series."""
    if isinstance(left, dict) and isinstance(right, dict):
        bare = {_bare(k): v for k, v in right.items()}
        return {k: (v, bare[_bare(k)]) for k, v in left.items() if _bare(k) in bare}
    if isinstance(left, dict):
        return {k: (v, right) for k, v in left.items()}
    assert isinstance(right, dict), "one side is a vector"
    return {k: (left, v) for k, v in right.items()}


def _there(vector: Vector, seconds: int) -> dict[Labels, Bool]:
    found: dict[Labels, Bool] = {}
    for labels, values in vector.items():
        known = found.get(_bare(labels), np.zeros(seconds, dtype=np.bool_))
        found[_bare(labels)] = known | ~np.isnan(values)
    return found


def _bare(labels: Labels) -> Labels:
    return frozenset((n, v) for n, v in labels if n != "__name__")


def _chosen(node: Any, labels: Labels) -> bool:
    """Whether a selector chooses a series by its labels."""
    tests = [(m.name, str(m.op).removeprefix("MatchOp."), m.value) for m in node.matchers.matchers]
    return all(_matches(dict(labels).get(name, ""), op, wanted) for name, op, wanted in tests)


def _matches(value: str, op: str, wanted: str) -> bool:
    if op in ("Equal", "NotEqual"):
        return (value == wanted) == (op == "Equal")
    return (re.fullmatch(wanted, value) is not None) == (op == "Re")
