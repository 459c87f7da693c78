"""What the probes of users have shown so far: which service was asked when, and when it was last bad."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scenarios.model.goodness import Goodness


class Watched:
    """Follows the probes through DNS, in any order. `spacings_ns`: of the probes of each service that is followed."""

    def __init__(self, spacings_ns: Mapping[str, int]) -> None:
        self._goodness = Goodness(dict(spacings_ns))
        self.seen_from_us: dict[str, int] = {}  # service: when its first probe was due, of those that have ended
        self.seen_to_us: dict[str, int] = {}  # and its newest

    def probes(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Take rows of the table `probes`; only those through DNS count."""
        wrong: dict[str, list[int]] = {}
        rows = zip(columns["service"], columns["route"], columns["intended_us"], columns["right"], strict=True)
        for service, route, intended_us, right in rows:
            if route != "dns" or service not in self._goodness.last_bad_ns:
                continue
            self.seen_from_us[service] = min(self.seen_from_us.get(service, intended_us), intended_us)
            self.seen_to_us[service] = max(self.seen_to_us.get(service, -1), intended_us)
            if right != "yes":
                wrong.setdefault(service, []).append(intended_us * 1_000)
        for service, times_ns in wrong.items():
            self._goodness.note(service, np.array(times_ns, dtype=np.int64))

    @property
    def unseen(self) -> set[str]:
        """Services of which no probe has ended."""
        return set(self._goodness.last_bad_ns) - set(self.seen_to_us)

    @property
    def last_bad_us(self) -> dict[str, int]:
        """When each service was last bad; -1: it was not."""
        return {service: last_ns // 1_000 for service, last_ns in self._goodness.last_bad_ns.items()}

    @property
    def bad_until_us(self) -> int:
        """Latest bad instant of any service; -1: none was bad."""
        return max(self.last_bad_us.values(), default=-1)
