"""What services had counted before the run, as the Prometheus of their region has it: rules look back to it.

Prometheus is asked once, when it has scraped after the start, and what it says is turned into counts of each service
from a look-back before the start on. Of a service of which that cannot be told there is none: Prometheus did not look
all the time, a scrape was missed, a counter began anew, or one of errors began, of which rules see only what follows.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

COUNTER, LOOKED = "http_requests_total", "up"
NAMES = {False: "answered_ok", True: "answered_5xx"}  # by whether the status is one of errors
_JOB = "-service"

type Row = tuple[str, str, int, int]  # subject, name, instant in microseconds, count


@dataclass(frozen=True)
class LookBack:
    """How far rules look back, and how long two scrapes are apart, in microseconds."""

    window_us: int
    scrape_us: int

    @property
    def apart_us(self) -> int:
        """Longest time between two scrapes between which none was missed."""
        return self.scrape_us * 3 // 2

    def path(self, now_us: int) -> str:
        """What a Prometheus is asked now: everything that it has scraped since then."""
        since_s = -(-(now_us + self.window_us + 2 * self.scrape_us) // 1_000_000)
        return "/api/v1/query?" + urlencode({"query": f'{{__name__=~"{COUNTER}|{LOOKED}"}}[{since_s}s]'})


@dataclass(frozen=True)
class _Series:
    """Scrapes of one counter: instants of the run in microseconds, and what it showed."""

    errors: bool
    scrapes: tuple[tuple[int, int], ...]


def counted_before(
    found: Sequence[Mapping[str, Any]],
    region: str,
    services: Iterable[str],
    look: LookBack,
    of_epoch: Callable[[int], int],
) -> list[Row] | None:
    """Rows of samples from what a Prometheus answered; None: it has not scraped since the start yet.

    Args:
        found: the series of its answer.
        region: whose Prometheus it is; what it scrapes elsewhere is left out.
        services: what it is asked about.
        look: how far back.
        of_epoch: the run's time of a stamp of the wall clock.
    """
    looked: set[int] = set()
    series: dict[str, list[_Series]] = {service: [] for service in services}
    for one in found:
        labels = one["metric"]
        scrapes = tuple((of_epoch(round(float(at) * 1e6)), round(float(value))) for at, value in one["values"])
        if labels["__name__"] == LOOKED:
            looked |= {at for at, _ in scrapes}
        elif labels.get("region", region) == region:
            service = str(labels.get("job")).removesuffix(_JOB)
            series.get(service, []).append(_Series(str(labels.get("status")).startswith("5"), scrapes))
    end_us = min((at for at in looked if at > look.scrape_us), default=None)
    if end_us is None:
        return None
    if not _without_gap([at for at in sorted(looked) if at <= end_us], look):
        return []
    rows: list[Row] = []
    for service, mine in series.items():
        grown = [_grown(one, look) for one in mine]
        for errors, name in NAMES.items():
            parts = [g for one, g in zip(mine, grown, strict=True) if g is not None and one.errors is errors]
            if None not in grown:
                rows += _rows(f"{region}/{service}", name, [step for part in parts for step in part], look, end_us)
    return rows


def _without_gap(instants: Sequence[int], look: LookBack) -> bool:
    """Whether Prometheus scraped something all the time."""
    return instants[0] <= -look.window_us and all(b - a <= look.apart_us for a, b in pairwise(instants))


def _grown(series: _Series, look: LookBack) -> list[tuple[int, int]] | None:
    """Instants of scrapes that found more than the one before, and how much; None: it cannot be told.

    What the first scrape after the start found may have been counted before it, and is among them; what came later is
    not. A counter that a scrape found for the first time was at zero at the scrape before.
    """
    scrapes = list(series.scrapes)
    first_us = scrapes[0][0]
    if first_us > -look.window_us:
        if series.errors and first_us <= 0:
            return None
        scrapes = [(first_us - look.apart_us, 0), *scrapes]
    inside = [(a, b) for a, b in pairwise(scrapes) if b[0] > -look.window_us and a[0] < 0]
    if any(n < before or at - before_us > look.apart_us for (before_us, before), (at, n) in inside):
        return None
    last_us = scrapes[-1][0]
    if -look.apart_us < last_us <= 0:
        return None  # nobody saw what it counted until the start
    return [(at, n - before) for (_, before), (at, n) in inside if n > before]


def _rows(subject: str, name: str, grown: Iterable[tuple[int, int]], look: LookBack, end_us: int) -> list[Row]:
    """The count at the beginning, at each instant at which it had grown, and at the end."""
    steps: dict[int, int] = {-look.window_us: 0, end_us: 0}
    for at, more in grown:
        steps[at] = steps.get(at, 0) + more
    counted, rows = 0, []
    for at in sorted(steps):
        counted += steps[at]
        rows.append((subject, name, at, counted))
    return rows
