"""Requests to a handler without a server."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

Handler = Callable[[Request], Awaitable[Response]]


def request(body: Any = None, query: str = "", headers: dict[str, str] | None = None, **path: Any) -> Request:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    fields = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": query.encode(), "headers": fields}
    return Request(scope | {"path_params": path}, receive)


def ask(handler: Handler, body: Any = None, query: str = "") -> tuple[int, Any]:
    """Status and JSON of the handler's answer."""

    async def answer() -> Response:
        return await handler(request(body, query))

    found = asyncio.run(answer())
    return found.status_code, json.loads(bytes(found.body))
