"""Watches on probes: stop the plane when so many in a row failed, then when so many in a row succeeded."""

from dataclasses import dataclass


@dataclass(slots=True)
class Watch:
    """One watch: how many in a row, whether it has fired, and the run so far."""

    failures: int
    successes: int
    has_fired: bool = False
    run: int = 0


class Watches:
    """All watches, by probe class."""

    def __init__(self) -> None:
        self._watches: dict[int, Watch] = {}
        self.fired = -1

    def watch(self, probe_class: int, failures: int, successes: int) -> None:
        """Begin to watch a class, anew if it is watched already; with 0 failures cease to."""
        if failures == 0:
            self._watches.pop(probe_class, None)
            return
        self._watches[probe_class] = Watch(failures, successes)

    def saw(self, probe_class: int, good: bool) -> None:
        """A probe of the class ended."""
        watch = self._watches.get(probe_class)
        if watch is None:
            return
        watch.run = watch.run + 1 if good == watch.has_fired else 0
        if watch.run == (watch.successes if watch.has_fired else watch.failures):
            watch.has_fired = not watch.has_fired
            watch.run = 0
            self.fired = probe_class

    def take(self) -> int:
        """Return the class whose watch fired, once."""
        fired, self.fired = self.fired, -1
        return fired
