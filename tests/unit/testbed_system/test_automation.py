import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from experiments.testbed.system.asking import Asker, NoAnswer
from experiments.testbed.system.automation import Automation, Facts, Failover, Settings
from experiments.testbed.system.database import Database, DatabaseError
from experiments.testbed.system.deployments import Deployments
from experiments.testbed.system.polling import Region
from experiments.testbed.system.procedure import NotYet, Procedure

TOLD = Settings(
    region="us-west-2",
    primary="us-east-1",
    outside_url="http://outside",
    verify_urls=("http://strategic/probe", "http://risk/probe"),
    poll_s=0.001,
    failures=3,
    working=True,
)


class World:
    """The network's edge: what answers, and what was asked in which order."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.edge = False
        self.dns = "us-east-1"
        self.outside = True
        self.recovering = True
        self.writable = True
        self.promoted = 0
        self.facts: list[str] = []

    async def need(self, method: str, url: str, body: Any = None, patience_s: float | None = None) -> Any:
        path = url.removeprefix("http://outside")
        if path != url and not self.outside:
            raise NoAnswer("outside")
        if path == "/facts":
            self.facts.append(body["kind"])
            return None
        if path == "/dns" and method == "GET":
            return {"region": self.dns}
        if path == "/dns":
            self.dns = body["region"]
        self.asked.append(f"{path} {body['region']}" if body else url)
        return {}

    async def ask(self, question: str, values: Any, within_s: float) -> tuple[Any, ...]:
        if "pg_promote" in question:
            self.promoted += self.recovering
            self.recovering = False
            self.asked.append("promote")
            return (True,)
        if self.recovering:
            raise DatabaseError("database is a standby", surely_not_done=True)
        return (self.writable,)

    async def answers(self) -> bool:
        return self.edge

    async def scale(self) -> None:
        self.asked.append("scale")

    async def look(self) -> None:
        self.asked.append("look")

    def failover(self) -> Failover:
        parts = (cast(Asker, self), cast(Database, self), cast(Deployments, self))
        return Failover(TOLD, *parts, fence_s=20)

    def play(self, attempts: int = 2) -> bool:
        return asyncio.run(
            Procedure("automatic-failover", self.failover().steps(), lambda *_: None, attempts, 0.0).play()
        )

    def watch_until(self, done: Callable[[], bool], most_polls: int = 200) -> None:
        async def run() -> None:
            facts = Facts("http://outside/facts", cast(Asker, self))
            automation = Automation(TOLD, cast(Region, self), self.failover(), facts)
            tasks = [asyncio.create_task(automation.watch()), asyncio.create_task(facts.send())]
            for _ in range(most_polls):
                await asyncio.sleep(0.002)
                if done():
                    break
            for task in tasks:
                task.cancel()

        asyncio.run(run())


def test_nothing_writes_in_two_places_and_the_name_moves_last() -> None:
    world = World()
    assert world.play()
    assert world.asked == [
        "/lease/fence us-east-1",
        "/lease/grant us-west-2",
        "promote",
        "scale",
        "look",
        "/dns us-west-2",
        "http://strategic/probe",
        "http://risk/probe",
    ]


@pytest.mark.proves("the automation promotes nothing before the old primary's lease has run out")
def test_without_fencing_nothing_is_promoted() -> None:
    world = World()
    world.outside = False
    assert not world.play()
    assert world.promoted == 0


def test_the_name_stays_while_no_row_can_be_written() -> None:
    world = World()
    world.writable = False
    assert not world.play()
    assert world.dns == "us-east-1"


def test_a_procedure_that_was_cut_off_is_played_again_without_harm() -> None:
    world = World()
    failover = world.failover()
    asyncio.run(failover.fence())
    asyncio.run(failover.promote())
    assert world.play()
    assert world.promoted == 1


def test_it_acts_after_failures_in_a_row_reports_and_then_rests() -> None:
    world = World()
    world.watch_until(lambda: "procedure_finished" in world.facts)
    assert world.facts[:2] == ["automation_detected", "procedure_started"]
    assert world.dns == "us-west-2"
    world.watch_until(lambda: False, most_polls=20)
    assert world.facts.count("automation_detected") == 1
    assert world.promoted == 1


@pytest.mark.parametrize("change", [{"edge": True}, {"dns": "us-west-2"}, {"outside": False}])
def test_it_leaves_alone_what_is_well_moved_already_or_cannot_be_known(change: dict[str, Any]) -> None:
    world = World()
    for name, value in change.items():
        setattr(world, name, value)
    world.watch_until(lambda: bool(world.asked), most_polls=20)
    assert world.asked == []
    assert world.promoted == 0


def test_a_step_says_what_it_waits_for() -> None:
    world = World()
    world.outside = False
    with pytest.raises(NotYet, match="outside"):
        asyncio.run(world.failover().fence())
