"""Facts that watchers tell again when they were started again: what has not changed since is no news.

A process that begins anew takes the state that it finds for something that has just happened: a page that came before,
an alert that fires still, a name that leads away from home, a database that was promoted.
"""

import json
from collections.abc import Mapping
from typing import Any

SAME_US = 1_000_000  # stamps of the same thing, each put on the run's clock by another process
_STATES = {  # facts that say what state something is in: the same one again is no change
    "alert_firing": "alert", "alert_resolved": "alert", "dns_switched": "name",
    "database_failed": "database", "database_available": "database",
}  # fmt: skip
_ONCE = frozenset({"promoted"})


class Repeats:
    """What was told so far."""

    def __init__(self) -> None:
        self._states: dict[tuple[str, ...], tuple[str, str]] = {}
        self._stamps: dict[tuple[str, ...], list[int]] = {}
        self._once: set[tuple[str, ...]] = set()

    def note(self, mark: Mapping[str, Any]) -> bool:
        """Take a fact; returns whether it was told before."""
        kind, subject, stamp = str(mark["kind"]), str(mark["subject"]), mark.get("source_t_us")
        detail = mark.get("detail", {})
        whole = kind, subject, json.dumps(detail, sort_keys=True)
        if kind in _ONCE:
            key = kind, subject, str(detail.get("timeline"))
            known = key in self._once
            self._once.add(key)
            return known
        if kind in _STATES:
            # Of an alert each region's server and each reading has a state of its own; of the name, where it leads.
            own = (str(detail.get("rules", "")), str(detail.get("region", ""))) if kind.startswith("alert") else ()
            place, now = (_STATES[kind], subject, *own), (kind, "" if own else whole[2])
            known = self._states.get(place) == now
            self._states[place] = now
            return known
        if stamp is None:
            return False
        stamps = self._stamps.setdefault(whole, [])
        known = any(abs(stamp - earlier) < SAME_US for earlier in stamps)
        stamps.append(stamp)
        return known
