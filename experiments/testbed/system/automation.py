"""The failover automation: watches the primary region's edges from the other region, and moves everything there."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import settings
from .asking import Asker, NoAnswer
from .database import SCHEMES, Database, DatabaseError
from .deployments import Deployments
from .polling import PROBE, PROBE_KEY, Region, Service, Writer
from .procedure import FailureCount, NotYet, Procedure, Step
from .serving import application, background, serve
from .timing import epoch_us

NAME = "automatic-failover"
_PROMOTE_S = 30
_PROMOTE = f"SELECT CASE WHEN pg_is_in_recovery() THEN pg_promote(true, {_PROMOTE_S}) ELSE true END"
_PATIENCE_S = 2.0
_ATTEMPTS = 300
_PAUSE_S = 0.5
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """What the automation is told; see docs/explanation/game-day.md."""

    region: str
    primary: str
    outside_url: str
    verify_urls: tuple[str, ...]
    poll_s: float
    failures: int
    working: bool


class Facts:
    """Facts on their way to the outside; they wait while it does not answer."""

    def __init__(self, url: str, asker: Asker) -> None:
        """Begin with none.

        Args:
            url: Of `/facts`.
            asker: For posting.
        """
        self._url = url
        self._asker = asker
        self._waiting: deque[dict[str, Any]] = deque()
        self._more = asyncio.Event()

    def report(self, kind: str, subject: str, detail: dict[str, Any]) -> None:
        """Take a fact with the time of now."""
        _log.info("%s %s %s", kind, subject, detail)
        self._waiting.append({"t_us": epoch_us(), "kind": kind, "subject": subject, "detail": detail})
        self._more.set()

    async def send(self) -> None:
        """Post them in order, for ever."""
        while True:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                try:
                    await self._asker.need("POST", self._url, self._waiting[0])
                    self._waiting.popleft()
                except NoAnswer:
                    await asyncio.sleep(_PAUSE_S)


class Failover:
    """The steps of the procedure; each looks first, so that doing it again does no harm."""

    def __init__(
        self, told: Settings, asker: Asker, database: Database, deployments: Deployments, fence_s: float
    ) -> None:
        """Put it together.

        Args:
            told: The settings.
            asker: For HTTP.
            database: Of this region, as `operator`.
            deployments: Of this region.
            fence_s: Greatest time that fencing takes, in seconds.
        """
        self._told = told
        self._asker = asker
        self._database = database
        self._deployments = deployments
        self._fence_s = fence_s

    def steps(self) -> tuple[Step, ...]:
        """The steps in order: nothing writes in two places, and the name moves when the new region can answer."""
        return (
            Step("fence", self.fence),
            Step("promote", self.promote),
            Step("deploy", self._deployments.scale),
            Step("ready", self._deployments.look),
            Step("dns", self.switch_dns),
            Step("verify", self.verify),
        )

    async def points_home(self) -> bool:
        """Whether users are sent to the primary region; an outside that does not answer is no reason to act."""
        try:
            found = await self._asker.need("GET", f"{self._told.outside_url}/dns")
        except NoAnswer as error:
            _log.warning("cannot tell where DNS points: %s", error)
            return False
        return bool(found["region"] == self._told.primary)

    async def fence(self) -> None:
        """The old primary's lease has run out, and it gets no other."""
        await self._need("POST", "/lease/fence", {"region": self._told.primary}, self._fence_s)

    async def promote(self) -> None:
        """This region holds the lease, its database is out of recovery, and a row can be written."""
        await self._need("POST", "/lease/grant", {"region": self._told.region})
        try:
            promoted = await self._database.ask(_PROMOTE, (), _PROMOTE_S + 2.0)
            if promoted is None or not promoted[0]:
                raise NotYet("still in recovery")
            written = await self._database.ask(PROBE, (PROBE_KEY, epoch_us()), _PATIENCE_S)
        except DatabaseError as error:
            raise NotYet(f"database: {error.reason}") from error
        if written is None or not written[0]:
            raise NotYet("a row cannot be written yet")

    async def switch_dns(self) -> None:
        """The users' name points to this region."""
        await self._need("PUT", "/dns", {"region": self._told.region})

    async def verify(self) -> None:
        """What users ask is answered here."""
        for url in self._told.verify_urls:
            await self._get(url)

    async def _get(self, url: str) -> None:
        try:
            await self._asker.need("GET", url)
        except NoAnswer as error:
            raise NotYet(str(error)) from error

    async def _need(self, method: str, path: str, body: dict[str, Any], patience_s: float | None = None) -> None:
        try:
            await self._asker.need(method, f"{self._told.outside_url}{path}", body, patience_s)
        except NoAnswer as error:
            raise NotYet(str(error)) from error


class Automation:
    """Polls, and acts when it must."""

    def __init__(self, told: Settings, primary: Region, failover: Failover, facts: Facts) -> None:
        """Put it together.

        Args:
            told: The settings.
            primary: The region that is polled.
            failover: What it does.
            facts: Where it reports.
        """
        self._told = told
        self._primary = primary
        self._failover = failover
        self._facts = facts
        self._count = FailureCount(told.failures)
        self._procedure: Procedure | None = None
        self._last_ok: bool | None = None
        self._runs = 0

    async def watch(self) -> None:
        """Poll for ever; while users are not sent to the primary region there is nothing to do."""
        while True:
            began = time.monotonic()
            if self._count.seen(await self._primary.answers()) and await self._failover.points_home():
                await self._act()
            await asyncio.sleep(max(0.0, self._told.poll_s - (time.monotonic() - began)))

    async def _act(self) -> None:
        self._facts.report("automation_detected", "automation", {"failures": self._count.failures})
        self._procedure = Procedure(NAME, self._failover.steps(), self._facts.report, _ATTEMPTS, _PAUSE_S)
        self._runs += 1
        self._last_ok = await self._procedure.play()
        self._procedure = None
        self._count = FailureCount(self._told.failures)

    async def status(self, _: Request) -> Response:
        """`GET /status`."""
        now = self._procedure
        return JSONResponse(
            {
                "working": self._told.working,
                "watches": self._told.primary,
                "failures": self._count.failures,
                "step": now.step if now else None,
                "waits_for": now.waits_for if now else None,
                "runs": self._runs,
                "last_ok": self._last_ok,
            }
        )


def read_settings() -> Settings:
    """The settings from the environment.

    Raises:
        SettingError: A variable is missing or wrong.
    """
    return Settings(
        region=settings.text("REGION"),
        primary=settings.text("PRIMARY_REGION"),
        outside_url=settings.url("OUTSIDE_URL", "http").rstrip("/"),
        verify_urls=tuple(settings.text("VERIFY_URLS").split(",")),
        poll_s=settings.number("POLL_S", 2),
        failures=settings.whole("FAILURES", 3),
        working=settings.one_of("WORKING", ("yes", "no"), "yes") == "yes",
    )


def run() -> int:
    """Serve and watch.

    Returns:
        The exit code.

    Raises:
        SettingError: A variable is missing or wrong.
    """
    told = read_settings()
    plan = {name: int(replicas) for name, replicas in settings.numbers("PLAN").items()}
    deployments = Deployments(settings.text("NAMESPACE", "grandmodel"), plan)
    database = Database(settings.url("DATABASE_URL", *SCHEMES), 1, (_PROMOTE_S + 1) * 1000)
    edge_url, patience_s = settings.url("EDGE_URL", "http"), settings.number("POLL_TIMEOUT_S", 1)
    far_database = Database(settings.url("EDGE_DATABASE_URL", *SCHEMES), 1, int(patience_s * 1000))
    fence_s = 2 * settings.number("LEASE_S", 10) + _PATIENCE_S
    automation: Automation | None = None

    async def status(request: Request) -> Response:
        return await automation.status(request) if automation else Response(b"not started", 503)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        nonlocal automation
        asker = Asker(_PATIENCE_S)
        facts = Facts(f"{told.outside_url}/facts", asker)
        edges = (Service(edge_url, asker, patience_s).look, Writer(far_database, patience_s).look)
        failover = Failover(told, asker, database, deployments, fence_s)
        automation = Automation(told, Region(edges, patience_s), failover, facts)
        await database.open()
        await far_database.open()
        async with background(facts.send(), *([automation.watch()] if told.working else [])):
            yield
        await far_database.close()
        await database.close()
        await asker.close()

    return serve(application([Route("/status", status)], lifespan, lambda: automation is not None))
