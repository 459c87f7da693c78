"""How every role serves: health, metrics, one process, no access log."""

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from . import settings

Handler = Callable[[Request], Awaitable[Response]]
KEEP_ALIVE_S = 75  # longer than any client of ours keeps an idle connection, so that the client is the one who closes
_FAILED = threading.Event()
_log = logging.getLogger(__name__)


def application(
    routes: Sequence[BaseRoute],
    lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]],
    ready: Callable[[], bool],
) -> Starlette:
    """An application with health and metrics beside its own routes.

    Args:
        routes: Its own routes.
        lifespan: Starts and ends what it needs.
        ready: Whether it can do its work.

    Returns:
        The application.
    """

    async def live(_: Request) -> Response:
        return Response(b"alive")

    async def readiness(_: Request) -> Response:
        return Response(b"ready") if ready() else Response(b"not ready", 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    common = [Route("/health/live", live), Route("/health/ready", readiness), Route("/metrics", metrics)]
    return Starlette(routes=[*routes, *common], lifespan=lifespan)


def serve(app: Starlette) -> int:
    """Serve until told to end; open requests get 5 s.

    Returns:
        The exit code: 1 when a part of the role failed.
    """
    uvicorn.run(
        app,
        host="0.0.0.0",
        port=settings.whole("PORT", 8080),
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=5,
    )
    return 1 if _FAILED.is_set() else 0


@contextlib.asynccontextmanager
async def background(*jobs: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run jobs beside what is inside; one that fails is logged and ends the process, for whoever restarts it."""
    tasks = [asyncio.create_task(job) for job in jobs]
    for task in tasks:
        task.add_done_callback(_end_when_failed)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def json_object(request: Request) -> dict[str, Any] | None:
    """The body as a JSON object; None when it is none."""
    with contextlib.suppress(ValueError):
        found = await request.json()
        if isinstance(found, dict):
            return found
    return None


def refused(status: int, reason: str) -> JSONResponse:
    """An answer that says why not."""
    return JSONResponse({"reason": reason}, status)


def _end_when_failed(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a part of this role failed", exc_info=error)
        _FAILED.set()
        signal.raise_signal(signal.SIGTERM)
