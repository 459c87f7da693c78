"""The risk service: value at risk of each order on top of the positions, then the order into the database."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np
from prometheus_client import Gauge
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from . import settings
from .database import SCHEMES, Database, DatabaseError
from .hop import Answer, handler, integers, place, refusal, trading_switch
from .models import INSTRUMENTS, Integers, RiskModel
from .serving import application, background, serve
from .throttle import Throttle
from .timing import Watch

_CURRENT = Gauge("risk_var_current", "value at risk of the positions, 99 %, one day, money")
_LIMIT = Gauge("risk_var_limit", "its limit, money")
_SHOCK = Gauge("risk_correlation_shock_alert", "1 when instruments fall together")
_AS_OF = Gauge("risk_positions_as_of_seconds", "instant that the positions are true for, epoch")
_TAKES = ("key", "seq", "sent_us", "instrument", "quantity")
_READ_WITHIN_S = 1.0
_WARM_UP_CALLS = 200
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Positions:
    """Positions as last read.

    Attributes:
        timeline: Region and timeline of the database they came from.
        as_of_us: The instant they are true for, epoch microseconds.
        units: Of each instrument.
    """

    timeline: str
    as_of_us: int
    units: Integers


class Desk:
    """What the risk service knows and does."""

    def __init__(self, database: Database, throttle: Throttle, limit: float) -> None:
        """Put it together.

        Args:
            database: Of this region.
            throttle: In Redis.
            limit: Greatest value at risk, in money.
        """
        self._database = database
        self._throttle = throttle
        self._limit = limit
        self._model = RiskModel()
        self.positions: Positions | None = None
        self._answers = True
        _LIMIT.set(limit)
        _SHOCK.set(self._model.correlation_shock())

    def warm_up(self) -> None:
        """Run the model until it is as fast as it gets."""
        for units in range(_WARM_UP_CALLS):
            self._model.value_at_risk(np.full(INSTRUMENTS, units))

    async def follow(self, every_s: float) -> None:
        """Read positions again and again; the last known ones stay while the database is away."""
        while True:
            try:
                row = await self._database.ask("SELECT * FROM gameday_positions()", (), _READ_WITHIN_S)
                if row is not None:
                    self._take(row)
                self._note(True, "answers")
            except DatabaseError as error:
                self._note(False, error.reason)
            await asyncio.sleep(every_s)

    async def check(self, order: dict[str, int], watch: Watch) -> Answer:
        """Value at risk with the order on top, the throttle, then the row, committed."""
        if self.positions is None:
            return refusal(503, "positions unknown")
        if not 0 <= order["instrument"] < INSTRUMENTS:
            return refusal(400, f"instrument {order['instrument']}; there are {INSTRUMENTS}, from 0")
        began_ns = time.perf_counter_ns()
        allowed = await self._throttle.allows()
        watch.waited("redis", began_ns)
        if not allowed:
            return refusal(429, "too many orders this second")
        after = self.positions.units.copy()
        after[order["instrument"]] += order["quantity"]
        before_var, after_var = self._model.value_at_risk(self.positions.units), self._model.value_at_risk(after)
        if after_var > self._limit and after_var > before_var:
            return refusal(422, "over the VaR limit")
        row = await self._ask(
            "SELECT * FROM gameday_order(%s, %s, %s, %s, %s)", [order[name] for name in _TAKES], watch
        )
        if isinstance(row, Answer):
            return row
        region, now, timeline, position = row
        body = {"key": order["key"], "timeline": timeline, "position": position}
        return Answer(200, body, {"X-Timeline": f"{region}:{now}", "X-As-Of-Us": str(self.positions.as_of_us)})

    async def read(self, key: int, watch: Watch) -> Answer:
        """An order that is in the database."""
        row = await self._ask("SELECT * FROM gameday_order_read(%s)", [key], watch)
        if isinstance(row, Answer):
            return row
        region, now, timeline, position, copies = row
        body = {"key": key, "timeline": timeline, "position": position, "copies": copies}
        return Answer(200 if copies else 404, body, {"X-Timeline": f"{region}:{now}"})

    def assess(self) -> Answer:
        """Value at risk of the last known positions."""
        known = self.positions
        if known is None:
            return refusal(503, "positions unknown")
        body = {"service": "risk", "var": self._model.value_at_risk(known.units), "limit": self._limit}
        return Answer(200, body, {"X-Timeline": known.timeline, "X-As-Of-Us": str(known.as_of_us)})

    async def _ask(self, question: str, values: list[int], watch: Watch) -> tuple[object, ...] | Answer:
        began_ns = time.perf_counter_ns()
        try:
            row = await self._database.ask(question, values, watch.left_s())
        except DatabaseError as error:
            return refusal(503 if error.surely_not_done else 504, error.reason)
        finally:
            watch.waited("database", began_ns)
        return refusal(500, "the database found no row") if row is None else row

    def _take(self, row: tuple[object, ...]) -> None:
        region, timeline, as_of_us, quantities = row
        units = np.array(quantities, dtype=np.int64)
        self.positions = Positions(f"{region}:{timeline}", int(str(as_of_us)), units)
        _CURRENT.set(self._model.value_at_risk(units))
        _AS_OF.set(self.positions.as_of_us / 1e6)

    def _note(self, answers: bool, words: str) -> None:
        if answers != self._answers:
            _log.info("the database %s: %s", "is back" if answers else "is away", words)
        self._answers = answers


def run() -> int:
    """Serve.

    Returns:
        The exit code.

    Raises:
        SettingError: A variable is missing or wrong.
    """
    here, switch = place("risk"), trading_switch()
    database = Database(settings.url("DATABASE_URL", *SCHEMES), settings.whole("POOL_SIZE", 6), here.deadline_ms)
    throttle = Throttle(settings.url("REDIS_URL", "redis"), settings.whole("ORDERS_PER_S", 1000))
    desk = Desk(database, throttle, settings.number("VAR_LIMIT", 1_000_000))
    every_s = settings.number("POSITIONS_S", 0.5)

    async def check(request: Request, watch: Watch) -> Answer:
        if not switch.enabled:
            return refusal(503, "trading disabled")
        order = await integers(request, *_TAKES)
        if order is None:
            return refusal(400, f"the body needs whole numbers {', '.join(_TAKES)}")
        return await desk.check(order, watch)

    async def read(request: Request, watch: Watch) -> Answer:
        return await desk.read(request.path_params["key"], watch)

    async def probe(_: Request, __: Watch) -> Answer:
        return desk.assess()

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        desk.warm_up()
        await database.open()
        await throttle.allows()  # connects before the first order does
        async with background(switch.watch(), desk.follow(every_s)):
            yield
        await database.close()
        await throttle.close()

    routes = [
        Route("/checks", handler(here, check), methods=["POST"]),
        Route("/orders/{key:int}", handler(here, read)),
        Route("/probe", handler(here, probe)),
    ]
    return serve(application(routes, lifespan, lambda: desk.positions is not None))
