"""The line between the regions: replication goes through it, and it can be stalled, throttled and delayed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import settings
from .relay import Relay, read_flow
from .serving import application, json_object, refused, serve


def run() -> int:
    """Serve the admin port, and carry.

    Returns:
        The exit code.

    Raises:
        SettingError: A variable is missing or wrong.
    """
    targets = {region: settings.address("TARGETS", found) for region, found in settings.pairs("TARGETS").items()}
    relay = Relay(targets, settings.one_of("TARGET", tuple(targets)))
    port = settings.whole("LISTEN_PORT", 5432)

    async def read(_: Request) -> Response:
        return JSONResponse(relay.state())

    async def change(request: Request) -> Response:
        flow = read_flow(await json_object(request) or {}, relay.flow, targets)
        if isinstance(flow, str):
            return refused(400, flow)
        relay.change(flow)
        return JSONResponse(relay.state())

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        server = await asyncio.start_server(relay.carry, "0.0.0.0", port)
        yield
        server.close()

    routes = [Route("/replication", read), Route("/replication", change, methods=["PUT"])]
    return serve(application(routes, lifespan, lambda: True))
