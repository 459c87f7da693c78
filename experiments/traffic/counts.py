"""The sender's counts: one row of the table `load` for each second, and one for each service that answered in it."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from experiments.observe import names
from experiments.observe.wire import Sender
from experiments.traffic.clients import Attempt
from scenarios.record.histogram import bin_of

CLASS = "transactions"
SECOND_US = 1_000_000
LATE_US = 2 * SECOND_US  # an order that is due for longer is not sent any more; it counts as intended
ALIVE_US = SECOND_US  # a region that answered nobody for so long is dead to its clients
EDGE = ("client", "edge")


@dataclass
class _Second:
    numbers: Counter[str] = field(default_factory=Counter)
    own: Counter[int] = field(default_factory=Counter)
    caller: Counter[int] = field(default_factory=Counter)
    path: Counter[int] = field(default_factory=Counter)


class Counts:
    """Counts by second, region and service; the sender itself is region `client`, service `edge`."""

    def __init__(self, wire: Sender, from_us: int) -> None:
        self._wire = wire
        self._seconds: dict[int, dict[tuple[str, str], _Second]] = {}
        self._lags_us: dict[int, list[int]] = {}
        self._next = from_us // SECOND_US
        self._alive: dict[str, int] = {}  # region: when it last answered

    def _at(self, t_us: int, place: tuple[str, str]) -> _Second:
        # what comes after its second was sent counts in the next one that is open
        second = max(t_us // SECOND_US, self._next)
        return self._seconds.setdefault(second, {}).setdefault(place, _Second())

    def intended(self, t_us: int) -> None:
        """An order was due."""
        self._at(t_us, EDGE).numbers["intended"] += 1

    def sent(self, t_us: int, lag_us: int) -> None:
        """An order was sent so late."""
        self._at(t_us, EDGE).numbers["sent"] += 1
        self._lags_us.setdefault(max(t_us // SECOND_US, self._next), []).append(lag_us)

    def ended(self, t_us: int, outcome: str, path_us: int) -> None:
        """An order has ended: acked, failed or unknown."""
        counted = self._at(t_us, EDGE)
        counted.numbers["ok" if outcome == "acked" else outcome] += 1
        counted.path[bin_of(max(0, path_us) * 1_000)] += 1

    def took_part(self, t_us: int, took_us: int, attempt: Attempt, entry: str, services: Collection[str]) -> None:
        """Count an attempt for the sender, and for each service that says it took part in it.

        An attempt that an open breaker kept back is none. One that reached no server is an attempt at the entry and
        has no end there: no server counts what none has got.
        """
        headers = attempt.response.headers
        if attempt.status == "open":
            return
        self._attempt(t_us, took_us)
        outcome = "ok" if attempt.outcome == "acked" else attempt.outcome
        region = headers.get("x-region")
        if region is None:
            reached = bool(headers) or outcome != "failed"
            if attempt.region is not None:
                self._answered(t_us, attempt.region, entry, outcome if reached else "", None, took_us)
            return
        self._alive[region] = t_us
        own = names.own_times_us(headers)
        for service in {entry, *own}.intersection(services):  # others, such as a cache, are no part of the topology
            caller_us = took_us if service == entry else None
            self._answered(t_us, region, service, outcome, own.get(service), caller_us)

    def stale_share(self, now_us: int, held: Sequence[str | None]) -> float:
        """Share of the regions that clients would go to which answer nobody; None: an address of no region."""
        alive = {r for r, t in self._alive.items() if now_us - t <= ALIVE_US}
        return sum(r not in alive for r in held) / len(held) if held else 0.0

    def _attempt(self, t_us: int, took_us: int) -> None:
        counted = self._at(t_us, EDGE)
        counted.numbers["attempts"] += 1
        counted.caller[bin_of(max(0, took_us) * 1_000)] += 1

    def _answered(
        self, t_us: int, region: str, service: str, outcome: str, own_us: int | None, caller_us: int | None
    ) -> None:
        counted = self._at(t_us, (region, service))
        if outcome:
            counted.numbers[outcome] += 1
        counted.numbers["attempts"] += 1
        if own_us is not None:
            counted.own[bin_of(own_us * 1_000)] += 1
        if caller_us is not None:
            counted.caller[bin_of(max(0, caller_us) * 1_000)] += 1

    def flush(self, until_us: int) -> None:
        """Send the rows of all whole seconds before an instant."""
        while (self._next + 1) * SECOND_US <= until_us:
            second = self._next
            places = self._seconds.pop(second, {})
            for (region, service), counted in {EDGE: _Second(), **places}.items():
                self._row(second, region, service, counted)
            lags = sorted(self._lags_us.pop(second, []))
            if lags:
                worst = float(lags[min(len(lags) - 1, len(lags) * 99 // 100)])
                self._wire.row(
                    "samples", t_us=(second + 1) * SECOND_US, subject="client", name="sender_lag_us_p99", value=worst
                )
            self._next += 1

    def _row(self, second: int, region: str, service: str, counted: _Second) -> None:
        numbers = {name: counted.numbers[name] for name in ("intended", "sent", "ok", "failed", "unknown", "attempts")}
        histograms = {name: sorted(getattr(counted, name).items()) for name in ("own", "caller", "path")}
        self._wire.row("load", second=second, region=region, service=service, **numbers, **histograms)
