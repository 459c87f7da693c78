"""The baselines and the C program find what the kernel finds, bit for bit; the table says when a gate is missed."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from sim.data.commands import Outcome, Status
from tests.bench import kernel, native
from tests.bench.baseline.common import differing
from tests.bench.baseline.product import Product
from tests.bench.baseline.product_callbacks import ProductCallbacks
from tests.bench.baseline.simple import Simple
from tests.bench.baseline.simple_callbacks import SimpleCallbacks
from tests.bench.cases import LEAST, OVERLOAD, product, simple
from tests.bench.rows import Row
from tests.bench.table import gate_line


@pytest.fixture(scope="module")
def program() -> native.Native | None:
    """The C program, where a compiler is."""
    cc = native.compiler()
    return native.Native(cc) if cc else None


@pytest.mark.parametrize("overrides", [{}, OVERLOAD, LEAST, LEAST | OVERLOAD])
def test_simple_system_is_the_same_everywhere(overrides: Mapping[str, str], program: native.Native | None) -> None:
    case = simple("simple", 1.0, overrides)
    played = kernel.play(case)
    for baseline in (Simple, SimpleCallbacks):
        facts = baseline(case.system, case.arrivals(), case.script, case.until_ns).play()
        assert differing(facts, played.chunks) == 0
        lost = sum(status == Status.QUEUE_TIMEOUT for _, _, _, _, status, _ in facts.finished)
        assert (lost > 100) == ("database.queue.patience" in overrides)
    if program is not None:
        assert native.differing(program.play(case), played.chunks) == 0


def test_product_is_the_same_everywhere() -> None:
    case = product("product", 2.0)
    played = kernel.play(case)
    for baseline in (Product, ProductCallbacks):
        facts = baseline(case.system, case.arrivals(), case.script, case.until_ns).play()
        assert differing(facts, played.chunks) == 0
        ends = {(outcome, status) for _, _, _, outcome, status, _ in facts.finished}
        assert {(Outcome.OK, Status.OK), (Outcome.UNKNOWN, Status.TIMEOUT), (Outcome.FAILED, Status.BREAKER)} <= ends
        assert max(attempts for *_, attempts in facts.finished) >= 2


def test_differences_are_seen() -> None:
    case = simple("simple", 0.2, {})
    facts = Simple(case.system, case.arrivals(), case.script, case.until_ns).play()
    chunks = kernel.play(case).chunks
    index, intended, done, *rest = facts.finished[7]
    facts.finished[7] = (index, intended, done + 1, *rest)
    facts.rows.pop()
    assert differing(facts, chunks) == 1 + len(facts.rows) + 1


@pytest.mark.parametrize(
    ("row", "passes"),
    [
        (Row("fast", "x", 120.0, goal=250, gate=100, more_is_better=True, differing=0), True),
        (Row("slow", "x", 99.0, goal=250, gate=100, more_is_better=True, differing=0), False),
        (Row("wrong", "x", 500.0, goal=250, gate=100, more_is_better=True, differing=1), False),
        (Row("small", "MB", 300.0, goal=250, gate=400), True),
        (Row("large", "MB", 401.0, goal=250, gate=400), False),
        (Row("absent", "MB", None, goal=250, gate=400), False),
        (Row("shown", "s", 9.0, goal=0.3), True),
    ],
)
def test_a_missed_gate_is_told(row: Row, passes: bool) -> None:
    assert row.passes == passes
    assert gate_line(row).startswith("ok" if passes else "MISSED")


def test_what_stops_a_change() -> None:
    """A missed gate, and sides that differ."""
    missed = Row("slow", "x", 99.0, gate=100, more_is_better=True, differing=0)
    assert missed.stops
    met = replace(missed, measured=101.0)
    assert not met.stops
    assert replace(met, differing=1).stops
