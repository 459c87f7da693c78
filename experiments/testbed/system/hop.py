"""What the three services have in common: place, headers of answers, counting, deadlines, the trading switch."""

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import Counter, Histogram
from starlette.requests import Request
from starlette.responses import Response

from . import settings
from .timing import DEADLINE, OWN, Watch
from .trading import TradingSwitch

# The pod is a label of its own: the other region scrapes "a pod of the service" at one address, and when that leads to
# another pod, its count is not to look like the first one's that has begun anew.
_REQUESTS = Counter("http_requests_total", "answers to users and callers", ["pod", "status"])
_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_DURATION = Histogram("http_request_duration_seconds", "time to answer, with the wait for callees", buckets=_BUCKETS)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """Where a service runs, and its limits."""

    service: str
    region: str
    pod: str
    deadline_ms: int


@dataclass(frozen=True)
class Answer:
    """What is answered; `headers` are those of databases and data, the others are added."""

    status: int
    body: Mapping[str, Any] | bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Work = Callable[[Request, Watch], Awaitable[Answer]]


def place(service: str) -> Place:
    """This container's place, from its environment.

    Raises:
        SettingError: A variable is missing or wrong.
    """
    return Place(
        service,
        settings.text("REGION"),
        settings.text("POD_NAME", socket.gethostname()),
        settings.whole("DEADLINE_MS", 1000),
    )


def trading_switch() -> TradingSwitch:
    """The switch at the place that the environment names."""
    return TradingSwitch(Path(settings.text("TRADING_ENABLED_FILE", "/etc/grandmodel/trading_enabled")))


def refusal(status: int, reason: str) -> Answer:
    """An answer that says why not."""
    return Answer(status, {"reason": reason})


def handler(here: Place, work: Work) -> Callable[[Request], Awaitable[Response]]:
    """Work as an endpoint: counted, ended at its deadline, with the headers that every answer has.

    Args:
        here: The service's place.
        work: Answers a request; what it waits for it tells the watch.

    Returns:
        The endpoint.
    """

    async def endpoint(request: Request) -> Response:
        watch = Watch(here.service, here.deadline_ms, request.headers.get(DEADLINE))
        status = 500
        try:
            try:
                async with asyncio.timeout(watch.left_s()):
                    answer = await work(request, watch)
                late = watch.left_s() == 0  # after a pause an answer and the deadline come at once
            except TimeoutError:
                late = True
            if late:
                answer = refusal(504, f"deadline of {here.service}")
            status = answer.status
        finally:
            _REQUESTS.labels(here.pod, str(status)).inc()
            _DURATION.observe(watch.elapsed_s())
        body = (
            answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body, separators=(",", ":")).encode()
        )
        headers = {"X-Region": here.region, "X-Pod": here.pod, OWN: watch.own(), **answer.headers}
        return Response(body, status, headers, "application/json")

    return endpoint


async def integers(request: Request, *names: str) -> dict[str, int] | None:
    """The whole numbers of those names in the body; None when it is no such object."""
    try:
        found = json.loads(await request.body())
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    values = {name: found.get(name) for name in names}
    return {name: value for name, value in values.items() if type(value) is int} if _all_whole(values) else None


def _all_whole(values: Mapping[str, Any]) -> bool:
    return all(type(value) is int and -(2**63) <= value < 2**63 for value in values.values())
