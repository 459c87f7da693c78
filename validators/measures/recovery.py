"""Recovery of one service from one episode: between which instants it was served again, and for how long.

The effect is the landed-probe's or the first wrong probe, whichever is earlier. Lower bound = last wrong - effect seen;
upper = first right - injection begun. A probe that was sent late tells what was when it was sent: the first wrong and
the first right one count from then. Good must last from there to the end of the episode and at least for the sustain
window; it must also have been good for one such window before it. Source: DESIGN, What is measured, exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from validators import integrity
from validators.marks import sustain_us
from validators.measures.episodes import Episode
from validators.measures.goodness import WINDOW_US, Outage, Series
from validators.model import Observations
from validators.words import at, seconds


@dataclass(frozen=True)
class Recovery:
    """One service's recovery from one episode. Times in microseconds of the run.

    `high_us` None: not recovered, or not for the sustain window. `back_us`: first right probe after the last wrong one
    (the injection when it was never bad), None when it never came.
    """

    service: str
    begun_us: int
    low_us: int
    high_us: int | None
    back_us: int | None
    bad_us: int
    relapses: int
    samples: int
    note: str = ""
    doubts: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def down(self) -> bool:
        """Whether it was not good at the end."""
        return self.back_us is None

    @property
    def unsettled(self) -> bool:
        """Whether it was good at the end, and not long enough to know that it lasts."""
        return self.high_us is None and not self.down


def recover(observations: Observations, probes: Series, episode: Episode) -> Recovery:
    """Recovery of one series of probes from one episode. For the upper bound the probes that are missing were wrong."""
    begun, end = episode.begun_us, episode.end_us
    outages, worst = _within(probes, episode), _within(probes.at_worst(), episode)
    bound, sustain = integrity.clock_bound_us(observations), sustain_us(observations)
    back, note = _back(probes.service, outages, episode, sustain)
    latest, worst_note = _back(probes.service, worst, episode, sustain)
    last = outages[-1].last_wrong_us if outages else begun
    served = worst[-1].back_sent_us if worst else begun  # it was right when it was sent, however late that was
    return Recovery(
        service=probes.service,
        begun_us=begun,
        low_us=max(0, last - _seen_us(probes, episode) - bound),
        high_us=None
        if note or worst_note or latest is None or served is None
        else served - begun + bound * bool(worst),
        back_us=back,
        bad_us=sum((o.back_us if o.back_us is not None else end) - max(o.first_wrong_us, begun) for o in outages),
        relapses=max(0, len(outages) - 1),
        samples=len(probes.intended_us),
        note=note or worst_note,
        doubts=_doubts(probes, episode, outages, sustain),
        faults=(
            *integrity.unseen(observations, probes, begun - sustain, end, outages),
            *integrity.clock_steps(observations, begun - WINDOW_US, end),
        ),
    )


def _within(probes: Series, episode: Episode) -> list[Outage]:
    """Outages of an episode, as far as they lie before the next."""
    mine = [o for o in probes.outages() if o.last_wrong_us >= episode.begun_us and o.first_wrong_us < episode.end_us]
    return [_cut(o, episode.end_us) for o in mine]


def _back(service: str, outages: Sequence[Outage], episode: Episode, sustain: int) -> tuple[int | None, str]:
    """First right probe after the last outage, and why it is no recovery, "" when it is."""
    end = episode.end_us
    back = outages[-1].back_us if outages else episode.begun_us
    if back is None:
        return None, f"{service} was still down at the end of the run"
    if end - back >= sustain:
        return back, ""
    had, wanted = seconds((end - back) / 1e6), seconds(sustain / 1e6)
    if not outages:
        return back, f"the run ended {had} after the injection"
    return back, f"{service} was good for only {had} of the {wanted} that it must last"


def _seen_us(probes: Series, episode: Episode) -> int:
    """When the effect was first seen: by its landed-probe or the first wrong probe, whichever is earlier."""
    wrong = probes.first_wrong_since(episode.begun_us)
    seen = [t for t in (wrong, episode.seen_us) if t is not None]
    return max(min(seen, default=episode.begun_us), episode.begun_us)


def _cut(outage: Outage, end_us: int) -> Outage:
    """The part of an outage before the next episode."""
    back = outage.back_us if outage.back_us is not None and outage.back_us < end_us else None
    return replace(outage, last_wrong_us=min(outage.last_wrong_us, end_us), back_us=back)


def _doubts(probes: Series, episode: Episode, outages: Sequence[Outage], sustain: int) -> tuple[str, ...]:
    doubts = []
    good = probes.good_before(episode.begun_us, episode.begun_us - sustain)
    what = "the fault" if episode.faults else "it went bad"
    if not episode.faults and not outages:
        return ()
    if good is None:
        doubts.append(f"{probes.service} was not probed for a whole window before {what}")
    elif not good:
        doubts.append(f"{probes.service} was bad in the {seconds(sustain / 1e6)} before {what}")
    if episode.faults and episode.seen_us is None and not outages:
        doubts.append("the fault was never seen to land")
    back = outages[-1].back_us if outages else None
    for fault in episode.faults:
        lifted = fault.lifted_us
        if back is not None and lifted is not None and lifted <= back and fault.lifted_by != "procedure":
            lift, after = f"{fault.name} was lifted at {at(lifted)}", seconds((back - lifted) / 1e6)
            doubts.append(f"{lift}, before the recovery: {after} after lift says nothing about the fault")
    return tuple(doubts)


def together(recoveries: Sequence[Recovery]) -> tuple[str, ...]:
    """What keeps services together from a verdict. That one is good for too short matters unless another is down."""
    doubts = [w for r in recoveries for w in r.doubts]
    if not any(r.down for r in recoveries):
        doubts += [r.note for r in recoveries if r.unsettled]
    return tuple(dict.fromkeys(doubts))
