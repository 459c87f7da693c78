"""From what databases say of themselves, a few times a second, to facts: failed, promoted, fenced, streaming.

Pure: states in, facts out. A database that does not answer says nothing; a second time in a row, it has failed.
"""

from collections import deque
from dataclasses import dataclass, field

from experiments.observe.database import State
from experiments.observe.facts import Fact

MISSES = 2  # looks in a row without an answer make a failure
KEPT = 4_000  # positions of the primary that are remembered, to tell how far behind a replica is


@dataclass
class _Known:
    state: State | None = None  # as it last answered
    misses: int = 0
    failed: bool = False
    commits: bool = False  # it was last seen within a lease of its own
    fenced: bool = False
    streams: bool | None = None  # a primary: whether a standby receives its log


@dataclass
class DatabaseFacts:
    """What is known of the databases of all regions. `home`: where the primary was at the run's start."""

    home: str
    regions: tuple[str, ...]
    _known: dict[str, _Known] = field(default_factory=dict)
    _written: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=KEPT))  # (epoch us, position)

    def __post_init__(self) -> None:
        self._known = {region: _Known() for region in self.regions}

    def state(self, region: str) -> State | None:
        """What a database said at the last look; None: nothing."""
        known = self._known[region]
        return known.state if not known.misses else None

    def primary(self) -> str | None:
        """Region of a database that answers and is outside recovery; None: there is none.

        Of several the one that committed at the last look, then the one of the latest timeline: numbers alone may be
        equal in a split.
        """
        live = [(r, s) for r in self.regions if (s := self.state(r)) is not None and not s.in_recovery]
        return max(live, key=lambda x: (self._known[x[0]].commits, x[1].timeline))[0] if live else None

    def seen(self, region: str, state: State | None, epoch_us: int) -> list[Fact]:
        """A look at one database: what it said, None for no answer, and when."""
        known, subject = self._known[region], f"{region}/database"
        if state is None:
            known.misses += 1
            if known.misses == MISSES and not known.failed:
                known.failed = True
                return [Fact("database_failed", subject)]
            return []
        before, known.state, known.misses = known.state, state, 0
        timeline = f"{region}/{state.timeline}"
        facts = []
        if known.failed:
            known.failed = False
            facts.append(Fact("database_available", subject, {"timeline": timeline}))
        if not state.in_recovery and (before.in_recovery if before else region != self.home):
            # It replayed all that it had before it forked: no later than where it stands now.
            position = before.position if before else state.position
            facts.append(Fact("promoted", subject, {"timeline": timeline, "position": position}))
        facts += self._lease(known, region, state, epoch_us)
        if not state.in_recovery:
            self._written.append((epoch_us, state.position))
            facts += self._streaming(known, region, state)
        return facts

    def _lease(self, known: _Known, region: str, state: State, epoch_us: int) -> list[Fact]:
        """A primary whose lease has run out can commit no longer; one that was never granted any has lost nothing.

        A standby stays as fenced as it was: what the witness says of its old lease is no news each time.
        """
        if state.writable(epoch_us):
            known.commits, known.fenced = True, False
            return []
        if state.in_recovery or state.lease_until_us is None:
            known.commits = False
            return []
        if known.fenced or not known.commits:
            return []
        known.commits, known.fenced = False, True
        return [Fact("fenced", f"{region}/database", {"by": "lease"}, state.lease_until_us)]

    def _streaming(self, known: _Known, region: str, state: State) -> list[Fact]:
        before, known.streams = known.streams, state.streaming_standbys > 0
        if before is not False or not known.streams:
            return []
        others = [r for r in self.regions if r != region]
        subject = f"{others[0] if others else region}/database"
        return [Fact("standby_streaming", subject), Fact("redundancy_restored", subject, {"what": "standby"})]

    def lease_over(self, region: str, expires_us: int, epoch_us: int) -> list[Fact]:
        """The witness grants a region no lease any more, and the last one ends then: as good as refused after it."""
        known = self._known.get(region)
        if known is None or known.fenced or epoch_us < expires_us:
            return []
        known.commits, known.fenced = False, True
        return [Fact("fenced", f"{region}/database", {"by": "lease"}, expires_us)]

    def lag_s(self, region: str, epoch_us: int) -> float | None:
        """True lag of a replica: age of the newest position that it holds; None when it does not answer or is none.

        It holds everything up to the last commit that it replayed, and up to the last look at which the primary was no
        farther than the replica is now.
        """
        state = self.state(region)
        if state is None or not state.in_recovery:
            return None
        held = [t for t, position in self._written if position <= state.position]
        as_of_us = max([*held[-1:], state.replayed_at_us or 0])
        return max(0, epoch_us - as_of_us) / 1e6 if as_of_us else None
