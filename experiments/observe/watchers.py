"""Watchers: what happens in the system, seen from outside, as facts; and the samples of each second.

Every look has a deadline and goes on for ever, whatever does not answer. Nothing here says what somebody intended.
"""

import asyncio
import itertools
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from experiments.observe.alert_facts import AlertFacts, page_facts, reported_fact
from experiments.observe.clock import Clock
from experiments.observe.cluster_facts import ClusterFacts
from experiments.observe.counted_before import LookBack, counted_before
from experiments.observe.database import Session
from experiments.observe.database_facts import DatabaseFacts
from experiments.observe.dns_cache import ask as ask_name
from experiments.observe.facts import Fact, tell
from experiments.observe.http import SENSELESS, get
from experiments.observe.kube_watch import RESOURCES, Event, Watch, trading_of
from experiments.observe.samples import Samples
from experiments.observe.settings import Where
from experiments.observe.wire import Sender
from experiments.platforms.site import site

LOOK_S = 0.25
SLOW_LOOK_S = 0.5
ANSWER_S = 1.0  # a database or a server that has not answered by then does not answer
SECOND_S = 1.0
HISTORY_S = 3.0  # an answer that holds minutes
COUNTED = {"pods", "deployments"}  # what must be watched to know how many pods are ready

type Job = Callable[[], Awaitable[None]]


async def work(document: Mapping[str, Any], clock: Clock, wire: Sender, stop: asyncio.Event) -> None:
    """Watch until asked to stop. Raises what ended a look for good: the parent starts this process again."""
    watching = Watching(document, clock, wire)
    watching.start()
    stopped = asyncio.create_task(stop.wait())
    tasks = [asyncio.create_task(every(period_s, job)) for period_s, job in watching.jobs()]
    done, _ = await asyncio.wait((stopped, *tasks), return_when=asyncio.FIRST_COMPLETED)
    watching.stop()
    for task in (stopped, *tasks):
        task.cancel()
    for task in done:
        task.result()


async def every(period_s: float, job: Job) -> None:
    """Do a job on a grid of instants for ever; one that took longer than its period leaves instants out.

    An answer that makes no sense is none: it is told on standard error, and asked for again.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for _ in itertools.count():
        try:
            await job()
        except SENSELESS as error:
            sys.stderr.write(f"{job}: an answer that makes no sense: {error!r}\n")
        passed = loop.time() - begun
        await asyncio.sleep(period_s - passed % period_s)


class Watching:
    """All that is watched: databases, names, alerts, pages, reports, both clusters."""

    def __init__(self, document: Mapping[str, Any], clock: Clock, wire: Sender) -> None:
        self._where, self._clock, self._wire = Where.of(document), clock, wire
        self._since_us, self._entry = int(document["since_epoch_us"]), str(document["entry"])
        regions = tuple(self._where.places)
        self._databases = DatabaseFacts(document["home"], regions)
        self._sessions = {r: Session(*self._where.database(r), ANSWER_S) for r in regions}
        self._services = tuple(document["services"])
        self._clusters = {r: ClusterFacts(r, document["services"]) for r in regions}
        self._reachable = dict.fromkeys(regions, False)  # whether it is known how many pods are ready
        self._listed: dict[str, set[str]] = {r: set() for r in regions}
        self._lost_us: dict[str, dict[str, int]] = {r: {} for r in regions}  # resource: since when it is not watched
        self._alerts = {r: AlertFacts(r) for r in document["monitoring"]}
        self._look_back = LookBack(int(document["look_back_us"]), int(document["scrape_us"]))
        # Regions of which it is still to be asked what was counted before the run.
        self._not_asked = set(self._alerts) if self._look_back.window_us else set()
        self._name_leads_to: str | None = document["home"]
        self._page, self._report = 0, 0
        self._fencing: dict[str, int] = {}  # region: when its last lease ends, by the wall clock
        self._trading: dict[str, bool | None] = dict.fromkeys(regions)
        self._samples = Samples(document, clock, wire, self._databases, self._clusters, self._reachable)
        places = [p for r, p in site().places.items() if r in regions]
        self._watches = [
            Watch(p, resource, partial(self._from_thread, p.region)) for p in places for resource in RESOURCES
        ]
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin to watch both clusters."""
        self._loop = asyncio.get_running_loop()
        for watch in self._watches:
            watch.start()

    def stop(self) -> None:
        """Watch no longer."""
        for watch in self._watches:
            watch.stop()

    def jobs(self) -> list[tuple[float, Job]]:
        """Looks, and how often each is taken."""
        fast: list[Job] = [partial(self._look_at_database, r) for r in self._where.places]
        slow: list[Job] = [partial(self._look_at_alerts, r) for r in self._alerts]
        calm: list[Job] = [partial(self._look_at_trading, r) for r in self._where.places]
        calm += [partial(self._look_back_at_counts, r) for r in sorted(self._not_asked)]
        if self._where.outside is not None:
            slow += [self._look_at_pages, self._look_at_reports, self._look_at_lease]
        jobs = [(LOOK_S, job) for job in (*fast, self._look_at_name)] + [(SLOW_LOOK_S, job) for job in slow]
        return jobs + [(SECOND_S, job) for job in (*calm, *self._samples.jobs())]

    def _tell(self, facts: list[Fact]) -> None:
        tell(facts, self._clock, self._wire)

    def _epoch_us(self) -> int:
        return self._clock.epoch_us(self._clock.now_us())

    # --- the database and the name

    async def _look_at_database(self, region: str) -> None:
        state = await self._sessions[region].state()
        self._tell(self._databases.seen(region, state, self._epoch_us()))

    async def _look_at_name(self) -> None:
        answer = await ask_name(self._where.dns, self._where.name, self._where.edges)
        region = self._where.region(answer[0]) if answer else None
        if region is not None and region != self._name_leads_to:
            self._name_leads_to = region
            self._tell([Fact("dns_switched", "dns", {"region": region})])

    async def _look_at_lease(self) -> None:
        """The witness grants no lease to a region any more: once the last one is over it can commit no longer."""
        found = await self._outside("/lease")
        if isinstance(found, dict) and found.get("fenced"):
            self._fencing[str(found["region"])] = int(found["expires_us"])
        elif isinstance(found, dict):
            self._fencing.pop(str(found.get("region")), None)
        for region, expires_us in self._fencing.items():
            self._tell(self._databases.lease_over(region, expires_us, self._epoch_us()))

    # --- alerts, pages and reports

    async def _look_at_alerts(self, region: str) -> None:
        address, port = self._where.places[region], self._where.ports["prometheus"]
        response = await get(address, port, "/api/v1/alerts", ANSWER_S)
        found = response.json() if response.code == 200 else None
        if isinstance(found, dict) and found.get("status") == "success":
            self._tell(self._alerts[region].seen(found["data"]["alerts"]))

    async def _look_back_at_counts(self, region: str) -> None:
        """Once, when Prometheus has scraped after the start: what services had counted before it, for rules look back.

        Asked again while it does not answer, until that lies too far back.
        """
        now_us, look = self._clock.now_us(), self._look_back
        if region not in self._not_asked or not 2 * look.scrape_us <= now_us <= look.window_us:
            return
        address, port = self._where.places[region], self._where.ports["prometheus"]
        response = await get(address, port, look.path(now_us), HISTORY_S)
        found = response.json() if response.code == 200 else None
        if not isinstance(found, dict) or found.get("status") != "success":
            return
        rows = counted_before(found["data"]["result"], region, self._services, look, self._clock.of_epoch)
        if rows is None:
            return
        self._not_asked.discard(region)
        for subject, name, at_us, counted in rows:
            self._wire.row("samples", t_us=at_us, subject=subject, name=name, value=float(counted))

    async def _look_at_pages(self) -> None:
        for page in await self._news(f"/pages?after={self._page}"):
            self._page = max(self._page, int(page["n"]))
            if int(page["received_us"]) >= self._since_us:
                self._tell(page_facts(page))

    async def _look_at_reports(self) -> None:
        for report in await self._news(f"/facts?after={self._report}"):
            self._report = max(self._report, int(report["n"]))
            fact = reported_fact(report)
            if fact is not None and int(report["t_us"]) >= self._since_us:
                self._tell([fact])

    async def _outside(self, path: str) -> Any:
        assert self._where.outside is not None, "a page receiver"
        response = await get(*self._where.outside, path, ANSWER_S)
        return response.json() if response.code == 200 else None

    async def _news(self, path: str) -> list[dict[str, Any]]:
        found = await self._outside(path)
        return found if isinstance(found, list) else []

    # --- clusters

    def _from_thread(self, region: str, resource: str, event: Event) -> None:
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._cluster_event, region, resource, event)

    def _cluster_event(self, region: str, resource: str, event: Event) -> None:
        what, found = event
        if what == "lost":
            self._lost_us[region].setdefault(resource, self._clock.now_us())
            self._reachable[region] &= resource not in COUNTED
            return
        lost_us = self._lost_us[region].pop(resource, None)
        if what == "listed":
            self._listed[region].add(resource)
        self._reachable[region] = self._listed[region] >= COUNTED and not COUNTED & self._lost_us[region].keys()
        if lost_us is not None and resource == "pods":
            now_us = self._clock.now_us()
            self._wire.mark(now_us, "observer_gap", "watchers", what=f"{region}/api", from_us=lost_us, to_us=now_us)
        cluster = self._clusters[region]
        apply: dict[str, Callable[[str, Any], list[Fact]]] = {
            "listed": cluster.listed,
            "changed": cluster.changed,
            "deleted": cluster.deleted,
        }
        self._tell(apply[what](resource, found))

    async def _look_at_trading(self, region: str) -> None:
        """When the ConfigMap has changed: since when all pods of the entry have read it."""
        cluster = self._clusters[region]
        said, known = cluster.trading, self._trading[region]
        if said is None or said == known or not self._reachable[region]:
            return
        pods = cluster.pods(self._entry)
        if known is not None:
            place = site().places[region]
            read = await asyncio.gather(*(asyncio.to_thread(trading_of, place, pod) for pod in pods))
            if not pods or any(r != said for r in read):
                return
            kind = "trading_enabled" if said else "trading_disabled"
            self._tell([Fact(kind, f"{region}/{self._entry}")])
        self._trading[region] = said
