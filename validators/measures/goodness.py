"""Good at t: what users saw of a service, from single probes.

Good at t: of the probes intended in [t, t + 5 s) at least 99 % got the right answer within the probe's timeout. A probe
slower than 20 Hz is good at t when the latest one due was right. The edges of an outage are placed at single probes:
last wrong, first right. Probes count by intended time. Source: DESIGN, What is measured, exactly.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validators.columns import NONE, names, whole
from validators.marks import of_kind
from validators.model import Observations

WINDOW_US = 5_000_000
SHARE_RIGHT = 0.99
FAST_US = 50_000  # spacing of 20 Hz
LATE_US = WINDOW_US // 10  # a probe sent later than this after it was due says nothing about that instant
I64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
# Probes that are no service of the topology: an answer is waited for so long.
TIMEOUTS_US = {"order": 10_000_000, "page": 60_000_000}


@dataclass(frozen=True)
class Outage:
    """A stretch that was not good: first and last wrong probe, and the first right one after it (None: none).

    `back_sent_us`: when that one was sent, which may be later than it was due.
    """

    first_wrong_us: int
    last_wrong_us: int
    back_us: int | None
    back_sent_us: int | None


@dataclass(frozen=True)
class Series:
    """Probes of one service over one route in order of intended time, up to the end of the judged interval.

    `right` and `good` are per probe. `missing_us`: instants of probes that were due and say nothing; `gaps`: stretches
    (from, to) in which so many are missing that it is a fault of the instrument.
    """

    service: str
    intended_us: I64
    sent_us: I64
    right: Bool
    good: Bool
    spacing_us: int
    missing_us: I64
    gaps: tuple[tuple[int, int], ...]
    lag_us_p99: int
    end_us: int

    @property
    def fast(self) -> bool:
        """Whether it is judged by windows (20 Hz or faster)."""
        return self.spacing_us <= FAST_US

    def at_worst(self) -> "Series":
        """The same if every missing probe had been wrong."""
        if len(self.missing_us) == 0:
            return self
        due = np.concatenate([self.intended_us, self.missing_us])
        sent = np.concatenate([self.sent_us, self.missing_us])
        right = np.concatenate([self.right, np.zeros(len(self.missing_us), dtype=np.bool_)])
        order = np.argsort(due, kind="stable")
        good = _good(due[order], right[order], self.spacing_us, self.end_us)
        return replace(
            self,
            intended_us=due[order],
            sent_us=sent[order],
            right=right[order],
            good=good,
            missing_us=self.missing_us[:0],
        )

    def outages(self) -> list[Outage]:
        """Return the outages in order of time."""
        edges = np.diff(np.concatenate([[False], ~self.good, [False]]).astype(np.int8))
        starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
        right, wrong = np.flatnonzero(self.right), np.flatnonzero(~self.right)
        found: list[Outage] = []
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            begin = wrong[np.searchsorted(wrong, start)]
            after = np.searchsorted(right, end)
            back = int(right[after]) if end < len(self.good) and after < len(right) else None
            last = int(wrong[np.searchsorted(wrong, back if back is not None else len(self.good)) - 1])
            found.append(
                Outage(
                    int(self.intended_us[begin]),
                    int(self.intended_us[max(last, begin)]),
                    int(self.intended_us[back]) if back is not None else None,
                    int(self.sent_us[back]) if back is not None else None,
                )
            )
        return _joined(found)

    def first_wrong_since(self, t_us: int) -> int | None:
        """Instant by which the first wrong probe from an instant on had been sent; None: there is none."""
        wrong = np.flatnonzero(~self.right)
        place = int(np.searchsorted(self.intended_us[wrong], t_us, side="left"))
        return int(self.sent_us[wrong[place:]].min()) if place < len(wrong) else None

    def last_right_before(self, t_us: int) -> int | None:
        """Instant of the last right probe before an instant; None: there is none."""
        right = self.intended_us[self.right]
        place = int(np.searchsorted(right, t_us, side="left"))
        return int(right[place - 1]) if place else None

    def good_before(self, t_us: int, since_us: int) -> bool | None:
        """Whether it was good at every instant of [since, t); None: not enough probes before t to say.

        What was not probed that early does not count: a run may begin later, if not less than 5 s before t.
        """
        i = int(np.searchsorted(self.intended_us, t_us, side="left"))
        first = int(np.searchsorted(self.intended_us, since_us, side="left"))
        if not self.fast:
            seen = bool(i) and t_us - self.intended_us[i - 1] <= 2 * self.spacing_us
            return bool(self.right[min(first, i - 1) : i].all()) if seen else None
        j = int(np.searchsorted(self.intended_us, t_us - WINDOW_US, side="left"))
        if i - j < SHARE_RIGHT * WINDOW_US / self.spacing_us - 1:
            return None
        return bool(self.right[j:i].mean() >= SHARE_RIGHT and self.good[first:j].all())


def _joined(outages: Iterable[Outage]) -> list[Outage]:
    """Outages whose edges cross are one."""
    joined: list[Outage] = []
    for outage in outages:
        if joined and (joined[-1].back_us is None or outage.first_wrong_us < joined[-1].back_us):
            before = joined[-1]
            last = max(before.last_wrong_us, outage.last_wrong_us)
            begun = min(before.first_wrong_us, outage.first_wrong_us)
            joined[-1] = replace(outage, first_wrong_us=begun, last_wrong_us=last)
        else:
            joined.append(outage)
    return joined


def series(observations: Observations, service: str, route: str = "dns", address: str | None = None) -> Series | None:
    """Probes of a service over a route (and of one region's address); None if there are none that say anything.

    Only clients that come through DNS and obey its TTL decide: route "dns". A probe that was not sent, was sent late,
    or got a right answer that does not tell the age of data whose age counts, or tells one of the future, is missing;
    one whose answer could not have come before the end of the judged interval, and did not, is left out.
    """
    return observations.once(
        ("series", service, route, address), lambda: _series(observations, service, route, address)
    )


def routes(observations: Observations, service: str) -> list[tuple[str, str | None]]:
    """Routes other than "dns" over which a service was probed; direct ones for each region."""
    columns = _columns(observations)
    direct = np.unique(columns["address"].codes[_rows(columns, service, "direct")])
    found: list[tuple[str, str | None]] = [("direct", columns["address"].names[c]) for c in direct if c >= 0]
    if len(_rows(columns, service, "stale")):
        found.append(("stale", None))
    return found


def _columns(observations: Observations) -> dict[str, Any]:
    return observations.once("probes", lambda: _read(observations))


def _read(observations: Observations) -> dict[str, Any]:
    table = observations.tables("probes")
    text: dict[str, Any] = {n: names(table, n) for n in ("service", "route", "address", "client", "right", "status")}
    # rows grouped by service and route, because the table is long and there are a dozen of each
    routes = len(text["route"].names) + 1
    group = (text["service"].codes * routes + text["route"].codes).astype(np.int16)
    order = np.argsort(group, kind="stable")
    text |= {"group": group[order], "order": order}
    return text | {n: whole(table, n) for n in ("intended_us", "sent_us", "done_us", "as_of_us")}


def _rows(columns: dict[str, Any], service: str, route: str) -> I64:
    """Rows of a service over a route, in the table's order."""
    services, routes = columns["service"].names, columns["route"].names
    if service not in services or route not in routes:
        return np.zeros(0, dtype=np.int64)
    code = services.index(service) * (len(routes) + 1) + routes.index(route)
    first, last = np.searchsorted(columns["group"], [code, code + 1])
    return np.asarray(columns["order"][first:last])


def _series(observations: Observations, service: str, route: str, address: str | None) -> Series | None:
    columns = _columns(observations)
    mine = _rows(columns, service, route)
    if address is not None:
        mine = mine[columns["address"].equal(address, mine)]
    end = observations.duration_us
    mine = mine[columns["intended_us"][mine] < end]
    if np.any(np.diff(columns["intended_us"][mine]) < 0):
        mine = mine[np.argsort(columns["intended_us"][mine], kind="stable")]
    intended, sent, done, as_of = (columns[n][mine] for n in ("intended_us", "sent_us", "done_us", "as_of_us"))
    timeout, age = _declared(observations, service)
    answer = columns["right"].equal("yes", mine)
    if not (once := _once(intended, columns["client"].codes[mine], answer)).all():
        mine, answer = mine[once], answer[once]
        intended, sent, done, as_of = intended[once], sent[once], done[once], as_of[once]
    usable = (sent != NONE) & (sent - intended <= LATE_US)
    answered = done != NONE
    if age is not None:
        usable &= (as_of != NONE) | ~answer
    usable &= ~(answer & answered & (as_of > done + observations.clock_bound_us))
    if not usable.any():
        return None
    spacing, missing, gaps = _spacing(intended, columns["client"].codes[mine], usable, end - timeout)
    lag = int(np.quantile(sent[usable] - intended[usable], 0.99))
    right = answer & answered & (done - sent <= timeout)
    if age is not None:
        right &= done - as_of <= age
    decided = usable & (answered | (intended + timeout <= end))
    due, right, left = intended[decided], right[decided], sent[decided]
    if len(due) == 0:
        return None
    return Series(service, due, left, right, _good(due, right, spacing, end), spacing, missing, gaps, lag, end)


def _once(intended: I64, client: NDArray[np.int32], answer: Bool) -> Bool:
    """Which rows count: of a probe that is on record more than once only one, and a wrong one if there is."""
    kept = np.ones(len(intended), dtype=np.bool_)
    if (np.diff(intended) == 0).any():
        order = np.lexsort((answer, client, intended))
        again = (np.diff(intended[order]) == 0) & (np.diff(client[order]) == 0)
        kept[order[1:][again]] = False
    return kept


def _declared(observations: Observations, service: str) -> tuple[int, int | None]:
    """Timeout and greatest age of data that the topology declares for a service's probe."""
    topology = observations.topology
    declared = topology["database"] if service == "database" else topology["services"].get(service)
    if declared is None:
        return TIMEOUTS_US.get(service, WINDOW_US), None
    probe = declared["probe"]
    age = probe.get("greatest_age_us")
    return int(probe["timeout_us"]), None if age is None else int(age)


def _spacing(
    intended: I64, client: NDArray[np.int32], usable: Bool, end_us: int
) -> tuple[int, I64, tuple[tuple[int, int], ...]]:
    """Spacing of all clients' probes due; instants of those that say nothing, and the gaps that they make, of each.

    A gap at the end counts up to the last instant at which a probe must have ended.
    """
    rate, missing, gaps = 0.0, [np.zeros(0, dtype=np.int64)], []
    for code in np.flatnonzero(np.bincount(client + 1)) - 1:
        own = client == code
        planned = intended[own]
        spacing = _step(planned) or float(max(end_us, 1))
        rate += 1 / spacing
        mine = intended[own & usable]
        edges = [mine, [max(end_us, int(planned[-1]))]]
        seen = np.concatenate(edges if len(mine) else [planned[:1], *edges])
        lacking = np.maximum(np.rint(np.diff(seen) / spacing).astype(np.int64) - 1, 0)
        gaps += _gaps(seen, lacking, spacing)
        nth = np.arange(int(lacking.sum())) - np.repeat(np.cumsum(lacking) - lacking, lacking) + 1
        missing.append((np.repeat(seen[:-1], lacking) + np.rint(nth * spacing)).astype(np.int64))
    return max(1, round(1 / rate)), np.sort(np.concatenate(missing)), tuple(sorted(gaps))


def _step(planned: I64) -> float | None:
    """Spacing of one client's probes. Not far below their mean, or a few that stand close would stand for all."""
    steps = np.diff(planned)
    return max(float(np.median(steps)), float(steps.mean()) / 4) if len(steps) else None


def _gaps(seen: I64, lacking: I64, spacing: float) -> list[tuple[int, int]]:
    """Stretches that lack more probes than a window may have wrong ones; of slow probes each that lacks one."""
    holes = np.flatnonzero(lacking)
    starts, ends = seen[holes], seen[holes + 1]
    fast = spacing <= FAST_US
    allowed = max(1, int((1 - SHARE_RIGHT) * WINDOW_US / spacing + 1e-9)) if fast else 0
    total = np.concatenate([[0], np.cumsum(lacking[holes])])
    after = np.searchsorted(starts, starts + (WINDOW_US if fast else 1), side="left")
    few = np.flatnonzero(total[after] - total[:-1] > allowed)
    found: list[tuple[int, int]] = []
    for start, end in zip(starts[few].tolist(), ends[after[few] - 1].tolist(), strict=True):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def _good(intended: I64, right: Bool, spacing_us: int, end_us: int) -> Bool:
    if spacing_us > FAST_US:
        return right
    window = np.searchsorted(intended, intended + WINDOW_US, side="left")
    before = np.concatenate([[0], np.cumsum(right)])
    share = (before[window] - before[:-1]) / (window - np.arange(len(intended)))
    good = share >= SHARE_RIGHT - 1e-12
    whole_windows = int(np.searchsorted(intended, end_us - WINDOW_US, side="right"))
    if whole_windows == 0:
        return right
    good[whole_windows:] = good[whole_windows - 1]  # a window cut short by the end says less than the last whole one
    return np.asarray(good, dtype=np.bool_)


# Who sees what on a cluster: when that process was away, it is named itself.
_SEEN_BY = {"probes": "probers", "load": "sender", "alerts": "watchers", "people": "watchers", "pages": "watchers"}


def blind(observations: Observations, *what: str) -> list[tuple[int, int]]:
    """Stretches in which nothing was seen of these things, as an observer said of itself or was said of it."""
    names_ = {*what, *(_SEEN_BY[w] for w in what if w in _SEEN_BY), "all", "everything"}
    marks = of_kind(observations, "observer_gap")
    return [(int(m.detail["from_us"]), int(m.detail["to_us"])) for m in marks if m.detail["what"] in names_]
