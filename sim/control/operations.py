"""Put together what runs and answers for the system: database, copies, procedures, people, monitoring, automation."""

from sim.control.automation import Automation
from sim.control.context import Context
from sim.control.copies import Copies
from sim.control.incident import Incident
from sim.control.monitoring import Monitoring
from sim.control.people import People
from sim.control.postgres import Postgres
from sim.control.procedures import Procedures


def install(context: Context) -> None:
    """Set the operational parts of a context, before its clock starts; `observed`, `clusters` and `dns` may follow."""
    incident = Incident(context)
    context.database = Postgres(context)
    context.copies = Copies(context)
    context.procedures = Procedures(context, incident)
    context.monitoring = Monitoring(context, People(context, incident))
    context.automation = Automation(context)
