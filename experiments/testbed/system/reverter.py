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
from .plan import PlanError, Store
from .watch import SILENT_S, RefusedError, Watch

_log = logging.getLogger(__name__)


def application(watch: Watch) -> Starlette:
    """HTTP around a watch; every answer is the plan as it is then, or `{"error"}` with 400 or 409."""

    async def plan(request: Request) -> JSONResponse:
        return JSONResponse({**watch.plan.to_json(), "silence_s": round(watch.silence_s(), 3)})

    async def put(request: Request) -> JSONResponse:
        return await _answer(watch.put, await _body(request))

    async def heartbeat(request: Request) -> JSONResponse:
        return await _answer(watch.heard, str((await _body(request)).get("run")))

    async def lift(request: Request) -> JSONResponse:
        body = await _body(request)
        return await _answer(lambda: watch.lift(int(body["generation"]), by=str(body["by"]), only=body.get("only")))

    async def drop(request: Request) -> JSONResponse:
        body = await _body(request)
        return await _answer(lambda: watch.drop(int(body["generation"])))

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


async def _body(request: Request) -> Any:
    try:
        return json.loads(await request.body() or b"{}")
    except ValueError:
        return None


async def _answer(does: Any, *arguments: Any) -> JSONResponse:
    """Do it on a thread, for it may take as long as Docker does."""
    try:
        return JSONResponse((await run_in_threadpool(does, *arguments)).to_json())
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
