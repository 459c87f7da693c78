"""Recovery time: from the fault to the last bad-to-good change of the run, as an interval.

The fault is an interval [injection begun, effect first seen]; the effect is the landed-probe's or the first wrong
probe, whichever is earlier. Lower bound = last wrong - effect seen; upper = first right - injection begun. Probed
without gap and never bad: [0, 0]. Good must last from there to the end and at least for the sustain window,
max(60 s, 2 x DNS TTL); it must also have been good for one such window before the fault (or since the run began), else
nothing is decided. What ended inside the window is not decided either, however late it is; what is not recovered at the
end has missed its limit once that has passed.
Faults of which each was recovered from before the next began are episodes of their own; the one with the worst verdict
decides. An outage before any fault is timed from the last right probe before it. Source: DESIGN, What is measured,
exactly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from scenarios.model.faults import blast_radius
from validators import integrity
from validators.columns import names, whole
from validators.marks import never_injected
from validators.measures.episodes import Episode, episodes, members
from validators.measures.goodness import Series, series
from validators.measures.phases import phases, steps
from validators.measures.recovery import Recovery, recover, together
from validators.measures.recovery_rows import rows
from validators.model import Evidence, Measurement, Observations
from validators.words import seconds

METHOD = "last bad-to-good change of single probes through DNS, from the injection"


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
    runs = episodes(observations, subject, found)
    if not runs:
        return [_unharmed(observations, name, subject, found, objective, _never_injected(observations, parts))]
    limit = objective.get("limit_us")
    every = [(e, [recover(observations, s, e) for s in found]) for e in runs]
    # what was bad before any fault may prove a miss; what it leaves undecided is no doubt about the faults
    counted = [pair for pair in every if pair[0].faults or _badness(pair[1], limit)[0] == _MISSED] or every
    episode, recoveries = max(counted, key=lambda pair: _badness(pair[1], limit))
    main = _measurement(observations, name, subject, episode, recoveries, found, objective)
    if _badness(recoveries, limit)[0] < _MISSED:
        main = replace(main, doubts=(*main.doubts, *_never_injected(observations, parts)))
    return [main, *rows(observations, main, subject, episode)]


_MET, _UNDECIDED, _MISSED = range(3)


def _badness(recoveries: Sequence[Recovery], limit_us: float | None) -> tuple[int, bool, int]:
    """Order of episodes: what the verdict of each alone would be, then how long it took."""
    limit = float("inf") if limit_us is None else limit_us
    low, open_ended = max(r.low_us for r in recoveries), any(r.high_us is None for r in recoveries)
    if together(recoveries) or any(r.faults for r in recoveries):
        rank = _UNDECIDED
    elif low > limit:
        rank = _MISSED
    else:
        rank = _UNDECIDED if open_ended or any((r.high_us or 0) > limit for r in recoveries) else _MET
    return rank, open_ended, low


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
        tuple(problems), together(recoveries), says=_says(subject, last, bad, low, high, planned=bool(episode.faults)),
    )  # fmt: skip


def _says(subject: str, last: Recovery, bad_us: int, low: float, high: float | None, *, planned: bool) -> str:
    who = "the complete system" if subject == "complete" else subject
    if high is None:
        return last.note or f"{who} did not recover"
    if not bad_us:
        return f"{who} was never bad"
    waited = f", {last.service} last" if subject == "complete" else ""
    since = "after the fault" if planned else "after it went bad, with no fault before it"
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
