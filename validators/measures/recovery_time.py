"""Recovery time: from the fault to the last bad-to-good change of the run, as an interval.

The fault is an interval [injection begun, effect first seen]; the effect is the landed-probe's or the first wrong
probe, whichever is earlier. Lower bound = last wrong - effect seen; upper = first right - injection begun. Probed
without gap and never bad: [0, 0]. Good must last from there to the end and at least for the sustain window,
max(60 s, 2 x DNS TTL); it must also have been good for one such window before the fault (or since the run began), else
nothing is decided. What ended inside the window is not decided either, however late it is; what is not recovered at the
end has missed its limit once that has passed.
Faults on one service of which each was recovered from before the next began are episodes of their own; the one with the
worst verdict decides. An outage without a fault is timed from the last right probe before it. Source: DESIGN, What is
measured, exactly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scenarios.model.faults import blast_radius
from validators import integrity
from validators.columns import names, whole
from validators.marks import Fault, faults, first, never_injected, sustain_us
from validators.measures.goodness import WINDOW_US, Outage, Series, routes, series
from validators.measures.phases import phases, steps
from validators.model import Evidence, Measurement, Observations
from validators.words import at, seconds

METHOD = "last bad-to-good change of single probes through DNS, from the injection"


@dataclass(frozen=True)
class Recovery:
    """One service's recovery from one episode. Times in microseconds of the run.

    `high_us` None: not recovered, or not for the sustain window. `back_us`: first right probe after the last wrong one
    (the injection when it was never bad), None when it never came.
    """

    service: str
    begun_us: int
    low_us: int
    high_us: int | None
    back_us: int | None
    bad_us: int
    relapses: int
    samples: int
    note: str = ""
    doubts: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def down(self) -> bool:
        """Whether it was not good at the end."""
        return self.back_us is None

    @property
    def unsettled(self) -> bool:
        """Whether it was good at the end, and not long enough to know that it lasts."""
        return self.high_us is None and not self.down


@dataclass(frozen=True)
class Episode:
    """One or more faults that ran into each other, and where the next episode begins."""

    begun_us: int
    seen_us: int | None
    end_us: int
    faults: tuple[Fault, ...]


def recover(observations: Observations, probes: Series, episode: Episode) -> Recovery:
    """Recovery of one series of probes from one episode. For the upper bound the probes that are missing were wrong."""
    begun, end = episode.begun_us, episode.end_us
    outages, worst = _within(probes, episode), _within(probes.at_worst(), episode)
    bound, sustain = integrity.clock_bound_us(observations), sustain_us(observations)
    back, note = _back(probes.service, outages, episode, sustain)
    latest, worst_note = _back(probes.service, worst, episode, sustain)
    last = outages[-1].last_wrong_us if outages else begun
    return Recovery(
        service=probes.service,
        begun_us=begun,
        low_us=max(0, last - _seen_us(probes, episode) - bound),
        high_us=None if note or worst_note or latest is None else latest - begun + (bound if worst else 0),
        back_us=back,
        bad_us=sum((o.back_us if o.back_us is not None else end) - max(o.first_wrong_us, begun) for o in outages),
        relapses=max(0, len(outages) - 1),
        samples=len(probes.intended_us),
        note=note or worst_note,
        doubts=_doubts(probes, episode, outages, sustain),
        faults=(
            *integrity.unseen(observations, probes, begun - WINDOW_US, end, outages),
            *integrity.clock_steps(observations, begun - WINDOW_US, end),
        ),
    )


def _within(probes: Series, episode: Episode) -> list[Outage]:
    """Outages of an episode, as far as they lie before the next."""
    mine = [o for o in probes.outages() if o.last_wrong_us >= episode.begun_us and o.first_wrong_us < episode.end_us]
    return [_cut(o, episode.end_us) for o in mine]


def _back(service: str, outages: Sequence[Outage], episode: Episode, sustain: int) -> tuple[int | None, str]:
    """First right probe after the last outage, and why it is no recovery, "" when it is."""
    end = episode.end_us
    back = outages[-1].back_us if outages else episode.begun_us
    if back is None:
        return None, f"{service} was still down at the end of the run"
    if end - back >= sustain:
        return back, ""
    had, wanted = seconds((end - back) / 1e6), seconds(sustain / 1e6)
    if not outages:
        return back, f"the run ended {had} after the injection"
    return back, f"{service} was good for only {had} of the {wanted} that it must last"


def _seen_us(probes: Series, episode: Episode) -> int:
    """When the effect was first seen: by its landed-probe or the first wrong probe, whichever is earlier."""
    wrong = probes.first_wrong_since(episode.begun_us)
    seen = [t for t in (wrong, episode.seen_us) if t is not None]
    return max(min(seen, default=episode.begun_us), episode.begun_us)


def _cut(outage: Outage, end_us: int) -> Outage:
    """The part of an outage before the next episode."""
    back = outage.back_us if outage.back_us is not None and outage.back_us < end_us else None
    return replace(outage, last_wrong_us=min(outage.last_wrong_us, end_us), back_us=back)


def _doubts(probes: Series, episode: Episode, outages: Sequence[Outage], sustain: int) -> tuple[str, ...]:
    doubts = []
    good = probes.good_before(episode.begun_us, episode.begun_us - sustain)
    what = "the fault" if episode.faults else "it went bad"
    if not episode.faults and not outages:
        return ()
    if good is None:
        doubts.append(f"{probes.service} was not probed for a whole window before {what}")
    elif not good:
        doubts.append(f"{probes.service} was bad in the {seconds(sustain / 1e6)} before {what}")
    if episode.faults and episode.seen_us is None and not outages:
        doubts.append("the fault was never seen to land")
    back = outages[-1].back_us if outages else None
    for fault in episode.faults:
        lifted = fault.lifted_us
        if back is not None and lifted is not None and lifted <= back and fault.lifted_by != "procedure":
            lift, after = f"{fault.name} was lifted at {at(lifted)}", seconds((back - lifted) / 1e6)
            doubts.append(f"{lift}, before the recovery: {after} after lift says nothing about the fault")
    return tuple(doubts)


def episodes(observations: Observations, probes: Sequence[Series], among: Sequence[Fault]) -> list[Episode]:
    """Episodes of the faults given; one from the last right probe when there is no fault but an outage."""
    end = observations.duration_us
    if not among:
        begun = [_right_before(s, o[0]) for s in probes if (o := s.outages())]
        return [Episode(min(begun), None, end, ())] if begun else []
    outages = [o for s in probes for o in s.outages()]
    groups: list[list[Fault]] = []
    for fault in among:
        quiet_since = fault.begun_us - sustain_us(observations)
        disturbed = any(
            o.first_wrong_us < fault.begun_us and (o.back_us is None or o.back_us > quiet_since) for o in outages
        )
        recent = bool(groups) and groups[-1][-1].begun_us > quiet_since
        if groups and (disturbed or recent):
            groups[-1].append(fault)
        else:
            groups.append([fault])
    starts = [g[0].begun_us for g in groups[1:]] + [end]
    found = []
    for group, until in zip(groups, starts, strict=True):
        seen = [f.seen_us for f in group if f.seen_us is not None and f.seen_us <= until]
        found.append(Episode(group[0].begun_us, min(seen, default=None), until, tuple(group)))
    return found


def _right_before(probes: Series, outage: Outage) -> int:
    """The last right probe before an outage: it began after that. Its first wrong one when it was never right."""
    right = probes.last_right_before(outage.first_wrong_us)
    return outage.first_wrong_us if right is None else right


def faults_on(observations: Observations, subject: str) -> tuple[Fault, ...]:
    """Faults whose blast radius holds a service; all of them when none does (it went bad with the rest)."""
    every = faults(observations)
    return tuple(f for f in every if subject in f.hits) or every


def members(observations: Observations, subject: str) -> tuple[str, ...]:
    """Services that a recovery objective speaks of: one, or every one, an order read back, and a test page."""
    return (*observations.topology["services"], "database", "order", "page") if subject == "complete" else (subject,)


def measure(observations: Observations, objective: Mapping[str, Any]) -> list[Measurement]:
    """Measure recovery of one service or of the complete system: the verdict's clock first, then rows never merged.

    The complete system has recovered at the first instant from which every service is good at the same time, an order
    is acknowledged and read back, and a test page is delivered.
    """
    name, subject = str(objective["objective"]), str(objective["subject"])
    parts = members(observations, subject)
    found = [s for m in parts if (s := series(observations, m)) is not None]
    if missing := [m for m in parts if m not in {s.service for s in found}]:
        words = f"there are no probes of {', '.join(missing)} through DNS that say anything"
        return [Measurement(name, None, None, None, "s", 0, METHOD, doubts=(words,), says=words)]
    among = faults(observations) if subject == "complete" else faults_on(observations, subject)
    runs = episodes(observations, found, among)
    if not runs:
        return [_unharmed(observations, name, subject, found, objective, _never_injected(observations, parts))]
    limit = objective.get("limit_us")
    every = [(e, [recover(observations, s, e) for s in found]) for e in runs]
    episode, recoveries = max(every, key=lambda pair: _badness(pair[1], limit))
    main = _measurement(observations, name, subject, episode, recoveries, found, objective)
    if _badness(recoveries, limit)[0] < _MISSED:
        main = replace(main, doubts=(*main.doubts, *_never_injected(observations, parts)))
    return [main, *_rows(observations, main, subject, episode, recoveries)]


_MET, _UNDECIDED, _MISSED = range(3)


def _badness(recoveries: Sequence[Recovery], limit_us: float | None) -> tuple[int, bool, int]:
    """Order of episodes: what the verdict of each alone would be, then how long it took."""
    limit = float("inf") if limit_us is None else limit_us
    low, open_ended = max(r.low_us for r in recoveries), any(r.high_us is None for r in recoveries)
    if _together(recoveries) or any(r.faults for r in recoveries):
        rank = _UNDECIDED
    elif low > limit:
        rank = _MISSED
    else:
        rank = _UNDECIDED if open_ended or any((r.high_us or 0) > limit for r in recoveries) else _MET
    return rank, open_ended, low


def _together(recoveries: Sequence[Recovery]) -> tuple[str, ...]:
    """What keeps services together from a verdict. That one is good for too short matters unless another is down."""
    doubts = [w for r in recoveries for w in r.doubts]
    if not any(r.down for r in recoveries):
        doubts += [r.note for r in recoveries if r.unsettled]
    return tuple(dict.fromkeys(doubts))


def _never_injected(observations: Observations, parts: Sequence[str]) -> tuple[str, ...]:
    """Faults of the timeline that would have hit one of these services and were never injected."""
    return never_injected(observations, lambda k, t: bool(blast_radius(k, t, observations.topology) & {*parts}))


def _unharmed(
    observations: Observations, name: str, subject: str, found: Sequence[Series], objective: Mapping[str, Any],
    doubts: tuple[str, ...],
) -> Measurement:  # fmt: skip
    limit = objective.get("limit_us")
    problems = [w for s in found for w in integrity.unseen(observations, s, 0, observations.duration_us, ())]
    problems += [w for s in found for w in _too_coarse(s, limit)]
    samples = sum(len(s.intended_us) for s in found)
    return Measurement(
        name, 0.0, 0.0, 0.0, "s", samples, METHOD, _where(found, 0, observations.duration_us), {"recovered": True},
        faults=tuple(problems), doubts=doubts, says=f"{subject} was never bad",
    )  # fmt: skip


def _too_coarse(probes: Series, limit_us: float | None) -> tuple[str, ...]:
    coarse = integrity.coarse(f"probes of {probes.service}", probes.spacing_us, limit_us)
    return (*coarse, *integrity.late_prober(probes, limit_us))


def _measurement(
    observations: Observations, name: str, subject: str, episode: Episode, recoveries: Sequence[Recovery],
    found: Sequence[Series], objective: Mapping[str, Any],
) -> Measurement:  # fmt: skip
    last = max(recoveries, key=lambda r: (r.back_us is None, r.back_us or 0))
    low = max(r.low_us for r in recoveries) / 1e6
    highs = [r.high_us for r in recoveries]
    high = None if None in highs else max(h for h in highs if h is not None) / 1e6
    end = last.back_us if last.back_us is not None else episode.end_us
    bad = max(r.bad_us for r in recoveries)
    detail: dict[str, Any] = {
        "recovered": high is not None,
        "last": last.service,
        "begun_us": episode.begun_us,
        "back_us": last.back_us,
        "phases": phases(observations, episode.begun_us, end) if bad else {},
        "steps": steps(observations, episode.begun_us, end) if bad else [],
        "relapses": sum(r.relapses for r in recoveries),
        "bad_seconds": round(bad / 1e6, 3),
        "failed_user_requests": _failed_requests(observations, episode.begun_us, end) if bad else 0,
        "stale_share": _stale_share(observations, end) if bad else None,
    }
    problems = list(dict.fromkeys(w for r in recoveries for w in r.faults))
    problems += [w for s in found for w in _too_coarse(s, objective.get("limit_us"))]
    return Measurement(
        name, high, low, high, "s", sum(r.samples for r in recoveries), METHOD,
        _where(found, episode.begun_us, end, last.service), {k: v for k, v in detail.items() if v is not None},
        tuple(problems), _together(recoveries), says=_says(subject, last, bad, low, high, planned=bool(episode.faults)),
    )  # fmt: skip


def _says(subject: str, last: Recovery, bad_us: int, low: float, high: float | None, *, planned: bool) -> str:
    who = "the complete system" if subject == "complete" else subject
    if high is None:
        return last.note or f"{who} did not recover"
    if not bad_us:
        return f"{who} was never bad"
    waited = f", {last.service} last" if subject == "complete" else ""
    since = "after the fault" if planned else "after it went bad by itself"
    return f"{who} was served again {seconds(high)} {since}{waited}" if low or high else f"{who} was never bad"


def _where(found: Sequence[Series], from_us: int, to_us: int, last: str | None = None) -> tuple[Evidence, ...]:
    shown = [s for s in found if last in (None, s.service)]
    return tuple(
        Evidence("probes", f"service={s.service}, route=dns, intended_us {from_us}..{to_us}", to_us) for s in shown
    )


def _failed_requests(observations: Observations, from_us: int, to_us: int) -> int | None:
    table = observations.tables("load")
    if table.num_rows == 0:
        return None
    second = whole(table, "second") * 1_000_000
    chosen = names(table, "service").equal("edge") & (second >= from_us - 999_999) & (second < to_us)
    return int((whole(table, "failed") + whole(table, "unknown"))[chosen].sum())


def _stale_share(observations: Observations, at_us: int) -> float | None:
    t_us, value = integrity.sample(observations, "stale_share")
    before = value[t_us <= at_us]
    return float(before[-1]) if len(before) else None


def _rows(
    observations: Observations, main: Measurement, subject: str, episode: Episode, recoveries: Sequence[Recovery]
) -> list[Measurement]:
    """Other clocks, other routes, and redundancy: shown, never merged."""
    if main.detail.get("bad_seconds") == 0:
        return []
    back = main.detail.get("back_us") if main.detail["recovered"] else None
    rows = [_clock(observations, main, label, kinds, back, episode) for label, kinds in _CLOCKS.items()]
    if subject == "complete":
        return [*rows, _redundancy(observations, main, episode)]
    for route, address in routes(observations, subject):
        probes = series(observations, subject, route, address)
        if probes is not None:
            label = " ".join(w for w in ("from", route, "probes", f"of {address}" if address else "") if w)
            one = recover(observations, probes, episode)
            high = None if one.high_us is None else one.high_us / 1e6
            suffix = f"{route}.{address}" if address else route
            rows.append(
                Measurement(
                    f"{main.name}.{suffix}", high, one.low_us / 1e6, high, "s", one.samples,
                    f"the same over route {route}", detail={"label": label}, faults=one.faults, doubts=_together([one]),
                    says=one.note,
                )
            )  # fmt: skip
    return rows


_CLOCKS: dict[str, tuple[str, ...]] = {
    "from_detection": ("automation_detected", "alert_firing", "page_received"),
    "from_declaration": ("declared",),
    "from_procedure_start": ("procedure_started",),
}


def _clock(
    observations: Observations,
    main: Measurement,
    label: str,
    kinds: tuple[str, ...],
    back_us: int | None,
    episode: Episode,
) -> Measurement:
    """The same recovery from another instant; without its mark the row is empty: it borrows no other clock."""
    marks = [first(observations, kind, since_us=episode.begun_us, until_us=episode.end_us) for kind in kinds]
    start = min((m.t_us for m in marks if m is not None), default=None)
    words = label.replace("_", " ").replace("procedure start", "the procedure's start")
    name, method = f"{main.name}.{label}", f"the same {words}"
    detail = {"label": words}
    if start is None or back_us is None:
        why = f"there is no fact to count {words}" if start is None else "there was no recovery"
        return Measurement(name, None, None, None, "s", 0, method, detail=detail, doubts=(why,), says=why)
    value = max(0, back_us - start) / 1e6
    evidence = (Evidence("marks", kinds[0], start),)
    return Measurement(name, value, value, value, "s", 1, method, evidence, detail, main.faults, main.doubts)


def _redundancy(observations: Observations, main: Measurement, episode: Episode) -> Measurement:
    """Time until what was lost can be lost again: standby streaming, replicas at plan."""
    kinds = ("standby_streaming", "redundancy_restored")
    marks = [first(observations, kind, since_us=episode.begun_us) for kind in kinds]
    last = max((m.t_us for m in marks if m is not None), default=None)
    name, method, detail = (
        f"{main.name}.redundancy",
        "injection to the last fact of redundancy restored",
        {"label": "until redundancy is back"},
    )
    if last is None:
        so_far = (observations.duration_us - episode.begun_us) / 1e6
        words = f"redundancy was not back {seconds(so_far)} after the fault, when the run ended"
        return Measurement(
            name, None, so_far, None, "s", 0, method, detail=detail, doubts=(words,), says=words, bare=True
        )
    value = (last - episode.begun_us) / 1e6
    return Measurement(
        name, value, value, value, "s", 1, method, (Evidence("marks", kinds[0], last),), detail, bare=True
    )
