"""The series that a record has, as the rules of a Prometheus name them, over the seconds of the run.

`up` of each pod comes from replicas ready and planned, `http_requests_total` of each service in each region from the
load, any sampled quantity under its own name. NaN is an element that is not there.
A request that got no answer is in none of them, and yet a server may have counted it, rightly or as an error, after its
client had given it up; servers may count probes too; and what they had counted before the run may be on record. A
`Reading` says how all that is taken.
Source: DESIGN, What is measured, exactly (detection).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from scenarios.model.faults import FAULTS
from validators import before, integrity
from validators.columns import F64, I64, NONE, Bool, names, whole
from validators.marks import faults
from validators.model import Observations

SECOND_US = 1_000_000
COUNTED = "http_requests_total"  # the series that the table `load` gives
VALUE_AT_RISK = ("risk_var_current", "risk_var_limit")  # gauges of a service that computes it
STATUSES = ("200", "503")  # of answers that were right, and of the others
UNSEEN_US = 10_000_000  # samples and counts come each second
Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, F64]


class Unanswered(Enum):
    """How requests that got no answer are taken: each way is what the servers may have counted."""

    LEFT_OUT = auto()
    ANSWERED = auto()  # by every service of the region that they were sent to
    ERRORS = auto()
    ERRORS_ONCE_LIFTED = auto()  # those of a region that a fault had taken are counted when it comes back


@dataclass(frozen=True)
class Reading:
    """How what a record leaves open is taken.

    `probed`: servers counted the probes that they answered, and perhaps those that got no answer. `reach`: so many
    seconds before the run are known, too; `early`: what a scrape found then was counted as early as may be.
    """

    unanswered: Unanswered = Unanswered.LEFT_OUT
    probed: bool = False
    reach: int = 0
    early: bool = False


PLAIN = Reading()  # the load, and nothing else


class NotOnRecordError(LookupError):
    """The record does not tell whether a condition held; the message says what is missing."""


class NotSampledError(NotOnRecordError):
    """A series that the topology plans, and that nobody recorded: what it would have told is not known."""


def lacking(observations: Observations, name: str) -> list[Labels]:
    """Labels of series of a name that the topology plans and that are not on record at all.

    `up` of each service in each region, answers of each service where there is load, and the value at risk of each
    service that computes one, in one of the regions. Others are there only where something runs that has them.
    """
    services, regions = observations.topology["services"], observations.topology["regions"]
    if name in VALUE_AT_RISK:
        sampled = {s.partition("/")[2] for s in integrity.subjects(observations, name)}
        home = observations.topology["database"]["home"]
        computing = [s for s, declared in services.items() if declared.get("value_at_risk") is not None]
        return [labels_of(name, f"{home}/{s}", pod=f"{home}/{s}") for s in computing if s not in sampled]
    every = [f"{region}/{service}" for region in regions for service in services]
    if name == "up":
        ready, planned = (set(integrity.subjects(observations, f"replicas_{n}")) for n in ("ready", "planned"))
        return [labels_of(name, s, pod=s) for s in every if s not in ready & planned]
    if name != COUNTED or observations.scenario["workload"]["rate_per_s"] <= 0:
        return []
    counted = names(observations.tables("load"), "service").seen()
    silent = [s for s in every if s.partition("/")[2] not in counted]
    return [labels_of(name, s, pod=s, status=status) for s in silent for status in STATUSES]


def instants(observations: Observations, name: str, station: str) -> I64:
    """Instants at which something was recorded: of a station's samples, of a service's counts in any region."""
    if name == COUNTED:
        table = observations.tables("load")
        mine = names(table, "service").equal(station.partition("/")[2])
        counted = whole(table, "second")[mine]
        return np.unique(np.concatenate([counted, _all_down(observations)])) * SECOND_US
    return integrity.sample(observations, "replicas_ready" if name == "up" else name, station)[0]


def _all_down(observations: Observations) -> I64:
    """Seconds in which no pod of any service could count: none was ready, as sampled, or a fault had taken its region.

    Source: the fault's landed-probe and its lift.
    """
    now_us = np.arange(observations.duration_us // SECOND_US + 1) * SECOND_US
    every = integrity.subjects(observations, "replicas_ready")
    down = np.full(len(now_us), bool(every))
    for station in every:
        t_us, ready = integrity.sample(observations, "replicas_ready", station)
        place = np.searchsorted(t_us, now_us, side="right") - 1
        none_ready = (place >= 0) & (ready[place] == 0) & (now_us - t_us[place] <= UNSEEN_US)
        down &= none_ready | _taken(observations, station.partition("/")[0], now_us)
    return np.flatnonzero(down)


def _taken(observations: Observations, region: str, now_us: I64) -> Bool:
    """Instants at which a fault that takes a whole region was seen to have this one."""
    taken = np.zeros(len(now_us), dtype=np.bool_)
    for from_us, to_us in _absences(observations, region):
        taken |= (now_us >= from_us) & (now_us < to_us)
    return taken


def _absences(observations: Observations, region: str) -> list[tuple[int, int]]:
    """Stretches [from, to) in which a fault was seen to have taken a region, each to its lift or the end of the run."""
    return [
        (f.seen_us, observations.duration_us if f.lifted_us is None else f.lifted_us)
        for f in faults(observations)
        if f.kind in FAULTS
        and FAULTS[f.kind].hits == "region"
        and f.target.get("region") == region
        and f.seen_us is not None
    ]


def series_of(observations: Observations, name: str, seconds: int, reading: Reading = PLAIN) -> Vector:
    """Series of a name, from `reading.reach` seconds before the run on. Raises NotOnRecordError when there are none."""
    key = ("series of", name, reading if name == COUNTED else reading.reach)
    return observations.once(key, lambda: _known_series(observations, name, seconds, reading))


def _known_series(observations: Observations, name: str, seconds: int, reading: Reading) -> Vector:
    if name == COUNTED:
        found = _requests(observations, seconds, reading)
    else:
        sampled = _up(observations, seconds) if name == "up" else _sampled(observations, name, seconds)
        unknown = np.full(reading.reach, np.nan)
        found = {labels: np.concatenate([unknown, values]) for labels, values in sampled.items()}
    if not found:
        raise NotOnRecordError(f"{name} is not on record")
    return found


def labels_of(name: str, station: str, **more: str) -> Labels:
    """Labels of a series of a station ("us-east-1/risk"): its service is the job."""
    return frozenset({"__name__": name, "job": f"{station.partition('/')[2]}-service", **more}.items())


def _up(observations: Observations, seconds: int) -> Vector:
    """One element a pod: there while it is planned or ready, 1 while it is ready."""
    result: Vector = {}
    for station in integrity.subjects(observations, "replicas_ready"):
        ready = _held(observations, "replicas_ready", station, seconds)
        planned = _held(observations, "replicas_planned", station, seconds)
        most = np.fmax(ready, np.nan_to_num(planned))
        for pod in range(int(np.nanmax(most, initial=0))):
            up = np.where(most > pod, np.where(ready > pod, 1.0, 0.0), np.nan)
            result[labels_of("up", station, pod=f"{station}/{pod}")] = up
    return result


def _sampled(observations: Observations, name: str, seconds: int) -> Vector:
    return {
        labels_of(name, subject, pod=subject): _held(observations, name, subject, seconds)
        for subject in integrity.subjects(observations, name)
    }


def _held(observations: Observations, name: str, subject: str, seconds: int) -> F64:
    """A sampled quantity at each second, held until its next sample; NaN before the first."""
    t_us, value = integrity.sample(observations, name, subject)
    place = np.searchsorted(t_us, np.arange(seconds) * SECOND_US, side="right") - 1
    if not len(t_us):
        return np.full(seconds, np.nan)
    return np.asarray(np.where(place >= 0, value[np.maximum(place, 0)], np.nan), dtype=np.float64)


@dataclass(frozen=True)
class _Answers:
    """How many answers of a service in a region were counted in which seconds, by status, and what got none."""

    second: I64
    ok: I64
    failed: I64
    unknown: I64


def _requests(observations: Observations, seconds: int, reading: Reading) -> Vector:
    """Answers of each service in each region, by status, counted up to the beginning of each second."""
    table = observations.tables("load")
    region, service = names(table, "region"), names(table, "service")
    columns = [whole(table, column) for column in ("second", "ok", "failed", "unknown")]
    services = observations.topology["services"]
    if not set(service.seen()) & set(services):
        return {}
    result: Vector = {}
    for place in observations.topology["regions"]:
        there = region.equal(place)
        probed = _probes(observations, place) if reading.probed else {}
        for job in services:
            mine = _Answers(*(c[there & service.equal(job)] for c in columns))
            each = [a for a in (mine, probed.get(job)) if a is not None and len(a.second)]
            station = f"{place}/{job}"
            earlier = [_before(observations, station, seconds, reading, n) for n in before.COUNTS]
            if not each and not any(counted.any() for counted in earlier):
                continue
            in_vain = [_Answers(*(c[there] for c in columns)), *each[len(each) - (job in probed) :]]
            lost = _lost(observations, place, in_vain, reading.unanswered)
            for column, status, counted in zip(("ok", "failed"), STATUSES, earlier, strict=True):
                for answers in each:
                    counted[reading.reach :] += _counter(answers.second, getattr(answers, column), seconds)
                if each and (column == "ok") == (reading.unanswered is Unanswered.ANSWERED):
                    counted[reading.reach :] += _counter(*lost, seconds)
                result[labels_of(COUNTED, station, pod=station, status=status)] = counted
    return result


def _before(observations: Observations, station: str, seconds: int, reading: Reading, name: str) -> F64:
    """What a service had counted before the run, at each second of a series, and from the run's start on."""
    result = np.zeros(reading.reach + seconds)
    if reading.reach:
        earlier = before.counted(observations, station, name, reading.reach, early=reading.early)
        result[: reading.reach] = earlier[:-1]
        result[reading.reach :] = earlier[-1]
    return result


def _probes(observations: Observations, region: str) -> dict[str, _Answers]:
    """Probes that a region's services answered, or that were sent to it and got no answer, by service."""
    return observations.once(("probes as answers", region), lambda: _counted_probes(observations, region))


def _counted_probes(observations: Observations, region: str) -> dict[str, _Answers]:
    """The same. An order of a prober goes through every service; one that was refused reached none."""
    table = observations.tables("probes")
    service, status = names(table, "service"), names(table, "status")
    answered, sent_to = names(table, "region").equal(region), names(table, "address").equal(region)
    ok = answered & (status.equal("2xx") | status.equal("4xx"))
    failed, unknown = answered & status.equal("5xx"), sent_to & status.equal("timeout")
    intended_us, done_us = whole(table, "intended_us"), whole(table, "done_us")
    second = np.where(done_us == NONE, intended_us, done_us) // SECOND_US
    found = {}
    for job in observations.topology["services"]:
        mine = service.equal(job) | service.equal("order")
        counts = [np.bincount(second[mine & kind]) for kind in (ok, failed, unknown)]
        if length := max(map(len, counts)):
            found[job] = _Answers(np.arange(length), *(np.pad(c, (0, length - len(c))) for c in counts))
    return found


def _lost(
    observations: Observations, region: str, asked: Sequence[_Answers], unanswered: Unanswered
) -> tuple[I64, I64]:
    """Seconds, and how many requests to a region without an answer one of its services may have counted in each.

    Of what stands in one second more than once it is the most: an order may end at any service.
    """
    each = np.zeros(max((int(a.second.max(initial=0)) for a in asked), default=0) + 1, dtype=np.int64)
    when = np.arange(len(each))
    if unanswered is Unanswered.LEFT_OUT:
        return when, each
    for answers in asked:
        most = np.zeros_like(each)
        np.maximum.at(most, answers.second, answers.unknown)
        each += most
    for from_us, to_us in _absences(observations, region) if unanswered is Unanswered.ERRORS_ONCE_LIFTED else ():
        when[(when >= from_us // SECOND_US) & (when < to_us // SECOND_US)] = to_us // SECOND_US
    return when, each


def _counter(second: I64, counted: I64, seconds: int) -> F64:
    inside = (second >= 0) & (second < seconds - 1)
    each = np.bincount(second[inside] + 1, weights=counted[inside], minlength=seconds)
    return np.asarray(np.cumsum(each), dtype=np.float64)
