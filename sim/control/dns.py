"""DNS outside both regions: one name, the region it leads to, and the time a change takes.

Each client's cache and TTL live in the data plane. Source: CALIBRATION 2 (change <= 60 s).
"""

from sim.control.context import Context, Wait
from sim.data.commands import Command


class Dns:
    """The authoritative answer."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._changes = 0
        self.region: str = context.topology.database.home

    def submit(self, region: str) -> Wait:
        """Submit a change and wait until it is everywhere."""
        context = self._context
        context.mark("dns_change_submitted", "dns", region=region)
        self._changes += 1
        if context.on("dns_propagation"):
            yield context.env.timeout(context.draws.sample_ns("dns.change_propagation", "dns", self._changes))
        self.region = region
        context.command(Command.DNS, context.names.regions.index(region))
        context.mark("dns_switched", "dns", region=region)
        context.acted()
