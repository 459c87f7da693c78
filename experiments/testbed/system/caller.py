"""Services that decide and then ask the next one: strategic and tactical differ in what they add to an order."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from .callee import Callee
from .hop import Answer, handler, integers, place, refusal, trading_switch
from .serving import application, background, serve
from .timing import Watch, epoch_us

_WARM_UP_CALLS = 200


@dataclass(frozen=True)
class Stage:
    """What a calling service does.

    Attributes:
        service: Its name.
        path: What it answers to, by POST.
        next_path: What it asks of the next hop, by POST.
        takes: Whole numbers that a body must have.
        think: Makes of them what the next hop is asked.
    """

    service: str
    path: str
    next_path: str
    takes: tuple[str, ...]
    think: Callable[[dict[str, int]], dict[str, int]]


def run_stage(stage: Stage, example: dict[str, int]) -> int:
    """Serve a stage.

    Args:
        stage: What it does.
        example: An order of its kind, for warming up; the probe asks for one like it, with a key of its own.

    Returns:
        The exit code.

    Raises:
        SettingError: A variable is missing or wrong.
    """
    here, switch, callee = place(stage.service), trading_switch(), Callee()
    warm = False

    async def order(request: Request, watch: Watch) -> Answer:
        if not switch.enabled:
            return refusal(503, "trading disabled")
        asked = await integers(request, *stage.takes)
        if asked is None:
            return refusal(400, f"the body needs whole numbers {', '.join(stage.takes)}")
        return await callee.call("POST", stage.next_path, watch, stage.think(asked))

    async def read(request: Request, watch: Watch) -> Answer:
        return await callee.call("GET", f"/orders/{request.path_params['key']}", watch)

    async def probe(_: Request, __: Watch) -> Answer:
        return Answer(200, {"service": here.service, **stage.think(example | {"key": epoch_us()})})

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        nonlocal warm
        await callee.open()
        for key in range(_WARM_UP_CALLS):
            stage.think(example | {"key": key})
            await asyncio.sleep(0)
        warm = True
        async with background(switch.watch()):
            yield
        await callee.close()

    routes = [
        Route(stage.path, handler(here, order), methods=["POST"]),
        Route("/orders/{key:int}", handler(here, read)),
        Route("/probe", handler(here, probe)),
    ]
    return serve(application(routes, lifespan, lambda: warm))
