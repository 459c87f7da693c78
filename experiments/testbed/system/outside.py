"""Outside both regions: pages that arrived, the DNS record, the writer's lease, facts that actors report."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import settings
from .asking import Asker, NoAnswer
from .granting import Grants, Lease, Refused
from .keeping import recall, remember, write_whole
from .serving import application, json_object, refused, serve
from .timing import epoch_us
from .zone import next_serial, zone_text

TEST_PAGE = "TestPage"


class Numbered:
    """A list that only grows; each entry has its number `n`, from 1."""

    def __init__(self) -> None:
        self._entries: list[dict[str, Any]] = []

    def add(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Add an entry; returned with its number."""
        numbered = {"n": len(self._entries) + 1, **entry}
        self._entries.append(numbered)
        return numbered

    async def read(self, request: Request) -> Response:
        """`GET ...?after=N`: the entries after that number."""
        after = request.query_params.get("after", "0")
        if not after.isdecimal():
            return refused(400, f"after={after!r}; expected a number")
        return JSONResponse(self._entries[int(after) :])


class Names:
    """The DNS record: where the users' name points."""

    def __init__(self, data: Path, zones: Path) -> None:
        """Take up what was remembered, and write the zone.

        Args:
            data: Folder of what it must remember.
            zones: Folder that CoreDNS reads.

        Raises:
            SettingError: A variable is missing or wrong.
        """
        self._zone, self._ttl_s = settings.text("ZONE"), settings.whole("TTL_S", 5)
        self.addresses = settings.pairs("ADDRESSES")
        self._home = settings.one_of("HOME_REGION", tuple(self.addresses))
        self._memory, self._file = data / "dns.json", zones / f"db.{self._zone}"
        known = recall(self._memory)
        self._region, self._serial = str(known.get("region", self._home)), int(known.get("serial", 0))
        self._changed_us = epoch_us()
        self._blocked = False
        self._point_to(self._region)

    def _point_to(self, region: str) -> None:
        self._serial = next_serial(self._serial, epoch_us() // 1_000_000)
        text = zone_text(self._zone, self._ttl_s, self._serial, region, self.addresses)
        remember(self._memory, {"region": region, "serial": self._serial})
        write_whole(self._file, text.encode())
        self._region, self._changed_us = region, epoch_us()

    def _state(self) -> dict[str, Any]:
        return {
            "region": self._region,
            "serial": self._serial,
            "changed_us": self._changed_us,
            "blocked": self._blocked,
            "ttl_s": self._ttl_s,
        }

    async def read(self, _: Request) -> Response:
        """`GET /dns`."""
        return JSONResponse(self._state())

    async def change(self, request: Request) -> Response:
        """`PUT /dns {"region"}`; the same region again changes nothing."""
        region = await _region(request, tuple(self.addresses))
        if self._blocked:
            return refused(503, "changes of DNS are blocked")
        if region is None:
            return _which(tuple(self.addresses))
        if region != self._region:
            self._point_to(region)
        return JSONResponse(self._state())

    async def block(self, request: Request) -> Response:
        """`POST /dns/block {"blocked"}`."""
        body = await json_object(request)
        blocked = (body or {}).get("blocked")
        if not isinstance(blocked, bool):
            return refused(400, "expected blocked: true or false")
        self._blocked = blocked
        return JSONResponse(self._state())


class Witness:
    """The writer's lease over HTTP."""

    def __init__(self, data: Path, regions: tuple[str, ...]) -> None:
        """Take up what was remembered; the old lease is taken as just renewed.

        Args:
            data: Folder of what it must remember.
            regions: Who can hold it.

        Raises:
            SettingError: A variable is missing or wrong.
        """
        self._memory, self._regions = data / "lease.json", regions
        length_us = settings.whole("LEASE_S", 10) * 1_000_000
        known = recall(self._memory)
        holder = str(known.get("holder", settings.text("HOME_REGION")))
        lease = Lease(holder, bool(known.get("fenced", False)), epoch_us() + length_us)
        self._grants = Grants(lease, length_us)

    async def read(self, _: Request) -> Response:
        """`GET /lease`."""
        return JSONResponse(self._state())

    async def renew(self, request: Request) -> Response:
        """`POST /lease/renew {"region"}`."""
        region = await _region(request, self._regions)
        if region is None:
            return _which(self._regions)
        try:
            expires_us = self._grants.renew(region, epoch_us())
        except Refused as error:
            return refused(409, str(error))
        return JSONResponse({"region": region, "expires_us": expires_us})

    async def fence(self, request: Request) -> Response:
        """`POST /lease/fence {"region"}`: answers when that region's lease has run out."""
        region = await _region(request, self._regions)
        if region is None:
            return _which(self._regions)
        expires_us = self._grants.fence(region, epoch_us())
        self._remember()
        while (left_us := expires_us - epoch_us()) >= 0:
            await asyncio.sleep(left_us / 1e6 + 0.001)
        return JSONResponse({"region": region, "expires_us": expires_us})

    async def grant(self, request: Request) -> Response:
        """`POST /lease/grant {"region"}`."""
        region = await _region(request, self._regions)
        if region is None:
            return _which(self._regions)
        try:
            self._grants.grant(region, epoch_us())
        except Refused as error:
            return refused(409, str(error))
        self._remember()
        return JSONResponse(self._state())

    def _state(self) -> dict[str, Any]:
        lease = self._grants.lease
        return {"region": lease.holder, "fenced": lease.fenced, "expires_us": lease.expires_us}

    def _remember(self) -> None:
        remember(self._memory, {"holder": self._grants.lease.holder, "fenced": self._grants.lease.fenced})


class Pages:
    """Pages as they arrive from Alertmanager, and test pages that go the same way."""

    def __init__(self, alertmanager_url: str) -> None:
        """Begin with none.

        Args:
            alertmanager_url: Where test pages are sent.
        """
        self._alertmanager_url = alertmanager_url.rstrip("/")
        self.received = Numbered()
        self.asker: Asker | None = None

    async def receive(self, request: Request) -> Response:
        """`POST /pages`, Alertmanager's webhook: one page an alert in it."""
        now_us = epoch_us()
        alerts = (await json_object(request) or {}).get("alerts")
        if not isinstance(alerts, list):
            return refused(400, "expected Alertmanager's webhook, with alerts")
        for alert in alerts:
            self.received.add(page(alert, now_us))
        return JSONResponse({"pages": len(alerts)})

    async def test(self, request: Request) -> Response:
        """`POST /test-page {"key"}`: sends an alert through Alertmanager."""
        key = (await json_object(request) or {}).get("key")
        if not isinstance(key, str | int):
            return refused(400, "expected a key")
        if self.asker is None:
            return refused(503, "not started")
        labels = {"alertname": TEST_PAGE, "severity": "none", "key": str(key)}
        alert = {"labels": labels, "startsAt": datetime.now(UTC).isoformat()}
        try:
            await self.asker.need("POST", f"{self._alertmanager_url}/api/v2/alerts", [alert])
        except NoAnswer as error:
            return refused(503, f"alertmanager: {error}")
        return JSONResponse({"key": key})


def page(alert: dict[str, Any], now_us: int) -> dict[str, Any]:
    """An alert of a webhook as a page; labels that it does not have are empty."""
    labels = alert.get("labels", {})
    found = {
        "received_us": now_us,
        "alert": labels.get("alertname", ""),
        "severity": labels.get("severity", ""),
        "status": alert.get("status", ""),
        "region": labels.get("region", ""),
    }
    return found | ({"key": labels["key"]} if "key" in labels else {})


async def _region(request: Request, regions: tuple[str, ...]) -> str | None:
    region = (await json_object(request) or {}).get("region")
    return region if region in regions else None


def _which(regions: tuple[str, ...]) -> Response:
    return refused(400, f"expected a region, one of {', '.join(regions)}")


def _fact(body: dict[str, Any]) -> dict[str, Any] | None:
    kind, subject, detail, t_us = (body.get(name) for name in ("kind", "subject", "detail", "t_us"))
    if not (isinstance(kind, str) and isinstance(subject, str)):
        return None
    told = t_us if type(t_us) is int else epoch_us()
    return {"t_us": told, "kind": kind, "subject": subject, "detail": detail if isinstance(detail, dict) else {}}


def run() -> int:
    """Serve.

    Returns:
        The exit code.

    Raises:
        SettingError: A variable is missing or wrong.
    """
    data, zones = Path(settings.text("DATA", "/data")), Path(settings.text("ZONES", "/zones"))
    names = Names(data, zones)
    witness = Witness(data, tuple(names.addresses))
    pages, facts = Pages(settings.url("ALERTMANAGER_URL", "http")), Numbered()

    async def report(request: Request) -> Response:
        fact = _fact(await json_object(request) or {})
        if fact is None:
            return refused(400, "a fact needs kind and subject, both text")
        return JSONResponse(facts.add(fact))

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        pages.asker = Asker(patience_s=2.0)
        yield
        await pages.asker.close()

    routes = [
        Route("/dns", names.read),
        Route("/dns", names.change, methods=["PUT"]),
        Route("/dns/block", names.block, methods=["POST"]),
        Route("/lease", witness.read),
        Route("/lease/renew", witness.renew, methods=["POST"]),
        Route("/lease/fence", witness.fence, methods=["POST"]),
        Route("/lease/grant", witness.grant, methods=["POST"]),
        Route("/pages", pages.received.read),
        Route("/pages", pages.receive, methods=["POST"]),
        Route("/test-page", pages.test, methods=["POST"]),
        Route("/facts", facts.read),
        Route("/facts", report, methods=["POST"]),
    ]
    return serve(application(routes, lifespan, lambda: True))
