"""Role `reverter`: lifts a run's faults when it is told to, or when the runner falls silent.

It runs on the Docker host, outside every blast radius, as root: with Docker's socket, the regions' kubeconfigs as they
work on its network (read only), and a volume of its own that keeps the plan. Its port must be published on loopback
only: whoever reaches it can run commands in the testbed's containers. Settings, from the environment:

    PLANS        folder of the volume                            default /var/lib/gameday
    KUBECONFIGS  folder with kubeconfig-REGION.yaml of each      default /etc/gameday
    OUTSIDE_URL  where gameday-outside answers
    ADDRESSES    JSON, "host:port" of a lift's URL: where it is reached from here    default {}
    LISTEN       address and port                                default 0.0.0.0:30502
    SILENT_S     seconds without a heartbeat until it lifts      default 20
"""

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from . import settings
from .lifting import Lifter
from .plan import Plan, PlanError, Store
from .watch import SILENT_S, RefusedError, Watch

_log = logging.getLogger(__name__)


def application(watch: Watch) -> Starlette:
    """HTTP around a watch; every answer is the plan as it is then, or `{"error"}` with 400 or 409."""

    async def plan(request: Request) -> JSONResponse:
        return JSONResponse({**watch.plan.to_json(), "silence_s": round(watch.silence_s(), 3)})

    async def put(request: Request) -> JSONResponse:
        return await _answer(request, watch.put)

    async def heartbeat(request: Request) -> JSONResponse:
        return await _answer(request, lambda body: watch.heard(str(body["run"])))

    async def lift(request: Request) -> JSONResponse:
        return await _answer(
            request, lambda body: watch.lift(int(body["generation"]), by=str(body["by"]), only=body.get("only"))
        )

    async def drop(request: Request) -> JSONResponse:
        return await _answer(request, lambda body: watch.drop(int(body["generation"])))

    async def live(request: Request) -> JSONResponse:
        return JSONResponse({"ok": True})

    routes = [
        Route("/plan", plan, methods=["GET"]),
        Route("/plan", put, methods=["PUT"]),
        Route("/plan", drop, methods=["DELETE"]),
        Route("/heartbeat", heartbeat, methods=["POST"]),
        Route("/lift", lift, methods=["POST"]),
        Route("/health/live", live),
        Route("/health/ready", live),
    ]
    return Starlette(routes=routes)


async def _answer(request: Request, does: Callable[[dict[str, Any]], Plan]) -> JSONResponse:
    """Do it with the object that was sent, on a thread, for it may take as long as Docker does."""
    try:
        body = json.loads(await request.body() or b"{}")
        if not isinstance(body, dict):
            raise TypeError("an object is wanted")
        return JSONResponse((await run_in_threadpool(does, body)).to_json())
    except (PlanError, KeyError, TypeError, ValueError) as error:
        return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 400)
    except RefusedError as error:
        return JSONResponse({"error": str(error)}, 409)
    except OSError as error:
        _log.exception("cannot keep the plan")
        return JSONResponse({"error": f"the plan cannot be kept: {error}"}, 507)


def run() -> int:
    """Watch and listen until the container is stopped; return the exit code."""
    addresses = json.loads(settings.text("ADDRESSES", "{}"))
    lifter = Lifter(Path(settings.text("KUBECONFIGS", "/etc/gameday")), addresses=addresses)
    store = Store(Path(settings.text("PLANS", "/var/lib/gameday")))
    silent_s = settings.number("SILENT_S", SILENT_S)
    watch = Watch(store, lifter, settings.text("OUTSIDE_URL"), silent_s=silent_s)
    host, port = settings.address("LISTEN", settings.text("LISTEN", "0.0.0.0:30502"))
    threading.Thread(target=watch.run, daemon=True, name="watch").start()
    uvicorn.run(application(watch), host=host, port=port, log_level="warning")
    return 0
