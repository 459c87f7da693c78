import asyncio
from typing import Any

from experiments.testbed.system.procedure import FailureCount, NotYet, Procedure, Step
from scenarios.record.kinds import KINDS


class Facts:
    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    def report(self, kind: str, subject: str, detail: dict[str, Any]) -> None:
        assert subject == "automatic-failover"
        assert set(KINDS[kind]) <= set(detail)  # what the record wants of a fact of this kind
        self.told.append((kind, detail))


def step(name: str, fails: int, done: list[str]) -> Step:
    left = [fails]

    async def attempt() -> None:
        if left[0]:
            left[0] -= 1
            raise NotYet("not yet")
        done.append(name)

    return Step(name, attempt)


def play(*steps: Step, attempts: int = 5) -> tuple[bool, Facts]:
    facts = Facts()
    return asyncio.run(Procedure("automatic-failover", steps, facts.report, attempts, 0.0).play()), facts


def test_steps_are_done_in_order_each_until_it_holds() -> None:
    done: list[str] = []
    ok, facts = play(step("fence", 2, done), step("promote", 0, done), step("dns", 4, done))
    assert ok
    assert done == ["fence", "promote", "dns"]
    kinds = [kind for kind, _ in facts.told]
    assert kinds == ["procedure_started", *["step_started", "step_finished"] * 3, "procedure_finished"]
    assert facts.told[-1][1] == {"ok": True}


def test_a_step_that_never_holds_ends_the_procedure_before_the_next() -> None:
    done: list[str] = []
    ok, facts = play(step("fence", 99, done), step("promote", 0, done), attempts=3)
    assert not ok
    assert done == []
    assert [detail.get("ok") for kind, detail in facts.told if kind.endswith("finished")] == [False, False]


def test_only_failures_in_a_row_count() -> None:
    count = FailureCount(3)
    assert [count.seen(good) for good in (False, False, True, False, False, False, False)] == [False] * 5 + [True, True]
