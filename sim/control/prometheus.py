"""Prometheus of a region: scrapes all regions, evaluates the rules in both readings, dies with its region.

It sees scrapes only. A rule has a clock for each element of its value, as in Prometheus: `for` must be over for one and
the same element. Source: CALIBRATION 1 (scrape, evaluation, lookback), 0.1 and 0.7 (what the rules as written do).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from scenarios.model.promql import Rule
from scenarios.model.scraped import Labels, Series, Store
from scenarios.model.topology import AlertRule, Monitoring
from sim.control.context import Context, Wait
from sim.control.roles import Target

FOR_EVER_NS = 1 << 62
_READINGS = ("intended", "written")


class Notify(Protocol):
    """Told by a server when an alert begins to fire in it, and when it ceases."""

    def __call__(self, alert: str, severity: str, region: str, *, firing: bool) -> None:
        """Take the news."""
        ...


def read_rules(monitoring: Monitoring) -> dict[tuple[str, str], Rule]:
    """Read every alert in both readings; what cannot be evaluated was refused when the topology was read."""
    return {(a.alert, reading): Rule(getattr(a, reading)) for a in monitoring.alerts for reading in _READINGS}


@dataclass
class _Alert:
    """State of one rule in one reading: since when each of its elements has been true."""

    rule: AlertRule
    reading: str
    expression: Rule
    since_ns: dict[Labels, int] = field(default_factory=dict)
    firing: bool = False


class _Scraped:
    """Series of one target."""

    def __init__(self, store: Store, target: Target) -> None:
        self._store = store
        job = ("job", f"{target.service}-service")
        labels = self._labels = frozenset({job, ("pod", target.pod)})
        self._up = store.series("up", labels)
        self._ok = store.series("http_requests_total", labels | {("status", "200")})
        self._failed: Series | None = None  # a counter with this status exists from its first count on
        self._gauges: dict[str, Series] = {}

    def take(self, target: Target, t_ns: int, *, markers: bool) -> None:
        """Append one scrape. A target that does not answer has only `up`; what is missing goes stale."""
        add = self._store.add
        add(self._up, t_ns, float(target.up))
        if not target.up:
            if markers:
                self._silent()
            return
        add(self._ok, t_ns, float(target.ok))
        if target.failed:
            if self._failed is None:
                self._failed = self._store.series("http_requests_total", self._labels | {("status", "503")})
            add(self._failed, t_ns, float(target.failed))
        elif markers and self._failed is not None:
            self._failed.stale = True
        for name, value in target.gauges:
            if name not in self._gauges:
                self._gauges[name] = self._store.series(name, self._labels)
            add(self._gauges[name], t_ns, value)

    def gone(self) -> None:
        """Service discovery has dropped the target: everything of it goes stale."""
        self._up.stale = True
        self._silent()

    def _silent(self) -> None:
        self._ok.stale = True
        if self._failed is not None:
            self._failed.stale = True
        for series in self._gauges.values():
            series.stale = True


class Prometheus:
    """One server. At the run's start it has been running for long; after a loss it starts empty."""

    def __init__(self, context: Context, region: str, rules: dict[tuple[str, str], Rule], notify: Notify) -> None:
        self._context = context
        self.region = region
        self._rules = rules
        self._notify = notify
        self._life = 0
        self.alive = False
        self._looks_back_ns = context.ns("monitoring.lookback") if context.on("staleness") else FOR_EVER_NS
        self.start()

    def start(self) -> None:
        """Begin to scrape and to evaluate, each at its own phase, remembering nothing."""
        context, monitoring = self._context, self._context.topology.monitoring
        self._life += 1
        self.alive = True
        longest_ns = max((rule.longest_ns for rule in self._rules.values()), default=0)
        self._store = Store(max(longest_ns, context.ns("monitoring.lookback")))
        self._targets: dict[str, _Scraped] = {}
        self._known: set[str] = set()  # targets of the last scrape
        alerts = [
            _Alert(rule, reading, self._rules[rule.alert, reading])
            for rule in monitoring.alerts
            for reading in _READINGS
        ]
        fast = [a for a in alerts if a.rule.for_us < monitoring.evaluation_us and a.reading == "intended"]
        slow = [a for a in alerts if a not in fast]
        if context.on("scrape_interval"):
            self._every("scrape", monitoring.scrape_us * 1_000, self._scrape, before=self._life == 1)
        self._every("evaluate", monitoring.evaluation_us * 1_000, lambda _: self._evaluate(slow))
        self._every("evaluate fast", monitoring.fast_evaluation_us * 1_000, lambda _: self._evaluate(fast))

    def stop(self) -> None:
        """Its region is gone."""
        self.alive = False
        self._life += 1

    def _every(self, what: str, period_ns: int, act: Callable[[int], None], *, before: bool = False) -> None:
        """Act each period from a drawn phase on; `before`: also at the run's start for the time before it."""
        phase = int(self._context.draws.uniform(f"prometheus/{self.region}", what, self._life) * period_ns)
        self._context.env.process(self._loop(1 + phase, period_ns, act, self._life, before=before))

    def _loop(self, phase_ns: int, period_ns: int, act: Callable[[int], None], life: int, *, before: bool) -> Wait:
        env = self._context.env
        if before:
            act(self._context.now_ns + phase_ns - period_ns)
        yield env.timeout(phase_ns)
        while self._life == life:
            act(self._context.now_ns)
            yield env.timeout(period_ns)

    def _scrape(self, stamp_ns: int) -> None:
        """Scrape every target that discovery knows in any region."""
        markers = self._context.on("staleness")
        found: set[str] = set()
        for region in self._context.topology.regions:
            for target in self._context.observed.scrape(self.region, region):
                found.add(target.pod)
                scraped = self._targets.get(target.pod)
                if scraped is None:
                    scraped = self._targets[target.pod] = _Scraped(self._store, target)
                scraped.take(target, stamp_ns, markers=markers)
        if markers:
            for pod in self._known - found:
                self._targets[pod].gone()
        self._known = found

    def _evaluate(self, alerts: list[_Alert]) -> None:
        now = self._context.now_ns
        if not self._context.on("scrape_interval"):
            self._scrape(now)
        for alert in alerts:
            self._advance(alert, alert.expression.evaluate(self._store, now, self._looks_back_ns), now)

    def _advance(self, alert: _Alert, elements: dict[Labels, float], now_ns: int) -> None:
        if not elements and not alert.since_ns:
            return
        context, rule = self._context, alert.rule
        detail: dict[str, Any] = {"rules": alert.reading, "region": self.region}
        wait = rule.for_us * 1_000 if context.on("alert_for") else 0
        was_pending, was_firing = bool(alert.since_ns), alert.firing
        alert.since_ns = {labels: alert.since_ns.get(labels, now_ns) for labels in elements}
        alert.firing = any(now_ns - since >= wait for since in alert.since_ns.values())
        if was_firing and not alert.firing:
            context.mark("alert_resolved", rule.alert, **detail)
        if alert.since_ns and (not was_pending or (was_firing and not alert.firing)):
            context.mark("alert_pending", rule.alert, **detail)
        if alert.firing and not was_firing:
            context.mark("alert_firing", rule.alert, **detail)
        if alert.firing != was_firing and alert.reading == "intended":
            self._notify(rule.alert, rule.severity, self.region, firing=alert.firing)
