"""The merge of verdicts: FAIL > INCONCLUSIVE > PASS; nothing at all is INCONCLUSIVE.

Source: DESIGN, What is measured, exactly.
"""

from collections.abc import Collection, Iterable
from functools import reduce

from validators.model import Judgement, Result, Verdict

_WEIGHT = {Result.PASS: 0, Result.INCONCLUSIVE: 1, Result.FAIL: 2}


def worse(one: Result, other: Result) -> Result:
    """Return the one that outweighs the other.

    >>> worse(Result.PASS, Result.INCONCLUSIVE).value
    'INCONCLUSIVE'
    """
    return max(one, other, key=_WEIGHT.__getitem__)


def merge(results: Iterable[Result]) -> Result:
    """Return the worst of all results; INCONCLUSIVE when there are none.

    >>> merge([]).value, merge([Result.PASS, Result.FAIL]).value
    ('INCONCLUSIVE', 'FAIL')
    """
    every = list(results)
    return reduce(worse, every) if every else Result.INCONCLUSIVE


def judgement(verdicts: Collection[Verdict], trials: int = 1) -> Judgement:
    """Return verdicts with their merge, their count and a headline; rows beside a verdict count for nothing."""
    mine = [v for v in verdicts if v.merged]
    results = [v.result for v in mine if v.result is not None]
    applicable = sum(v.state != "not_exercised" for v in mine)
    result = merge(results)
    headline = f"{result.value}, {len(results)} of {applicable} judged"
    return Judgement(result, tuple(verdicts), len(results), applicable, headline, trials)


def missing(required: Iterable[str], judgements: Iterable[Judgement]) -> list[str]:
    """Return the objectives that a suite requires and that none of its runs judged, in the suite's order."""
    judged = {v.objective for j in judgements for v in j.verdicts if v.merged and v.result is not None}
    return [name for name in required if name not in judged]


def suite(required: Iterable[str], judgements: Collection[Judgement]) -> Result:
    """Return the merge over the runs of a suite; a required objective that nobody judged is INCONCLUSIVE."""
    gaps = [Result.INCONCLUSIVE for _ in missing(required, judgements)]
    return merge([*(j.result for j in judgements), *gaps])
