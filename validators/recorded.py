"""The series that a record has, as the rules of a Prometheus name them, over the seconds of the run.

`up` of each pod comes from replicas ready and planned, `http_requests_total` of each service in each region from the
load, any sampled quantity under its own name. NaN is an element that is not there.
Source: DESIGN, What is measured, exactly (detection).
"""

import numpy as np

from scenarios.model.faults import FAULTS
from validators import integrity
from validators.columns import F64, I64, Bool, names, whole
from validators.marks import faults
from validators.model import Observations

SECOND_US = 1_000_000
COUNTED = "http_requests_total"  # the series that the table `load` gives
STATUSES = ("200", "503")  # of answers that were right, and of the others
UNSEEN_US = 10_000_000  # samples and counts come each second
Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, F64]


class NotOnRecordError(LookupError):
    """The record does not tell whether a condition held; the message says what is missing."""


class NotSampledError(NotOnRecordError):
    """A series that the topology plans, and that nobody recorded: what it would have told is not known."""


def lacking(observations: Observations, name: str) -> list[Labels]:
    """Labels of series of a name that the topology plans and that are not on record at all.

    `up` of each service in each region, and answers of each service where there is load. Other quantities are there
    only where something runs that has them.
    """
    services, regions = observations.topology["services"], observations.topology["regions"]
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
    for fault in faults(observations):
        takes = fault.kind in FAULTS and FAULTS[fault.kind].hits == "region" and fault.target.get("region") == region
        if takes and fault.seen_us is not None:
            taken |= (now_us >= fault.seen_us) & (now_us < (fault.lifted_us or observations.duration_us))
    return taken


def series_of(observations: Observations, name: str, seconds: int) -> Vector:
    """Series of a name. Raises NotOnRecordError when the record has none."""
    return observations.once(("series of", name), lambda: _known_series(observations, name, seconds))


def _known_series(observations: Observations, name: str, seconds: int) -> Vector:
    known = {"up": _up, COUNTED: _requests}
    found = known[name](observations, seconds) if name in known else _sampled(observations, name, seconds)
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


def _requests(observations: Observations, seconds: int) -> Vector:
    """Answers of each service in each region, by status, counted up to the beginning of each second."""
    table = observations.tables("load")
    region, service = names(table, "region"), names(table, "service")
    second = whole(table, "second")
    result: Vector = {}
    for column, status in zip(("ok", "failed"), STATUSES, strict=True):
        counted = whole(table, column)
        for job in service.seen():
            for place in region.seen() if job != "edge" else ():
                mine = service.equal(job) & region.equal(place)
                if mine.any():
                    labels = labels_of(COUNTED, f"{place}/{job}", pod=f"{place}/{job}", status=status)
                    result[labels] = _counter(second[mine], counted[mine], seconds)
    return result


def _counter(second: I64, counted: I64, seconds: int) -> F64:
    inside = (second >= 0) & (second < seconds - 1)
    each = np.bincount(second[inside] + 1, weights=counted[inside], minlength=seconds)
    return np.asarray(np.cumsum(each), dtype=np.float64)
