"""What a prober asks of each part of the system, and what it makes of the answer."""

import asyncio
import json
from dataclasses import dataclass

from experiments.observe import names
from experiments.observe.clock import Clock
from experiments.observe.database import Beside
from experiments.observe.database import probe as probe_database
from experiments.observe.http import Response, ask, request
from experiments.observe.settings import Where

_FOREVER_S = 3_600.0  # the prober's own timeout ends every question
PAGE_LOOK_S = 0.5  # how often it is asked whether a test page has come
TEST_ALERT = "TestPage"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `written`: a row was written and read back; `right`: as asked, its age apart."""

    status: str
    address: str | None = None  # region
    region: str | None = None
    pod: str | None = None
    timeline: str | None = None
    as_of_us: int | None = None
    right: bool = False
    written: bool = False


class Asker:
    """Asks services, the database, the whole chain, and for a test page."""

    def __init__(self, where: Where, clock: Clock) -> None:
        self._where = where
        self._clock = clock
        self._newest_page = 0
        self._databases = Beside()

    def close(self) -> None:
        """Nothing is asked any more."""
        self._databases.close()

    def address_of(self, region: str | None) -> str | None:
        """Address of a region's edge."""
        return None if region is None else self._where.places[region]

    def region_of(self, address: str) -> str | None:
        """Region at an address."""
        return self._where.region(address)

    async def service(self, address: str, service: str) -> Answer:
        """GET /probe of one service."""
        response = await self._ask(address, service, "GET", "/probe")
        return self._answer(response, address, service, right=response.code == 200)

    async def order(self, address: str, key: int) -> Answer:
        """Send an order of our own through the whole chain, and read it back."""
        body = {"key": key, "seq": -1, "sent_us": self._clock.epoch_us(self._clock.now_us())}
        response = await self._ask(address, "strategic", "POST", "/orders", json.dumps(body).encode())
        if response.code != 200:
            return self._answer(response, address, "strategic", right=False)
        back = await self._ask(address, "strategic", "GET", f"/orders/{key}")
        found = back.json() if back.code == 200 else None
        right = isinstance(found, dict) and found.get("key") == key
        return self._answer(back, address, "strategic", right=right, written=right)

    async def database(self, address: str, key: int, timeout_us: int) -> Answer:
        """Write a row and read it back, over a new connection to the database."""
        sent_us = self._clock.epoch_us(self._clock.now_us())
        region, timeout_s = self._where.region(address), timeout_us / 1e6
        host, port = (address, self._where.ports["database"]) if region is None else self._where.database(region)
        status, row = await self._databases.run(probe_database(host, port, key, sent_us, timeout_s))
        if row is None:
            return Answer(status, region, region if status == "5xx" else None)
        return Answer(
            status, region, row.region, f"{row.region}/database", f"{row.region}/{row.timeline}",
            right=row.writable, written=row.writable,
        )  # fmt: skip

    async def page(self, key: int, timeout_us: int) -> Answer:
        """Have a test page sent, and wait until it has arrived."""
        assert self._where.outside is not None, "a page receiver"
        host, port = self._where.outside
        body = json.dumps({"key": key}).encode()
        after = self._newest_page  # it comes after all that have come
        sent = await ask(host, port, request("POST", "/test-page", f"{host}:{port}", body), timeout_us / 1e6)
        if not 200 <= sent.code < 300:
            return Answer(sent.status)
        while True:
            response = await ask(host, port, request("GET", f"/pages?after={after}", f"{host}:{port}"), 5.0)
            pages = response.json() if response.code == 200 else None
            for page in pages if isinstance(pages, list) else []:
                after = max(after, int(page.get("n", 0)))
                self._newest_page = max(self._newest_page, after)
                if page.get("alert") == TEST_ALERT and str(page.get("key")) == str(key):
                    return Answer("2xx", region=page.get("region") or None, right=True)
            await asyncio.sleep(PAGE_LOOK_S)

    async def _ask(self, address: str, service: str, method: str, path: str, body: bytes = b"") -> Response:
        port = self._where.ports[service]
        return await ask(address, port, request(method, path, f"{self._where.name}:{port}", body), _FOREVER_S)

    def _answer(self, response: Response, address: str, service: str, *, right: bool, written: bool = False) -> Answer:
        headers = response.headers
        region = headers.get("x-region")
        timeline = names.timeline_name(headers.get("x-timeline")) if written else None
        return Answer(
            response.status, self._where.region(address), region,
            names.pod_name(region, service, headers.get("x-pod")), timeline, names.as_of_us(headers, self._clock),
            right, written,
        )  # fmt: skip
