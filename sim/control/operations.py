"""Put together what runs and answers for the system: exposure, database, copies, procedures, people, monitoring."""

from sim.control.automation import Automation
from sim.control.context import Context
from sim.control.copies import Copies
from sim.control.exposure import Exposure
from sim.control.incident import Incident
from sim.control.monitoring import Monitoring
from sim.control.people import People
from sim.control.postgres import Postgres
from sim.control.procedures import Procedures


def install(context: Context) -> None:
    """Set the operational parts of a context, before its clock starts; `observed`, `clusters` and `dns` may follow."""
    incident = Incident(context)
    shares = {
        (region, name): service.value_at_risk
        for region in context.topology.regions
        for name, service in context.topology.services.items()
        if service.value_at_risk is not None
    }
    context.exposure = Exposure(shares, context.series)
    context.database = Postgres(context)
    context.copies = Copies(context)
    context.procedures = Procedures(context, incident)
    context.monitoring = Monitoring(context, People(context, incident))
    context.automation = Automation(context)
