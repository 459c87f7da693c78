"""House rules: one writer at a time, no duplicate order, no order after a stop took effect, nothing readable that was never written.

One violation is FAIL, and it is proven: no fault of the instrument takes it back. Value: violations, limit 0.
Source: DESIGN, What is measured, exactly; objectives/house-rules.yaml.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from validators import integrity
from validators.ledger import done, doubles, found, isin, sent, timelines
from validators.marks import of_kind
from validators.measures.goodness import blind
from validators.model import Evidence, Measurement, Observations
from validators.words import at, listed, quantity

CLASS = "transactions"


def measure(observations: Observations, objective: Mapping[str, Any]) -> list[Measurement]:
    """Count violations of a house rule."""
    return [_RULES[str(objective["subject"])](observations, str(objective["objective"]))]


def _counted(
    name: str, violations: int, samples: int, method: str, says: str, evidence: tuple[Evidence, ...] = (),
    doubts: tuple[str, ...] = (), faults: tuple[str, ...] = (), *, vacuous: bool = False,
) -> Measurement:  # fmt: skip
    """A count of violations; weak evidence bounds it from below only."""
    known = None if doubts or faults else float(violations)
    return Measurement(
        name, float(violations), float(violations), known, "1", samples, method, evidence, {}, faults, doubts,
        proven=violations > 0, limit=0.0, vacuous=vacuous, says=says,
    )  # fmt: skip


def single_writer(observations: Observations, name: str) -> Measurement:
    """Instants at which two databases commit, and acknowledged writes that only another timeline holds after the promotion."""
    databases = integrity.subjects(observations, "writable")
    method = "databases that commit at the same instant, and writes acknowledged on an old timeline after the promotion"
    together, samples, last_t = _writable_together(observations, databases)
    forked, forked_at = _written_elsewhere(observations)
    evidence, words = [], []
    if len(together):
        evidence.append(Evidence("samples", "writable of more than one database", int(together[0])))
        words.append(
            f"two databases took writes at once for {quantity(float(len(together)), '1')} samples, first at {at(int(together[0]))}"
        )
    if forked:
        evidence.append(
            Evidence("readback", f"acknowledged after the promotion, on an old timeline only: {forked}", forked_at)
        )
        words.append(f"{forked:,} orders were acknowledged on the old timeline after the new one took writes")
    doubts = []
    if not databases:
        doubts.append("nothing was recorded of which database takes writes")
    gaps = blind(observations, "samples", "writable")
    faults = tuple(f"it was not observed which database takes writes from {at(a)} to {at(b)}" for a, b in gaps)
    if databases and last_t:
        faults += (f"it was not sampled for {quantity(last_t / 1e6, 's')} which database takes writes",)
    says = listed(words) if words else "at no instant did two databases take writes"
    return _counted(name, len(together) + forked, samples, method, says, tuple(evidence), tuple(doubts), faults)


def _writable_together(observations: Observations, databases: list[str]) -> tuple[Any, int, float]:
    """Instants with more than one writable database, samples, and the widest gap when it is above 10 s (else 0)."""
    sampled = [integrity.sample(observations, "writable", d) for d in databases]
    if not sampled:
        return np.zeros(0, dtype=np.int64), 0, 0.0
    t_us = np.concatenate([t[v > 0.5] for t, v in sampled])
    instants, counts = np.unique(t_us, return_counts=True)
    every = np.unique(np.concatenate([t for t, _ in sampled]))
    edges = np.concatenate([[0], every, [observations.duration_us]])
    widest = float(np.diff(edges).max())
    return instants[counts > 1], len(every), widest if widest > 10_000_000 else 0.0


def _written_elsewhere(observations: Observations) -> tuple[int, int | None]:
    """Orders first acknowledged after a promotion that the new timeline lacks and an older one holds."""
    promoted = of_kind(observations, "promoted")
    new = observations.surviving_timeline
    since = next((m.t_us for m in promoted if m.detail["timeline"] == new), None)
    if since is None or not found(observations, CLASS, new).asked:
        return 0, None
    others = [found(observations, CLASS, t).keys for t in timelines(observations) if t != new]
    ends = done(observations, CLASS)
    keys, sent_us = sent(observations, CLASS)
    after = keys[sent_us > since]
    late = isin(ends.acked_keys, after) & ~isin(ends.acked_keys, found(observations, CLASS, new).keys)
    if not others:
        return 0, None
    late &= isin(ends.acked_keys, np.concatenate(others))
    return int(late.sum()), int(ends.acked_us[late][0]) if late.any() else None


def no_duplicate_order(observations: Observations, name: str) -> Measurement:
    """Keys that the surviving timeline holds more than once."""
    timeline = observations.surviving_timeline
    read = found(observations, CLASS, timeline)
    several = np.union1d(read.keys[read.copies > 1], doubles(read.keys))
    doubts = () if read.asked else (f"the orders on the timeline {timeline or 'that survived'} were not read back",)
    says = (
        f"{len(several):,} orders exist more than once"
        if len(several)
        else f"none of {len(read.keys):,} orders exists twice"
    )
    evidence = _keys("readback", several, f"timeline={timeline}, more than one copy")
    return _counted(
        name, len(several), len(read.keys), "copies of each key on the surviving timeline", says, evidence, doubts
    )


def nothing_unwritten(observations: Observations, name: str) -> Measurement:
    """Keys that some timeline holds and nobody sent."""
    keys, _ = sent(observations, CLASS)
    read = [found(observations, CLASS, t) for t in timelines(observations)]
    there = np.concatenate([np.zeros(0, dtype=np.int64), *(f.keys for f in read)])
    stray = np.unique(there[~isin(there, keys)])
    asked = any(f.asked for f in read)
    doubts = () if asked else ("nothing was read back after the run",)
    says = (
        f"{len(stray):,} readable orders were never written"
        if len(stray)
        else f"each of {len(there):,} orders read back was sent"
    )
    evidence = _keys("readback", stray, "never sent")
    return _counted(
        name, len(stray), len(there), "each key read back looked for among those sent", says, evidence, doubts
    )


def no_order_after_stop(observations: Observations, name: str) -> Measurement:
    """Orders sent after trading had stopped, and acknowledged before it was resumed."""
    stops = _stops(observations)
    method = "orders sent after a stop took effect, and acknowledged"
    if not stops:
        return _counted(name, 0, 0, method, "trading was not stopped in this run", vacuous=True)
    keys, sent_us = sent(observations, CLASS)
    ends = done(observations, CLASS)
    bound = integrity.clock_bound_us(observations)
    taken = np.zeros(0, dtype=np.int64)
    for begun, until in stops:
        inside = (sent_us > begun + bound) & (sent_us < until)
        taken = np.concatenate([taken, np.intersect1d(keys[inside], ends.acked_keys)])
    begun = stops[0][0]
    doubts = () if len(keys) else ("there is no record of the orders sent",)
    says = (
        f"{len(taken):,} orders were accepted after trading stopped at {at(begun)}"
        if len(taken)
        else f"no order was accepted after trading stopped at {at(begun)}"
    )
    evidence = _keys("writes_done", taken, f"sent after {begun} us, acknowledged")
    faults = integrity.clock_steps(observations, 0, observations.duration_us)
    return _counted(name, len(taken), int((sent_us > begun).sum()), method, says, evidence, doubts, faults)


def _stops(observations: Observations) -> list[tuple[int, int]]:
    """Intervals in which trading was stopped."""
    found_: list[tuple[int, int]] = []
    begun: int | None = None
    for mark in of_kind(observations, "trading_disabled", "trading_enabled"):
        if mark.kind == "trading_disabled" and begun is None:
            begun = mark.t_us
        elif mark.kind == "trading_enabled" and begun is not None:
            found_.append((begun, mark.t_us))
            begun = None
    return [*found_, (begun, observations.duration_us)] if begun is not None else found_


def _keys(table: str, keys: Any, words: str) -> tuple[Evidence, ...]:
    if not len(keys):
        return ()
    shown = ", ".join(map(str, keys[:5].tolist()))
    return (Evidence(table, f"{words}: keys {shown}{' ...' if len(keys) > 5 else ''}"),)


_RULES: dict[str, Callable[[Observations, str], Measurement]] = {
    "single_writer": single_writer,
    "no_duplicate_order": no_duplicate_order,
    "no_order_after_stop": no_order_after_stop,
    "nothing_unwritten": nothing_unwritten,
}
