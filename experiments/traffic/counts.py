"""The sender's counts: one row of the table `load` for each second, and one for each service that answered in it."""

from collections import Counter
from dataclasses import dataclass, field

from experiments.observe.wire import Sender
from scenarios.record.histogram import bin_of

SECOND_US = 1_000_000
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

    def attempt(self, t_us: int, took_us: int) -> None:
        """One attempt of an order has ended."""
        counted = self._at(t_us, EDGE)
        counted.numbers["attempts"] += 1
        counted.caller[bin_of(max(0, took_us) * 1_000)] += 1

    def answered(
        self, t_us: int, region: str, service: str, outcome: str, own_us: int | None, caller_us: int | None
    ) -> None:
        """A service took part in an attempt: ok, failed or unknown."""
        counted = self._at(t_us, (region, service))
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
