"""Models, configuration and logs: written in the home region, pulled by the other one at intervals."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import settings
from .asking import Asker, NoAnswer
from .items import Item, Items, digest
from .serving import application, background, refused, serve
from .timing import epoch_us

SIZES = {"models": 65_536, "configuration": 1_024, "logs": 2_048}  # bytes of an item
_PATIENCE_S = 5.0
_log = logging.getLogger(__name__)


class Home:
    """The region that writes."""

    def __init__(self, stores: Mapping[str, Items], every_s: Mapping[str, float]) -> None:
        """Put it together.

        Args:
            stores: Of each class.
            every_s: Seconds between items of each class.
        """
        self._stores = stores
        self._every_s = every_s

    async def work(self, name: str) -> None:
        """Write items of a class for ever."""
        while True:
            self.write(name)
            await asyncio.sleep(self._every_s[name])

    def write(self, name: str) -> None:
        """Write the next item of a class."""
        now_us = epoch_us()
        seq = self._stores[name].next_seq(now_us)
        content = np.random.default_rng([seq, *name.encode()]).bytes(SIZES[name])
        self._stores[name].add(Item(seq, now_us), content)

    def state(self, name: str) -> dict[str, int | None]:
        """What `GET /copies` says of a class: a source has no copy."""
        last = self._stores[name].last
        return _state(last, None)


class Copy:
    """The region that pulls."""

    def __init__(
        self, stores: Mapping[str, Items], every_s: Mapping[str, float], source_url: str, asker: Asker
    ) -> None:
        """Put it together.

        Args:
            stores: Of each class.
            every_s: Seconds between pulls of each class.
            source_url: Of `copies` in the home region.
            asker: For HTTP.
        """
        self._stores = stores
        self._every_s = every_s
        self._url = f"{source_url.rstrip('/')}/copies"
        self._asker = asker
        self._source: dict[str, Item] = {}

    async def work(self, name: str) -> None:
        """Pull a class for ever."""
        while True:
            try:
                await self.pull(name)
            except NoAnswer as error:
                _log.warning("%s not pulled: %s", name, error)
            await asyncio.sleep(self._every_s[name])

    async def pull(self, name: str) -> None:
        """Pull what is new, oldest first, so that a copy has no hole.

        Raises:
            NoAnswer: The source does not answer, or an item is not what it should be.
        """
        listed = [Item(seq, written_us) for seq, written_us in await self._asker.need("GET", f"{self._url}/{name}")]
        if not listed:
            return
        self._source[name] = listed[-1]
        store = self._stores[name]
        for item in listed:
            if store.last is not None and item.seq <= store.last.seq:
                continue
            content, told = await self._asker.content(f"{self._url}/{name}/{item.seq}")
            if digest(content) != told:
                raise NoAnswer(f"{name} {item.seq}: damaged on the way")
            store.add(item, content)

    def state(self, name: str) -> dict[str, int | None]:
        """What `GET /copies` says of a class."""
        return _state(self._source.get(name), self._stores[name].last)


def _state(source: Item | None, copied: Item | None) -> dict[str, int | None]:
    return {
        "source_last_seq": source.seq if source else None,
        "source_last_us": source.written_us if source else None,
        "copied_seq": copied.seq if copied else None,
        "recovery_point_us": copied.written_us if copied else None,
    }


def _routes(stores: Mapping[str, Items], states: Any) -> list[Route]:
    async def summary(_: Request) -> Response:
        return JSONResponse({name: states(name) for name in stores})

    async def listing(request: Request) -> Response:
        store = stores.get(request.path_params["name"])
        if store is None:
            return refused(404, f"no such class; there are {', '.join(stores)}")
        return JSONResponse([[item.seq, item.written_us] for item in store.items])

    async def one(request: Request) -> Response:
        store = stores.get(request.path_params["name"])
        content = store.content(request.path_params["seq"]) if store else None
        if content is None:
            return refused(404, "no such item")
        return Response(content, media_type="application/octet-stream", headers={"X-Sha256": digest(content)})

    return [Route("/copies", summary), Route("/copies/{name}", listing), Route("/copies/{name}/{seq:int}", one)]


def run() -> int:
    """Serve, and write or pull.

    Returns:
        The exit code.

    Raises:
        SettingError: A variable is missing or wrong.
    """
    home = settings.text("REGION") == settings.text("HOME_REGION")
    data = Path(settings.text("DATA", "/data"))
    write_s = settings.numbers("WRITE_S", "models=30,configuration=60,logs=5")
    pull_s = settings.numbers("PULL_S", "models=120,configuration=300,logs=30")
    for variable, found in (("WRITE_S", write_s), ("PULL_S", pull_s)):
        if set(found) != set(SIZES):
            raise settings.SettingError(f"environment variable {variable} must name {', '.join(SIZES)}")
    source_url = "" if home else settings.url("SOURCE_URL", "http")
    stores = {name: Items(data / name) for name in SIZES}
    worker: Home | Copy | None = Home(stores, write_s) if home else None

    def state(name: str) -> dict[str, int | None]:
        return worker.state(name) if worker else _state(None, stores[name].last)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        nonlocal worker
        asker = Asker(_PATIENCE_S)
        worker = worker or Copy(stores, pull_s, source_url, asker)
        async with background(*(worker.work(name) for name in SIZES)):
            yield
        await asker.close()

    return serve(application(_routes(stores, state), lifespan, lambda: True))
