"""Alertmanager: one cluster over the regions with a Prometheus; groups, waits, sends once, and forgets what is over.

The alerts of one name are a group, whichever server tells of them. A group is looked at after `group_wait`, then each
`group_interval`: it sends one page when something fires in it, and ends when nothing does. A server says again now and
then that an alert fires; what it said before it died expires. Source: CALIBRATION 1 (group_wait 30 s), Prometheus and
Alertmanager defaults.
"""

from collections.abc import Callable

from sim.control.context import Context, Wait

Deliver = Callable[[str], None]

ENDS_AFTER = 4  # Prometheus gives an alert so many of its intervals of sending again to live


class Alertmanager:
    """Deduplicates the alerts of all servers; delivers while a region with a server lives."""

    def __init__(self, context: Context, deliver: Deliver, alive: Callable[[], bool]) -> None:
        self._context = context
        self._deliver = deliver
        self._alive = alive
        self._firing: dict[str, dict[str, int]] = {}  # alert -> region whose server says that it fires -> since (ns)
        self._groups: set[str] = set()
        self._sent = 0

    def notify(self, alert: str, severity: str, region: str, *, firing: bool) -> None:
        """An alert begins or ceases to fire in the server of a region."""
        servers = self._firing.setdefault(alert, {})
        if not firing:
            servers.pop(region, None)
            return
        servers[region] = self._context.now_ns
        if alert not in self._groups:
            self._groups.add(alert)
            self._context.env.process(self._group(alert, severity))

    def firing(self) -> bool:
        """Whether an alert fires, as far as it was told."""
        return any(self._firing.values())

    def forget(self, region: str) -> None:
        """The server of a region is dead: what it said expires."""
        for servers in self._firing.values():
            if region in servers:
                self._context.env.process(self._expire(servers, region))

    def _expire(self, servers: dict[str, int], region: str) -> Wait:
        context, since = self._context, servers[region]
        again = context.ns("monitoring.alert_resend")
        last = since + (context.now_ns - since) // again * again
        lives = ENDS_AFTER * max(again, context.topology.monitoring.evaluation_us * 1_000)
        yield context.env.timeout(max(1, last + lives - context.now_ns))
        if servers.get(region) == since:
            del servers[region]

    def _group(self, alert: str, severity: str) -> Wait:
        context = self._context
        wait = context.topology.monitoring.group_wait_us * 1_000 if context.on("group_wait") else 1
        yield context.env.timeout(max(1, wait))
        sent = False
        while self._firing[alert] and self._alive():
            if not sent:
                sent = True
                context.env.process(self._send(alert, severity))
            yield context.env.timeout(context.ns("monitoring.group_interval"))
        self._groups.discard(alert)

    def _send(self, alert: str, severity: str) -> Wait:
        context = self._context
        self._sent += 1
        context.mark("page_sent", alert, alert=alert)
        yield context.env.timeout(context.draws.sample_ns("monitoring.page_delivery", alert, self._sent))
        context.mark("page_received", alert, alert=alert, severity=severity)
        self._deliver(alert)
