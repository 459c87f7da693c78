"""Probers: clients that ask the system what users ask, at a fixed spacing, each time over a new connection.

They are an open loop: probes stand on a grid of intended instants and none waits for the one before, so that what hangs
is seen at full rate. Every probe ends at its timeout; what goes wrong is a row, never an exception.
"""

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.observe import names
from experiments.observe.asking import Answer, Asker
from experiments.observe.clock import Clock
from experiments.observe.dns_cache import DnsCache
from experiments.observe.http import SENSELESS
from experiments.observe.settings import Where
from experiments.observe.wire import Sender

SECOND_US = 1_000_000
LATE_US = 2 * SECOND_US  # a prober that was stopped for longer leaves out what was due meanwhile


@dataclass(frozen=True)
class Probe:
    """One client's probe of one service. `to`: region of a direct one; `phase_us`: where its grid begins."""

    client: str
    route: str
    service: str
    spacing_us: int
    timeout_us: int
    greatest_age_us: int | None
    to: str | None
    phase_us: int


def probes_of(document: Mapping[str, Any]) -> list[Probe]:
    """Probes of the settings, their phases spread evenly over each one's spacing."""
    entries = document["probes"]
    return [
        Probe(
            e["client"], e["route"], e["service"], e["spacing_us"], e["timeout_us"], e.get("greatest_age_us"),
            e.get("to"), e["spacing_us"] * i // len(entries),
        )
        for i, e in enumerate(entries)
    ]  # fmt: skip


async def work(document: Mapping[str, Any], clock: Clock, wire: Sender, stop: asyncio.Event) -> None:
    """Probe until asked to stop, and let the last probes end."""
    where = Where.of(document)
    asker = Asker(where, clock)
    probes = probes_of(document)
    caches = [_cache(p, where, clock, (i + 1) / len(probes)) for i, p in enumerate(probes)]
    running: set[asyncio.Task[None]] = set()
    spacing = _Gaps(clock, wire)

    def start(number: int, intended_us: int) -> None:
        spacing.sent()
        task = asyncio.create_task(_probe(probes[number], caches[number], asker, clock, wire, intended_us))
        running.add(task)
        task.add_done_callback(running.discard)

    sampling = asyncio.create_task(spacing.run())
    await grid([(p.phase_us, p.spacing_us) for p in probes], clock, stop, start)
    sampling.cancel()  # from now on no probe is due: that is no gap
    spacing.tell()
    if running:
        longest_us = max((p.timeout_us for p in probes if p.service != "page"), default=0)
        await asyncio.wait(running, timeout=longest_us / 1e6 + 1)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, sampling, return_exceptions=True)
    asker.close()


async def grid(
    series: list[tuple[int, int]],
    clock: Clock,
    stop: asyncio.Event,
    start: Callable[[int, int], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Call start(number, intended_us) for each (phase, spacing) at each instant of its grid, never before it.

    After a stop of this process the instants that are long past are left out: a probe so late says nothing of them.
    """
    now_us = clock.now_us()
    due = [(_next(phase, spacing, now_us), i) for i, (phase, spacing) in enumerate(series)]
    heapq.heapify(due)
    while due and not stop.is_set():
        intended_us, number = due[0]
        wait_us = intended_us - clock.now_us()
        if wait_us > 0:
            await sleep(min(wait_us, 100_000) / 1e6)
            continue
        phase, spacing = series[number]
        if wait_us < -LATE_US:
            heapq.heapreplace(due, (_next(phase, spacing, clock.now_us()), number))
            continue
        start(number, intended_us)
        heapq.heapreplace(due, (intended_us + spacing, number))


def _next(phase_us: int, spacing_us: int, now_us: int) -> int:
    """First instant of a grid that is not past."""
    return phase_us + max(0, -(-(now_us - phase_us) // spacing_us)) * spacing_us


def _cache(probe: Probe, where: Where, clock: Clock, phase: float) -> DnsCache | None:
    """A cache of the client's own; a direct probe needs none, nor does a page."""
    if probe.route == "direct" or probe.service == "page":
        return None
    return DnsCache(where.dns, where.name, clock.now_us, phase=phase, forever=probe.route == "stale", edges=where.edges)


async def _probe(
    probe: Probe, cache: DnsCache | None, asker: Asker, clock: Clock, wire: Sender, intended_us: int
) -> None:
    sent_us = clock.now_us()
    key = names.PROBE_KEYS + clock.epoch_us(intended_us)
    over = _Over(Answer("timeout", address=probe.to) if cache is None else Answer("no_address"))
    try:
        async with asyncio.timeout(probe.timeout_us / 1e6):
            answer = await _answer(probe, cache, asker, key, over)
    except TimeoutError:
        answer = over.answer
    except SENSELESS:
        answer = Answer("5xx", address=over.answer.address)
    now_us = clock.now_us()
    answered = now_us - sent_us <= probe.timeout_us
    answer = answer if answered else over.answer
    silent = answer.status in ("timeout", "refused", "no_address")
    # What is read back of a write is as new as the answer.
    as_of_us = now_us if answer.written else answer.as_of_us
    wire.row(
        "probes", intended_us=intended_us, sent_us=sent_us, done_us=now_us if answered else None,
        client=probe.client, route=probe.route, service=probe.service, address=answer.address, region=answer.region,
        pod=answer.pod, timeline=answer.timeline, as_of_us=as_of_us, status=answer.status,
        right="none" if silent else "yes" if _right(probe, answer, as_of_us, now_us) else "no",
    )  # fmt: skip


def _right(probe: Probe, answer: Answer, as_of_us: int | None, done_us: int) -> bool:
    if not answer.right:
        return False
    age = probe.greatest_age_us
    return age is None or (as_of_us is not None and done_us - as_of_us <= age)


@dataclass
class _Over:
    """What is to be said of a probe whose time is over: how far it has come."""

    answer: Answer


async def _answer(probe: Probe, cache: DnsCache | None, asker: Asker, key: int, over: _Over) -> Answer:
    if probe.service == "page":
        return await asker.page(key, probe.timeout_us)
    address = asker.address_of(probe.to) if cache is None else await cache.address()
    if address is None:
        return Answer("no_address")
    over.answer = Answer("timeout", address=asker.region_of(address))
    if probe.service == "database":
        return await asker.database(address, key, probe.timeout_us)
    if probe.service == "order":
        return await asker.order(address, key)
    return await asker.service(address, probe.service)


class _Gaps:
    """The longest time without a probe, sampled each second: how blind the instrument was."""

    def __init__(self, clock: Clock, wire: Sender) -> None:
        self._clock = clock
        self._wire = wire
        self._last_us = clock.now_us()
        self._longest_us = 0

    def sent(self) -> None:
        """A probe is sent now."""
        now_us = self._clock.now_us()
        self._longest_us = max(self._longest_us, now_us - self._last_us)
        self._last_us = now_us

    async def run(self) -> None:
        """Sample for ever."""
        for _ in itertools.count():
            await asyncio.sleep(1)
            self._longest_us = max(self._longest_us, self._clock.now_us() - self._last_us)
            self._clock.look()  # stamps of data follow the wall clock; its steps are the watchers' to tell
            self.tell()

    def tell(self) -> None:
        """Sample the longest time between probes since the last sample."""
        now_us, longest_us, self._longest_us = self._clock.now_us(), self._longest_us, 0
        self._wire.row("samples", t_us=now_us, subject="probers", name="gap_us", value=float(longest_us))
