"""Many trials judged: each objective as a proportion of the trials that met it, then merged.

PASS when the lower bound of that proportion reaches `met_in`, FAIL when the upper bound is below it, else INCONCLUSIVE.
The lower bound counts the trials that passed, the upper one those that passed or could not be decided. Bounds are
Clopper and Pearson's for a number of trials fixed beforehand; a run that may stop early needs a confidence sequence.
Source: DESIGN, What is measured, exactly (Merge).
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from scenarios.record.ensemble import Trial
from validators.judge import asked
from validators.merge import judgement
from validators.model import Judgement, Result, Verdict
from validators.statistics import binomial, sequence
from validators.words import percent, quantity

CONFIDENCE = 0.95
COMPLETE = "rto.complete"
MISSING = "The record of the trial in full is missing"
_SHOWN = (0.5, 0.9, 0.95)


class Judged(Protocol):
    """One of many trials as far as it is judged here; `scenarios.record.ensemble.Trial` is one."""

    @property
    def results(self) -> Mapping[str, str | None]:
        """Return PASS, FAIL, INCONCLUSIVE; None: not exercised, or its level cannot judge it."""
        ...

    @property
    def values(self) -> Mapping[str, float | None]:
        """Return measured values; None: it never happened."""
        ...

    @property
    def reasons(self) -> Mapping[str, str]:
        """Return the judge's sentences."""
        ...


@dataclass(frozen=True)
class Proportion:
    """Share of the trials that met an objective, with one-sided bounds."""

    met: int
    undecided: int
    trials: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Share that passed."""
        return self.met / self.trials

    def result(self, met_in: float) -> Result:
        """Compare the bounds with the share that is asked for."""
        if self.low >= met_in:
            return Result.PASS
        return Result.FAIL if self.high < met_in else Result.INCONCLUSIVE


def proportion(results: Sequence[str], *, peeking: bool = False) -> Proportion:
    """Bounds of the share of trials that met an objective. `peeking`: one may look after each trial and stop."""
    met, undecided = results.count(Result.PASS), results.count(Result.INCONCLUSIVE)
    lower, upper = (sequence.lower, sequence.upper) if peeking else (binomial.lower, binomial.upper)
    n = len(results)
    return Proportion(met, undecided, n, lower(met, n, CONFIDENCE), upper(met + undecided, n, CONFIDENCE))


def least_trials(met_in: float, *, peeking: bool = False) -> int:
    """Least number of trials that can PASS, all of them having met the objective."""
    return sequence.least_trials(met_in, CONFIDENCE) if peeking else binomial.least_trials(met_in, CONFIDENCE)


def judge_ensemble(
    trials: Sequence[Judged],
    met_in: float,
    full: Judgement | None = None,
    *,
    peeking: bool = False,
    objectives: Iterable[Mapping[str, Any]] = (),
    left_out: Mapping[str, str] | None = None,
    owed: Collection[str] = (),
) -> Judgement:
    """Judge many trials of one scenario.

    Args:
        trials: Trials played at the same level, in the order in which they were played.
        met_in: Share of the trials that must meet each objective.
        full: Judgement of the trial that was played in full. It gives limits and units, and judges what no trial could.
        peeking: Whether the number of trials depended on what they showed.
        objectives: The documents of the objectives, which give limits and units where no trial was played in full.
        left_out: Why an objective is not judged at the level of the trials.
        owed: Those of them that only a trial in full can judge. Where it is not there, they are INCONCLUSIVE.

    Returns:
        A verdict for each objective: its value is the quantile of the measured values at `met_in`, its interval that
        quantile's, and `detail` holds met, trials, share, low and high of the share, p50, p90 and p95.
    """
    single = {v.objective: v for v in full.verdicts if v.merged} if full is not None else {}
    declared = {v.objective: v for v in map(asked, objectives)}
    names = list(dict.fromkeys([*single, *(name for trial in trials for name in trial.results)]))
    verdicts = []
    for name in names:
        judged = [t for t in trials if t.results.get(name) is not None]
        known, what = single.get(name), declared.get(name)
        if judged:
            asks = known if known is not None else what
            verdicts.append(_verdict(name, judged, len(trials), met_in, asks, peeking=peeking))
        elif known is not None:
            verdicts.append(known)
        else:
            verdicts.append(_unjudged(name, trials, what, (left_out or {}).get(name), owed=name in owed))
    return judgement(verdicts, len(trials))


def _unjudged(name: str, trials: Sequence[Judged], what: Verdict | None, why: str | None, *, owed: bool) -> Verdict:
    """What no trial judged: it was not exercised, its level leaves it out (`why`), or the trial in full is missing."""
    asks = what or Verdict(name, None, None, None, "", None, None, 0, "", "", state="not_exercised")
    if why is None or (trials and not any(t.reasons.get(name, why) == why for t in trials)):
        return replace(asks, reason=f"no trial of {len(trials)} exercised it")
    if not owed:
        return replace(asks, reason=why, state="not_judged")
    return replace(asks, result=Result.INCONCLUSIVE, reason=f"{MISSING}: {why}", state="judged")


def _verdict(
    name: str, judged: Sequence[Judged], played: int, met_in: float, known: Verdict | None, *, peeking: bool
) -> Verdict:
    found = proportion([str(t.results[name]) for t in judged], peeking=peeking)
    at_least = known is not None and known.at_least
    ordered = _ordered([t.values.get(name) for t in judged], at_least=at_least)
    share = 1 - met_in if at_least else met_in
    value, (low, high) = _quantile(ordered, share), _bounds(ordered, share)
    detail: dict[str, Any] = {
        "met": found.met, "undecided": found.undecided, "trials": found.trials, "played": played,
        "share": found.share, "low": found.low, "high": found.high, "met_in": met_in,
        **{f"p{q * 100:g}": _quantile(ordered, q) for q in _SHOWN},
    }  # fmt: skip
    method = "confidence sequence (beta-binomial mixture)" if peeking else "Clopper-Pearson"
    limit, unit = (known.limit, known.unit) if known is not None else (None, "")
    words = _words(found, played, met_in) + _spread(value, limit, unit, met_in, at_least=at_least) + "."
    verdict = Verdict(
        name, found.result(met_in), value, limit, unit, low, high, found.trials, f"one-sided 95 % {method} over trials",
        words, detail=detail, at_least=at_least,
    )  # fmt: skip
    return verdict if known is None else replace(verdict, source=known.source)


def _ordered(values: Sequence[float | None], *, at_least: bool) -> list[float]:
    """Values ascending; what never happened is worse than all others."""
    worst = -math.inf if at_least else math.inf
    return sorted(worst if v is None else v for v in values)


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    """Nearest-rank quantile; None when it lies among what never happened."""
    return _finite(ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)])


def _bounds(ordered: Sequence[float], share: float) -> tuple[float | None, float | None]:
    """One-sided bounds of the quantile, by rank."""
    low, high = binomial.quantile_ranks(share, len(ordered), CONFIDENCE)
    return (
        _finite(ordered[low - 1]) if low is not None else None,
        _finite(ordered[high - 1]) if high is not None else None,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _words(found: Proportion, played: int, met_in: float) -> str:
    among = f"{found.trials:,} trials"
    if found.trials < played:
        among = f"the {found.trials:,} of {played:,} trials that exercised it"
    bounds = f"[{percent(found.low, -1)}, {percent(found.high, 1)}]"
    words = f"Met in {percent(found.share)} of {among} {bounds}, needs {percent(met_in)}"
    if found.undecided:
        words += f"; {found.undecided:,} could not be decided"
    if found.met == found.trials and found.low < met_in:
        words += "; too few trials to show it"
    return words


def _spread(value: float | None, limit: float | None, unit: str, met_in: float, *, at_least: bool) -> str:
    """What the required share of trials kept to; nothing for counts, whose limit is none at all."""
    if limit is None or limit == 0:
        return ""
    text = quantity(limit, unit)
    if value is None:
        return f"; fewer than {percent(met_in)} got there at all, the limit is {text}"
    reached = f"reached {quantity(value, unit)}" if at_least else f"stayed within {quantity(value, unit)}"
    return f"; {percent(met_in)} {reached}, the limit is {text}"


def ranked[T: Judged](trials: Iterable[T]) -> list[T]:
    """Return trials from best to worst, by how long the complete system took to recover.

    One that did not recover is worse than all that did. Trials that are equal in that, or in a scenario that judges no
    recovery, are told apart by how many objectives were missed, then by how many could not be decided; the rest stay in
    the order given. The worst is the last; the median the one in the middle, of an even number the better of the two.
    """
    return sorted(trials, key=_rank)


def _rank(trial: Judged) -> tuple[float, int, int]:
    results = list(trial.results.values())
    took = trial.values.get(COMPLETE) if trial.results.get(COMPLETE) is not None else 0.0
    return math.inf if took is None else took, results.count(Result.FAIL), results.count(Result.INCONCLUSIVE)


def trial_of(judged: Judgement, trial: int, seed: int) -> Trial:
    """Return what is kept of one trial: results, values, bounds, phases and reasons by objective."""
    mine = [v for v in judged.verdicts if v.merged]
    return Trial(
        trial=trial,
        seed=seed,
        results={v.objective: v.result.value if v.result is not None else None for v in mine},
        values={v.objective: v.value for v in mine},
        low={v.objective: v.low for v in mine},
        high={v.objective: v.high for v in mine},
        phases={v.objective: dict(v.detail["phases"]) for v in mine if v.detail.get("phases")},
        reasons={v.objective: v.reason for v in mine},
    )
