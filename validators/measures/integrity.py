"""Integrity of the record and of the run: requests accounted for, times in order, faults landed and gone, nothing left.

A violation is FAIL; what was not observed is INCONCLUSIVE, and so is a planned fault that was never seen to land: a
recovery from nothing proves nothing, but the system did nothing wrong. Value: violations, limit 0.
Source: DESIGN, What is measured, exactly.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from validators import whole_ledger
from validators.columns import I64, NONE, names, whole
from validators.ledger import Done, done, found, in_order, sent
from validators.marks import faults, of_kind, planned
from validators.measures.little import inside
from validators.model import Evidence, Measurement, Observations
from validators.packed import Index, Packed, isin
from validators.words import at, listed

CLASS = "transactions"
_COUNTED = ("intended", "sent", "ok", "failed", "unknown", "attempts")


def measure(observations: Observations, objective: Mapping[str, Any]) -> list[Measurement]:
    """Count violations of an integrity rule."""
    return [_RULES[str(objective["subject"])](observations, str(objective["objective"]))]


def _counted(
    name: str,
    wrong: list[str],
    samples: int,
    method: str,
    sound: str,
    doubts: tuple[str, ...] = (),
    evidence: tuple[Evidence, ...] = (),
    *,
    vacuous: bool = False,
) -> Measurement:
    known = None if doubts else float(len(wrong))
    says = listed(wrong[:3]) + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else "") if wrong else sound
    return Measurement(
        name, float(len(wrong)), float(len(wrong)), known, "1", samples, method, evidence, doubts=doubts, limit=0.0,
        says=says, proven=bool(wrong), vacuous=vacuous,
    )  # fmt: skip


def flow(observations: Observations, name: str) -> Measurement:
    """Intended = sent + not sent; sent = ok + failed + unknown + in flight, at each second and at the end.

    Little's law holds where the ledger has every order.
    """
    method = "counts of the sender, second by second"
    table = observations.tables("load")
    edge = names(table, "service").equal("edge")
    if not edge.any():
        return _counted(name, [], 0, method, "", ("there are no counts of the sender",))
    seconds, place = np.unique(whole(table, "second")[edge], return_inverse=True)
    counts = {c: _summed(whole(table, c)[edge], place) for c in _COUNTED}
    ended = counts["ok"] + counts["failed"] + counts["unknown"]
    in_flight = np.cumsum(counts["sent"]) - np.cumsum(ended)
    wrong = []
    if (i := _first(np.cumsum(counts["sent"]) > np.cumsum(counts["intended"]))) is not None:
        wrong.append(f"more was sent than intended by {at(int(seconds[i]) * 1_000_000)}")
    if (i := _first(in_flight < 0)) is not None:
        wrong.append(f"more requests ended than were sent by {at(int(seconds[i]) * 1_000_000)}")
    longest_s = _longest_request_s(observations)
    recent = int(counts["sent"][seconds > seconds[-1] - longest_s].sum())
    if in_flight[-1] > recent:
        missing = int(in_flight[-1]) - recent
        wrong.append(f"{missing:,} requests were sent, cannot be in flight any more, and have no end")
    if (i := _first(np.minimum.reduce([c for c in counts.values()]) < 0)) is not None:
        wrong.append(f"a count is negative at {at(int(seconds[i]) * 1_000_000)}")
    wrong += _without_end(observations, longest_s)
    sound = f"each of {int(counts['sent'].sum()):,} requests is accounted for"
    doubts = (*_uncounted(observations, seconds), *whole_ledger.doubts(observations))
    if observations.complete and not doubts:
        found = inside(observations, seconds, counts["sent"], ended)
        if found is None:
            doubts = ("the ledger holds other orders than the load counts, so Little's law cannot be told",)
        else:
            wrong += [] if found.holds else [found.words]
            sound += f"; {found.words}"
    return _counted(name, wrong, len(seconds), method, sound, doubts, (Evidence("load", "service=edge"),))


def _summed(count: I64, place: I64) -> I64:
    """Counts of the same second together."""
    return np.asarray(np.bincount(place, weights=count), dtype=np.int64)


def _uncounted(observations: Observations, seconds: I64) -> tuple[str, ...]:
    """Seconds that the sender did not count, from its first order to its last."""
    first, end = whole_ledger.seconds_of_load(observations)
    stopped = of_kind(observations, "load_stopped")
    if stopped:
        end = min(end, stopped[-1].t_us // 1_000_000)
    wanted = np.arange(min(first, int(seconds[0])), max(end, int(seconds[-1]) + 1))
    lost = wanted[~np.isin(wanted, seconds)]
    if not len(lost):
        return ()
    return (f"{len(lost):,} seconds were not counted, first at {at(int(lost[0]) * 1_000_000)}",)


def _without_end(observations: Observations, longest_s: int) -> list[str]:
    """Writes of the ledger that cannot be in flight any more and have no end; a killed run need not have them."""
    if not observations.complete:
        return []
    keys, sent_us = sent(observations, CLASS)
    ends = done(observations, CLASS)
    since = observations.duration_us - longest_s * 1_000_000
    old = keys.where(sent_us.test(lambda t_us: t_us < since))
    missing = int((~isin(old, ends.acked_keys, ends.unknown_keys, ends.failed_keys)).sum())
    return [f"{missing:,} writes were sent, cannot be in flight any more, and have no end"] if missing else []


def _longest_request_s(observations: Observations) -> int:
    """Bound on how long a request can be in flight: its attempts at their timeouts and back-offs, at least 5 s."""
    calls = [c for c in observations.topology["calls"] if c["caller"] == "client"]
    longest = 0.0
    for call in calls:
        if not call["timeout_us"]:
            return 10**9
        attempts = call["retries"] + 1
        longest = attempts * call["timeout_us"] + call["back_off_us"] * (2 ** call["retries"] - 1)
    return max(5, int(np.ceil(longest / 1e6)) + 2)


def _first(mask: Any) -> int | None:
    places = np.flatnonzero(mask)
    return int(places[0]) if len(places) else None


def order_of_times(observations: Observations, name: str) -> Measurement:
    """Nothing is answered before it was asked or seen before it was done, and the log keeps the order of writes.

    A write that was sent after another had been acknowledged stands behind it.
    """
    table = observations.tables("probes")
    found_ = {
        "probes": _probes_out_of_order(table),
        "writes_done": _writes_out_of_order(observations),
        "marks": _marks_out_of_order(observations),
    }
    wrong = [words for every in found_.values() for words in every]
    samples = table.num_rows + done(observations, CLASS).rows + len(observations.marks)
    nothing = () if samples else ("there is nothing whose times could be compared",)
    doubts = (*nothing, *_unplaced(observations))
    evidence = tuple(Evidence(name, words) for name, every in found_.items() for words in every)
    sound = f"the times of {samples:,} rows are in order"
    return _counted(name, wrong, samples, "times of probes, writes and facts compared", sound, doubts, evidence)


def _probes_out_of_order(table: pa.Table) -> list[str]:
    intended, sent_us, done_us = (whole(table, c) for c in ("intended_us", "sent_us", "done_us"))
    wrong = []
    if count := int(((sent_us != NONE) & (sent_us < intended)).sum()):
        wrong.append(f"{count:,} probes were sent before they were due")
    if count := int(((done_us != NONE) & (done_us < np.maximum(sent_us, intended))).sum()):
        wrong.append(f"{count:,} probes were answered before they were sent")
    return wrong


def _writes_out_of_order(observations: Observations) -> list[str]:
    keys, sent_us = sent(observations, CLASS)
    ends = done(observations, CLASS)
    if len(keys) == 0 or len(ends.acked_keys) == 0:
        return []
    numbers = Index(keys)
    early, unsent = 0, 0
    for acked, acked_us in zip(ends.acked_keys.blocks(), ends.acked_us.blocks(), strict=True):
        sent_at = numbers.lookup(sent_us, acked, NONE)
        early += int((acked_us < sent_at)[sent_at != NONE].sum())
        unsent += int((sent_at == NONE).sum())
    wrong = []
    if early:
        wrong.append(f"{early:,} writes were acknowledged before they were sent")
    if unsent:
        wrong.append(f"{unsent:,} writes were acknowledged that nobody sent")
    log = in_order(observations, CLASS, observations.surviving_timeline)
    if count := _reordered(log, numbers, sent_us, ends):
        wrong.append(f"{count:,} writes stand in the log before ones that were acknowledged before they were sent")
    return wrong


def _unplaced(observations: Observations) -> tuple[str, ...]:
    """Orders of the run that were read back without their place in the log; only older history has none."""
    read = found(observations, CLASS, observations.surviving_timeline)
    if read.ordered:
        return ()
    keys, sent_us = sent(observations, CLASS)
    mine = isin(read.keys, keys.where(sent_us.test(lambda t_us: t_us >= 0)))
    mine &= ~isin(read.keys, in_order(observations, CLASS, observations.surviving_timeline))
    count = int(mine.sum())
    return (f"{count:,} of {len(read.keys):,} orders were read back without their place in the log",) if count else ()


def _reordered(log: Packed, numbers: Index, sent_us: Packed, ends: Done) -> int:
    """Writes at a lower position than one that was acknowledged before they were sent."""
    ends_of = Index(ends.acked_keys)
    count, earliest = 0, np.iinfo(np.int64).max  # from the end on: the earliest acknowledgement of the rows behind
    for rows in log.blocks(backwards=True):
        acked_at = ends_of.lookup(ends.acked_us, rows, np.iinfo(np.int64).max)
        behind = np.minimum.accumulate(np.concatenate([[earliest], acked_at[::-1]]))[::-1]
        count += int((numbers.lookup(sent_us, rows, NONE) > behind[1:]).sum())
        earliest = int(behind[0])
    return count


_ORDERED = (
    ("injection_begun", "effect_seen"),
    ("injection_begun", "lifted"),
    ("lift_begun", "lifted"),
    ("lifted", "fault_gone"),
)


def _marks_out_of_order(observations: Observations) -> list[str]:
    wrong = []
    for before, after in _ORDERED:
        earliest = {m.subject: m.t_us for m in reversed(of_kind(observations, before))}
        for mark in of_kind(observations, after):
            if mark.subject in earliest and mark.t_us < earliest[mark.subject]:
                wrong.append(f"{mark.subject}: {after.replace('_', ' ')} before {before.replace('_', ' ')}")
    early = [
        m
        for m in observations.marks
        if m.source_t_us is not None and m.source_t_us > m.t_us + observations.clock_bound_us
    ]
    if early:
        wrong.append(f"{len(early):,} facts were seen before they happened")
    return wrong


def fault_landed(observations: Observations, name: str) -> Measurement:
    """Each fault of the timeline was injected and seen to take effect."""
    seen = {f.name: f for f in faults(observations)}
    expected = planned(observations)
    missing = [n for n, _ in expected if n not in seen]
    unseen = [n for n, _ in expected if n in seen and seen[n].seen_us is None]
    doubts = [
        *(f"{n} was planned and never injected" for n in missing),
        *(f"{n} was never seen to land" for n in unseen),
    ]
    sound = f"{listed([n for n, _ in expected])} landed" if expected else "no fault was planned"
    evidence = tuple(Evidence("marks", f"effect_seen of {f.name}", f.seen_us) for f in seen.values())
    return _counted(
        name,
        [],
        len(expected),
        "a landed-probe for each fault",
        doubts[0] if doubts else sound,
        tuple(doubts),
        evidence,
        vacuous=not expected,
    )


def fault_gone(observations: Observations, name: str) -> Measurement:
    """Each fault that has a lift was lifted and seen to be gone, at the latest in the clean-up."""
    wrong, doubts, lifted = [], [], []
    entries = dict(planned(observations))
    stays = {m.subject for m in of_kind(observations, "left_to_failback")}
    for fault in faults(observations):
        if entries.get(fault.name, {}).get("until") is None:
            continue  # happened at an instant, or is ended by a procedure
        if fault.lifted_us is None and fault.name in stays:
            doubts.append(f"{fault.name} stays, left to the failback: its region was replaced as the primary's")
        elif fault.lifted_us is None and observations.complete:
            wrong.append(f"{fault.name} was not lifted")
        elif fault.lifted_us is None:
            doubts.append(f"the run was interrupted before {fault.name} was lifted")
        elif fault.gone_us is None:
            doubts.append(f"{fault.name} was lifted and not seen to be gone")
        else:
            lifted.append(fault.name)
    begun = {f.name for f in faults(observations)}
    doubts += [f"{n} was planned and never injected" for n, e in entries.items() if e.get("until") and n not in begun]
    sound = f"{listed(lifted)} is gone" if lifted else "no fault has to be lifted"
    if doubts and not lifted:
        sound = doubts[0]
    looked_at = len(lifted) + len(wrong) + len(doubts)
    evidence = tuple(Evidence("marks", f"injection_begun of {f.name}", f.begun_us) for f in faults(observations))
    method = "a gone-probe for each fault"
    return _counted(name, wrong, looked_at, method, sound, tuple(doubts), evidence, vacuous=not looked_at)


def nothing_left(observations: Observations, name: str) -> Measurement:
    """Nothing of the run is left in the system."""
    left = of_kind(observations, "left_behind")
    wrong = [f"{m.detail['what']} was left behind" for m in left]
    doubts = () if observations.complete else ("the run was interrupted before it could look",)
    evidence = tuple(Evidence("marks", f"left_behind of {m.subject}", m.t_us) for m in left)
    method = "facts of the clean-up"
    return _counted(name, wrong, len(left), method, "nothing was left behind", doubts, evidence, vacuous=not left)


_RULES: dict[str, Callable[[Observations, str], Measurement]] = {
    "flow": flow,
    "order_of_times": order_of_times,
    "fault_landed": fault_landed,
    "fault_gone": fault_gone,
    "nothing_left": nothing_left,
}
