"""Prometheus of a region: scrapes all regions, evaluates the rules in both readings, dies with its region.

It sees scrapes only. Source: CALIBRATION 1 (scrape, evaluation, lookback), 0.1 and 0.7 (what the rules as written do).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from scenarios.model.topology import AlertRule
from sim.control.context import Context, Wait
from sim.control.promql import Labels, Rule, Store
from sim.control.roles import Target

VAR_OF_LIMIT = 0.6  # the risk engine's gauge, as a share of its limit: no scenario of the library moves it


class Notify(Protocol):
    """Told by a server when an alert begins to fire in it, and when it ceases."""

    def __call__(self, alert: str, severity: str, region: str, *, firing: bool) -> None:
        """Take the news."""
        ...


@dataclass
class _Alert:
    """State of one rule in one reading."""

    rule: AlertRule
    reading: str
    expression: Rule
    since_ns: int | None = None
    firing: bool = False


class Prometheus:
    """One server; starts empty."""

    def __init__(self, context: Context, region: str, notify: Notify) -> None:
        self._context = context
        self.region = region
        self._notify = notify
        self._life = 0
        self.alive = False
        self.start()

    def start(self) -> None:
        """Begin to scrape and to evaluate, each at its own phase, remembering nothing."""
        context = self._context
        monitoring = context.topology.monitoring
        self._life += 1
        self.alive = True
        self._store = Store(330_000_000_000)
        self._known: set[Labels] = set()
        self._alerts = [
            _Alert(rule, reading, Rule(getattr(rule, reading)))
            for rule in monitoring.alerts
            for reading in ("intended", "written")
        ]
        fast = [a for a in self._alerts if a.rule.for_us < monitoring.evaluation_us and a.reading == "intended"]
        slow = [a for a in self._alerts if a not in fast]
        scrape_ns = monitoring.scrape_us * 1_000 if context.on("scrape_interval") else 1_000_000_000
        self._every("scrape", scrape_ns, self._scrape)
        self._every("evaluate", monitoring.evaluation_us * 1_000, lambda: self._evaluate(slow))
        self._every("evaluate fast", monitoring.fast_evaluation_us * 1_000, lambda: self._evaluate(fast))

    def stop(self) -> None:
        """Its region is gone."""
        self.alive = False
        self._life += 1

    def _every(self, what: str, period_ns: int, act: Callable[[], None]) -> None:
        phase = int(self._context.draws.uniform(f"prometheus/{self.region}", what, self._life) * period_ns)
        self._context.env.process(self._loop(1 + phase, period_ns, act, self._life))

    def _loop(self, phase_ns: int, period_ns: int, act: Callable[[], None], life: int) -> Wait:
        yield self._context.env.timeout(phase_ns)
        while self._life == life:
            act()
            yield self._context.env.timeout(period_ns)

    def _scrape(self) -> None:
        now = self._context.now_ns
        fresh: set[Labels] = set()
        for region in self._context.topology.regions:
            for target in self._context.observed.scrape(self.region, region):
                for labels, value in _samples(target):
                    fresh.add(labels)
                    self._store.add(now, labels, value)
        for labels in self._known - fresh:
            if self._context.on("staleness"):
                self._store.add(now, labels, None)
        self._known = fresh

    def _evaluate(self, alerts: list[_Alert]) -> None:
        lookback = self._context.ns("monitoring.lookback")
        for alert in alerts:
            value = alert.expression.evaluate(self._store, self._context.now_ns, lookback)
            self._advance(alert, condition=bool(value))

    def _advance(self, alert: _Alert, *, condition: bool) -> None:
        context = self._context
        now = context.now_ns
        name = alert.rule.alert
        detail: dict[str, Any] = {"rules": alert.reading, "region": self.region}
        if not condition:
            if alert.firing:
                context.mark("alert_resolved", name, **detail)
                if alert.reading == "intended":
                    self._notify(name, alert.rule.severity, self.region, firing=False)
            alert.since_ns, alert.firing = None, False
            return
        if alert.since_ns is None:
            alert.since_ns = now
            context.mark("alert_pending", name, **detail)
        wait = alert.rule.for_us * 1_000 if context.on("alert_for") else 0
        if not alert.firing and now - alert.since_ns >= wait:
            alert.firing = True
            context.mark("alert_firing", name, **detail)
            if alert.reading == "intended":
                self._notify(name, alert.rule.severity, self.region, firing=True)


def _series(name: str, **labels: str) -> Labels:
    return frozenset({"__name__": name, **labels}.items())


def _samples(target: Target) -> list[tuple[Labels, float]]:
    """Series of one scrape; of a target that does not answer only `up`."""
    job = f"{target.service}-service"
    found = [(_series("up", job=job, pod=target.pod), float(target.up))]
    if target.up:
        found.append((_series("http_requests_total", job=job, pod=target.pod, status="200"), float(target.ok)))
        if target.failed:
            found.append((_series("http_requests_total", job=job, pod=target.pod, status="503"), float(target.failed)))
        if target.service == "risk":
            found.append((_series("risk_var_current", job=job, pod=target.pod), VAR_OF_LIMIT))
            found.append((_series("risk_var_limit", job=job, pod=target.pod), 1.0))
    return found
