"""House rules: one writer at a time, no duplicate order, no order after a stop, nothing readable but never written.

One violation is FAIL, and it is proven: no fault of the instrument takes it back. Value: violations, limit 0.
Source: DESIGN, What is measured, exactly; objectives/house-rules.yaml.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validators import integrity, whole_ledger
from validators.ledger import done, found, renamed, sent, timelines
from validators.marks import of_kind
from validators.measures.goodness import blind
from validators.model import Evidence, Measurement, Observations
from validators.packed import Packed, doubles, isin
from validators.words import at, listed, quantity

CLASS = "transactions"
UNSEEN_US = 10_000_000  # a database that is not sampled for longer may have taken writes unseen
NEVER_US = 2**62
_BEGINS = ("promoted", "restored")  # facts with which a timeline begins
I64 = NDArray[np.int64]


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
    """Instants at which two databases commit, and writes after the promotion that only an old timeline holds.

    A database that is not sampled may take writes unseen; reading its timeline after the run shows them all the same.
    """
    databases = sorted({*_expected(observations), *integrity.subjects(observations, "writable")})
    bound = integrity.clock_bound_us(observations)
    together = _writable_together(observations, databases, bound)
    forked, forked_at = _written_elsewhere(observations, bound)
    evidence, words, doubts = [], [], []
    if len(together):
        evidence.append(Evidence("samples", "writable of more than one database", int(together[0])))
        count = quantity(float(len(together)), "1")
        words.append(f"two databases took writes at once for {count} samples, first at {at(int(together[0]))}")
    if forked:
        where = f"acknowledged after the promotion, on an old timeline only: {forked}"
        evidence.append(Evidence("readback", where, forked_at))
        words.append(f"{forked:,} orders were acknowledged on the old timeline after the new one took writes")
    if not _begun(observations):
        doubts.append("there are several timelines, and no fact says since when the new one took writes")
    doubts += _unread(observations)
    doubts += whole_ledger.doubts(observations)
    if bound and not words and len(_writable_together(observations, databases, 0)):
        doubts.append("two databases took writes at once, as far as their clocks can tell")
    method = "databases that commit at the same instant, and writes acknowledged on an old timeline after the promotion"
    says = listed(words) if words else "at no instant did two databases take writes"
    samples = sum(len(integrity.sample(observations, "writable", d)[0]) for d in databases)
    faults = _writable_unseen(observations, databases)
    return _counted(name, len(together) + forked, samples, method, says, tuple(evidence), tuple(doubts), faults)


def _expected(observations: Observations) -> list[str]:
    """Databases that can take writes: of the primary's region, of the replica's, and those that were made primary."""
    declared = observations.topology["database"]
    regions = (declared["home"], declared.get("replica_region"))
    made = {m.subject for m in of_kind(observations, *_BEGINS)}
    return sorted({f"{region}/database" for region in regions if region} | made)


def _unread(observations: Observations) -> list[str]:
    """Timelines that nobody read back, and that could hold what shows a second writer.

    One that another database replaced may have taken an order between two samples; one that was made anew by the
    database that was the primary already is not needed: what it held went into the next one.
    """
    begun = [(m.t_us, str(m.detail["timeline"]), m.subject) for m in of_kind(observations, *_BEGINS)]
    since = {timeline: t_us for t_us, timeline, _ in begun}
    survivor = str(observations.surviving_timeline)
    needed = {survivor, *(timeline for t_us, timeline, _ in begun if t_us >= since.get(survivor, 0))}
    words, was = list[str](), (f"{observations.topology['database']['home']}/database", "")
    for _, timeline, database in begun:
        if database != was[0] and was[1]:
            needed.add(was[1])
        elif database != was[0] and not _first_read(observations, was[0], set(since)):
            words.append(f"the timeline of {was[0]}, which {timeline} replaced, was not read back")
        was = database, timeline
    unread = [t for t in sorted(needed) if begun and not found(observations, CLASS, t).asked]
    return [*words, *(f"the timeline {t} was not read back" for t in unread)]


def _first_read(observations: Observations, database: str, begun: set[str]) -> bool:
    """Whether the timeline was read on which a database was the primary when the run began: no fact names it."""
    region = database.partition("/")[0]
    first = [t for t in timelines(observations) if t.rpartition("/")[0] == region and t not in begun]
    return any(found(observations, CLASS, t).asked for t in first)


def _writable_unseen(observations: Observations, databases: list[str]) -> tuple[str, ...]:
    """Stretches in which it was not seen which database takes writes."""
    words = [
        f"it was not observed which database takes writes from {at(a)} to {at(b)}"
        for a, b in blind(observations, "samples", "writable")
    ]
    sampled = {d: integrity.sample(observations, "writable", d)[0] for d in databases}
    every = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *sampled.values()]))
    if (widest := _widest_gap_us(observations, every)) > UNSEEN_US:
        words.append(f"it was not sampled for {quantity(widest / 1e6, 's')} which database takes writes")
    words += [f"it was never sampled whether {d} takes writes" for d, t_us in sampled.items() if not len(t_us)]
    dark = [d for d, t_us in sampled.items() if len(t_us) and _widest_gap_us(observations, t_us) > UNSEEN_US]
    words += [
        f"it was not sampled throughout whether {d} takes writes, nor its timeline read"
        for d in dark
        if not _old_timelines_read(observations, d)
    ]
    return tuple(words)


def _old_timelines_read(observations: Observations, database: str) -> bool:
    """Whether every timeline on which a database could have taken writes aside was read, and there is one."""
    begun = {str(m.detail["timeline"]) for m in of_kind(observations, *_BEGINS) if m.subject == database}
    home = f"{database.partition('/')[0]}/"
    old = {*begun, *(t for t in timelines(observations) if t.startswith(home))} - {observations.surviving_timeline}
    return bool(old) and all(found(observations, CLASS, t).asked for t in old)


def _widest_gap_us(observations: Observations, t_us: I64) -> int:
    return int(np.diff(np.concatenate([[0], t_us, [observations.duration_us]])).max())


def _writable_together(observations: Observations, databases: list[str], bound_us: int) -> I64:
    """Instants at which a database was sampled as writable while another was, before and after by the clocks' error."""
    sampled = {d: integrity.sample(observations, "writable", d) for d in databases}
    found_: list[I64] = [np.zeros(0, dtype=np.int64)]
    for one, other in permutations(databases, 2):
        (t_us, value), (there_us, there) = sampled[one], sampled[other]
        on = t_us[value > 0.5]
        before = np.searchsorted(there_us, on - bound_us, side="right") - 1
        after = np.searchsorted(there_us, on + bound_us, side="left")
        inside = (before >= 0) & (after < len(there_us))
        on, before, after = on[inside], before[inside], after[inside]
        off = np.concatenate([[0], np.cumsum(there <= 0.5)])
        near = there_us[after] - there_us[before] <= UNSEEN_US + 2 * bound_us
        found_.append(on[(off[after + 1] == off[before]) & near])
    return np.unique(np.concatenate(found_))


def _begun(observations: Observations) -> bool:
    """Whether it is on record how the surviving timeline began, where there is another."""
    new = observations.surviving_timeline
    known = {m.detail["timeline"] for m in of_kind(observations, *_BEGINS)}
    return new in known or not set(timelines(observations)) - {new}


def _written_elsewhere(observations: Observations, bound_us: int) -> tuple[int, int | None]:
    """Acknowledged orders that only an older timeline holds although they were sent after a promotion."""
    if not found(observations, CLASS, observations.surviving_timeline).asked:
        return 0, None
    promoted = [(m.t_us, str(m.detail["timeline"])) for m in of_kind(observations, "promoted")]
    ends = done(observations, CLASS)
    keys, sent_us = sent(observations, CLASS)
    late = np.zeros(len(ends.acked_keys), dtype=np.bool_)
    for number, (since, _) in enumerate(promoted):
        newer = {str(observations.surviving_timeline), *(timeline for _, timeline in promoted[number:])}
        older = [t for t in timelines(observations) if t not in newer]
        after = keys.where(sent_us.test(_between(since + bound_us, NEVER_US)))
        only = isin(ends.acked_keys, after) & isin(ends.acked_keys, *_keys_of(observations, older))
        late |= only & ~isin(ends.acked_keys, *_keys_of(observations, newer))
    return int(late.sum()), ends.acked_us.at(int(late.argmax())) if late.any() else None


def _keys_of(observations: Observations, names: Iterable[str]) -> list[Packed]:
    return [found(observations, CLASS, timeline).keys for timeline in names]


def no_duplicate_order(observations: Observations, name: str) -> Measurement:
    """Orders that the surviving timeline holds more than once: under one key, or under several of the same order."""
    timeline = observations.surviving_timeline
    read = found(observations, CLASS, timeline)
    several = np.union1d(read.several_keys, doubles(read.keys))
    numbers, keys = renamed(observations, CLASS)
    there = isin(keys, read.keys)
    several = np.union1d(several, keys[there & isin(numbers, doubles(numbers[there]))])
    unread = () if read.asked else (f"the orders on the timeline {timeline or 'that survived'} were not read back",)
    doubts = (*unread, *whole_ledger.doubts(observations))
    says = f"none of {len(read.keys):,} orders exists twice"
    if len(several):
        says = f"{len(several):,} orders exist more than once"
    method = "copies of each order on the surviving timeline"
    evidence = _keys("readback", several, f"timeline={timeline}, more than one copy")
    return _counted(name, len(several), len(read.keys), method, says, evidence, doubts)


def nothing_unwritten(observations: Observations, name: str) -> Measurement:
    """Keys that some timeline holds and nobody sent."""
    keys, _ = sent(observations, CLASS)
    timeline = observations.surviving_timeline
    read = [found(observations, CLASS, t).keys for t in timelines(observations)]
    there = sum(map(len, read))
    never = [one.where(~isin(one, keys)).values() for one in read]
    stray = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *never]))
    asked = found(observations, CLASS, timeline).asked
    unread = [] if asked else [f"the timeline {timeline or 'that survived'} was not read back"]
    doubts = (*dict.fromkeys([*unread, *_unread(observations)]), *whole_ledger.doubts(observations))
    says = f"each of {there:,} orders read back was sent"
    if len(stray):
        says = f"{len(stray):,} readable orders were never written"
    method = "each key read back looked for among those sent"
    return _counted(name, len(stray), there, method, says, _keys("readback", stray, "never sent"), doubts)


def no_order_after_stop(observations: Observations, name: str) -> Measurement:
    """Orders sent after trading had stopped and before it was resumed that were acknowledged, or that exist."""
    stops = _stops(observations)
    method = "orders sent after a stop took effect, and acknowledged or found"
    if not stops:
        return _counted(name, 0, 0, method, "trading was not stopped in this run", vacuous=True)
    keys, sent_us = sent(observations, CLASS)
    bound = integrity.clock_bound_us(observations)
    tried = np.zeros(len(keys), dtype=np.bool_)
    for begun, until in stops:
        tried |= sent_us.test(_between(begun + bound, until - bound))
    read = [found(observations, CLASS, t).keys for t in timelines(observations)]
    asked = keys.where(tried)
    taken = np.unique(asked.where(isin(asked, done(observations, CLASS).acked_keys, *read)).values())
    untried = () if tried.any() else ("no order was tried after the stop",)
    doubts = (*untried, *whole_ledger.doubts(observations))
    stop = f"after trading stopped at {at(stops[0][0])}"
    says = f"no order was accepted {stop}"
    if len(taken):
        says = f"{len(taken):,} orders were accepted {stop}"
    evidence = _keys("writes_done", taken, f"sent after {stops[0][0]} us, accepted")
    faults = integrity.clock_steps(observations, 0, observations.duration_us)
    return _counted(name, len(taken), int(tried.sum()), method, says, evidence, doubts, faults)


def _between(from_us: int, to_us: int) -> Callable[[I64], NDArray[np.bool_]]:
    return lambda t_us: (t_us > from_us) & (t_us < to_us)


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
