"""From what Prometheus and the page receiver answer to facts: alerts pending, firing, resolved, pages that came."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.observe.asking import TEST_ALERT
from experiments.observe.facts import Fact, stamp_us
from scenarios.record.kinds import KINDS

_READINGS = ("intended", "written")
# What the testbed's actors report; the rest is seen by the watchers themselves.
REPORTED = frozenset(
    (
        "procedure_started", "step_started", "step_finished", "step_waiting", "procedure_finished",
        "automation_detected", "decided", "promotion_begun", "promotion_refused", "dns_change_submitted",
        "restore_begun", "restored", "data_dropped",
    )
)  # fmt: skip


class AlertFacts:
    """Alerts of one Prometheus. An alert of several elements is one: it fires while one of them does."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._states: dict[tuple[str, str], str] = {}  # (alert, reading): pending, firing

    def seen(self, alerts: Sequence[Mapping[str, Any]]) -> list[Fact]:
        """Active alerts as the API lists them now; those it does not list are resolved."""
        now: dict[tuple[str, str], tuple[str, int | None]] = {}
        for alert in alerts:
            labels = alert.get("labels") or {}
            key = str(labels.get("alertname", "")), str(labels.get("rules", ""))
            state, since = str(alert.get("state")), stamp_us(alert.get("activeAt"))
            if key[1] in _READINGS and (key not in now or state == "firing"):
                now[key] = state, since
        return [fact for key in sorted({*now, *self._states}) for fact in self._changed(key, *now.get(key, ("", None)))]

    def _changed(self, key: tuple[str, str], state: str, since_us: int | None) -> Iterable[Fact]:
        before = self._states.pop(key, "")
        if state:
            self._states[key] = state
        alert, reading = key
        detail = {"rules": reading, "region": self._region}
        if before == "firing" and state != "firing":
            yield Fact("alert_resolved", alert, detail)
        if state and (not before or (before == "firing" and state == "pending")):
            # One that fires when it is first seen was pending for at most a moment, which nobody looked at.
            yield Fact("alert_pending", alert, detail, since_us)
        if state == "firing" and before != "firing":
            yield Fact("alert_firing", alert, detail)


def page_facts(page: Mapping[str, Any]) -> list[Fact]:
    """A page that arrived; when it was sent is not seen. Resolved ones and test pages wake nobody."""
    alert = str(page.get("alert", ""))
    if page.get("status") != "firing" or alert == TEST_ALERT:
        return []
    at = int(page["received_us"])
    received = {"alert": alert, "severity": str(page.get("severity", ""))}
    return [Fact("page_received", alert, received, at)]


def reported_fact(fact: Mapping[str, Any]) -> Fact | None:
    """A fact that an actor of the testbed reports; None for one that is none, or is not theirs to report."""
    kind, detail = fact.get("kind"), fact.get("detail")
    if kind not in REPORTED or not isinstance(detail, dict) or any(name not in detail for name in KINDS[str(kind)]):
        return None
    return Fact(str(kind), str(fact.get("subject", "")), detail, int(fact["t_us"]))
