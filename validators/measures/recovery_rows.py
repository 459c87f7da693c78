"""Rows beside a recovery time, shown and never merged: other clocks, other routes, and when redundancy was back."""

from validators.marks import first
from validators.measures.episodes import Episode
from validators.measures.goodness import routes, series
from validators.measures.recovery import recover, together
from validators.model import Evidence, Measurement, Observations
from validators.words import seconds


def rows(observations: Observations, main: Measurement, subject: str, episode: Episode) -> list[Measurement]:
    """Other clocks, other routes, and redundancy: shown, never merged."""
    if main.detail.get("bad_seconds") == 0:
        return []
    back = main.detail.get("back_us") if main.detail["recovered"] else None
    found = [_clock(observations, main, label, kinds, back, episode) for label, kinds in _CLOCKS.items()]
    if subject == "complete":
        return [*found, _redundancy(observations, main, episode)]
    for route, address in routes(observations, subject):
        probes = series(observations, subject, route, address)
        if probes is not None:
            label = " ".join(w for w in ("from", route, "probes", f"of {address}" if address else "") if w)
            one = recover(observations, probes, episode)
            high = None if one.high_us is None else one.high_us / 1e6
            suffix = f"{route}.{address}" if address else route
            found.append(
                Measurement(
                    f"{main.name}.{suffix}", high, one.low_us / 1e6, high, "s", one.samples,
                    f"the same over route {route}", detail={"label": label}, faults=one.faults, doubts=together([one]),
                    says=one.note,
                )
            )  # fmt: skip
    return found


_CLOCKS: dict[str, tuple[str, ...]] = {
    "from_detection": ("automation_detected", "alert_firing", "page_received"),
    "from_declaration": ("declared",),
    "from_procedure_start": ("procedure_started",),
}


def _clock(
    observations: Observations,
    main: Measurement,
    label: str,
    kinds: tuple[str, ...],
    back_us: int | None,
    episode: Episode,
) -> Measurement:
    """The same recovery from another instant; without its mark the row is empty: it borrows no other clock."""
    marks = [first(observations, kind, since_us=episode.begun_us, until_us=episode.end_us) for kind in kinds]
    start = min((m.t_us for m in marks if m is not None), default=None)
    words = label.replace("_", " ").replace("procedure start", "the procedure's start")
    name, method = f"{main.name}.{label}", f"the same {words}"
    detail = {"label": words}
    if start is None or back_us is None:
        why = f"there is no fact to count {words}" if start is None else "there was no recovery"
        return Measurement(name, None, None, None, "s", 0, method, detail=detail, doubts=(why,), says=why)
    value = max(0, back_us - start) / 1e6
    evidence = (Evidence("marks", kinds[0], start),)
    return Measurement(name, value, value, value, "s", 1, method, evidence, detail, main.faults, main.doubts)


def _redundancy(observations: Observations, main: Measurement, episode: Episode) -> Measurement:
    """Time until what was lost can be lost again: standby streaming, replicas at plan."""
    kinds = ("standby_streaming", "redundancy_restored")
    marks = [first(observations, kind, since_us=episode.begun_us) for kind in kinds]
    last = max((m.t_us for m in marks if m is not None), default=None)
    name, method, detail = (
        f"{main.name}.redundancy",
        "injection to the last fact of redundancy restored",
        {"label": "until redundancy is back"},
    )
    if last is None:
        so_far = (observations.duration_us - episode.begun_us) / 1e6
        words = f"redundancy was not back {seconds(so_far)} after the fault, when the run ended"
        return Measurement(
            name, None, so_far, None, "s", 0, method, detail=detail, doubts=(words,), says=words, bare=True
        )
    value = (last - episode.begun_us) / 1e6
    return Measurement(
        name, value, value, value, "s", 1, method, (Evidence("marks", kinds[0], last),), detail, bare=True
    )
