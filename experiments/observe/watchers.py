"""Watchers."""

import asyncio
from collections.abc import Mapping
from typing import Any

from experiments.observe.clock import Clock
from experiments.observe.wire import Sender


async def work(document: Mapping[str, Any], clock: Clock, wire: Sender, stop: asyncio.Event) -> None:
    """Watch."""
    del document, clock, wire
    await stop.wait()
