"""Alertmanager: one cluster over the regions with a Prometheus; groups, waits, sends, and forgets what is resolved.

Each alert is a group of its own. Nothing is sent for an alert that is resolved before the wait is over.
Source: CALIBRATION 1 (group_wait 30 s).
"""

from collections.abc import Callable

from sim.control.context import Context, Wait

Deliver = Callable[[str], None]


class Alertmanager:
    """Deduplicates the alerts of all servers; delivers while a region with a server lives."""

    def __init__(self, context: Context, deliver: Deliver, alive: Callable[[], bool]) -> None:
        self._context = context
        self._deliver = deliver
        self._alive = alive
        self._firing: dict[str, set[str]] = {}  # alert -> regions whose server says that it fires
        self._sent = 0

    def notify(self, alert: str, severity: str, region: str, *, firing: bool) -> None:
        """An alert begins or ceases to fire in the server of a region."""
        servers = self._firing.setdefault(alert, set())
        first = firing and not servers
        if firing:
            servers.add(region)
        else:
            servers.discard(region)
        if first:
            self._context.env.process(self._send(alert, severity))

    def _send(self, alert: str, severity: str) -> Wait:
        context = self._context
        wait = context.topology.monitoring.group_wait_us * 1_000 if context.on("group_wait") else 1
        yield context.env.timeout(max(1, wait))
        if not self._firing[alert] or not self._alive():
            return
        self._sent += 1
        context.mark("page_sent", alert, alert=alert)
        yield context.env.timeout(context.draws.sample_ns("monitoring.page_delivery", alert, self._sent))
        context.mark("page_received", alert, alert=alert, severity=severity)
        self._deliver(alert)
