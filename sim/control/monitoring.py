"""Monitoring of the whole system: a Prometheus in each of its regions, one Alertmanager cluster, test pages."""

from sim.control.alertmanager import Alertmanager
from sim.control.context import Context
from sim.control.pages import Pages
from sim.control.people import People
from sim.control.prometheus import Prometheus, read_rules


class Monitoring:
    """`roles.MonitoringLike`."""

    def __init__(self, context: Context, people: People) -> None:
        self._context = context
        rules = read_rules(context.topology.monitoring)
        self._alertmanager = Alertmanager(context, people.page, lambda: bool(self._living()))
        self._servers = {
            region: Prometheus(context, region, rules, self._alertmanager.notify)
            for region in context.topology.monitoring.regions
        }
        self._pages = Pages(context, self._living)

    def _living(self) -> list[str]:
        """Regions in which a server, and the Alertmanager beside it, is alive."""
        return [region for region, server in self._servers.items() if server.alive]

    def lose(self, region: str) -> None:
        """Those in this region stop."""
        if self._context.on("monitoring_dies"):
            self.stop(region)

    def stop(self, region: str) -> None:
        """Those in this region stop by themselves, whatever the loss of a region does to them."""
        if region in self._servers and self._servers[region].alive:
            self._servers[region].stop()
            self._alertmanager.forget(region)

    def regain(self, region: str) -> None:
        """They start again, empty."""
        if region in self._servers and not self._servers[region].alive:
            self._servers[region].start()

    def firing(self) -> bool:
        """Whether an alert fires."""
        return self._alertmanager.firing()

    def healthy(self, region: str) -> bool:
        """Whether the server of a region answers its health check."""
        return region in self._servers and self._servers[region].alive
