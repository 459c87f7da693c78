"""All plots of a report, in the order in which a reader asks for them."""

from reports.model import Report
from reports.plots import budget, data, load, recovery_point, seen, trials
from reports.plots.frame import Plot
from reports.story import Moment
from reports.view import View


def figures(report: Report, view: View, story: list[Moment]) -> list[Plot]:
    """Return the plots for which the record holds anything."""
    made = (
        seen.plot(report, story),
        budget.plot(report, view),
        trials.plot(report, view),
        data.plot(report, story),
        recovery_point.plot(report, story),
        load.plot(report, story),
    )
    return [plot for plot in made if plot is not None]
