"""Limits, values and ranges as a person writes them."""

from scenarios.model.objective import Objective
from scenarios.model.parameters import Parameter
from scenarios.model.scenario import Workload
from scenarios.model.units import duration


def limit(objective: Objective) -> str:
    """Return the limit as a person writes it.

    >>> limit(Objective(objective="rto.risk", kind="recovery_time", subject="risk", title="Risk", limit_us=300_000_000))
    'at most 5 min'
    """
    if objective.limit_per_s is not None:
        lasts = f" for {duration(objective.lasts_us)}" if objective.lasts_us else ""
        return f"more than {objective.limit_per_s:,.0f}/s{lasts}"
    if objective.limit_us is None:
        return "never broken"
    if objective.quantile is not None:
        return f"p{objective.quantile * 100:g} below {duration(objective.limit_us)}"
    beside = " + scrape + evaluation + group_wait" if objective.kind == "detection" else ""
    return f"at most {duration(objective.limit_us)}{beside}"


def source(objective: Objective) -> str:
    """Return who promises it: a section of the runbook, or the reason of a house rule."""
    return f"runbook, {objective.runbook}" if objective.runbook else f"house rule: {objective.rationale}"


def value(parameter: Parameter) -> str:
    """Return a parameter's value as a person writes it."""
    numbers = [quantity(v, parameter.unit) for v in parameter.values]
    if parameter.kind == "uniform":
        return f"{numbers[0]} to {numbers[1]}, uniform"
    if parameter.kind == "lognormal":
        return f"median {numbers[0]}, log-sd {parameter.values[1]:g}"
    return numbers[0]


def written(parameter: Parameter) -> str:
    """Return a parameter's value as `--set` takes it: `5 min`, `lognormal(2 s, 0.4)`, `uniform(0 s, 1 min)`."""
    numbers = [quantity(v, parameter.unit) for v in parameter.values]
    if parameter.kind == "uniform":
        return f"uniform({numbers[0]}, {numbers[1]})"
    if parameter.kind == "lognormal":
        return f"lognormal({numbers[0]}, {parameter.values[1]:g})"
    return numbers[0]


def held_across(parameter: Parameter) -> str:
    """Return the range that a verdict must hold across; empty if it has none."""
    if parameter.low is None or parameter.high is None:
        return ""
    words = f"{quantity(parameter.low, parameter.unit)} to {quantity(parameter.high, parameter.unit)}"
    if parameter.sigma_low is not None and parameter.sigma_high is not None:
        words += f"; log-sd {parameter.sigma_low:g} to {parameter.sigma_high:g}"
    return words


def quantity(number: float, unit: str) -> str:
    """Return a number of a parameter with its unit."""
    words = {"us": duration(number), "share": f"{number * 100:g} %", "1/s": f"{number:g}/s", "vCPU": f"{number:g} vCPU"}
    return ("on" if number else "off") if unit == "switch" else words.get(unit, f"{number:g}")


def count(number: int, thing: str) -> str:
    """Return a number of things.

    >>> count(1, "node"), count(3, "node")
    ('1 node', '3 nodes')
    """
    return f"{number} {thing}{'' if number == 1 else 's'}"


def time_of_day(seconds: int) -> str:
    """Return a time of day, from seconds after midnight."""
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d} UTC"


def load(workload: Workload) -> str:
    """Return the offered load in words."""
    lasts = workload.duration if isinstance(workload.duration, str) else f"for {duration(workload.duration)}"
    profile = {
        "steady": "steady",
        "diurnal": "in the shape of a trading day around",
        "opening-burst": "an opening burst on",
    }[workload.profile]
    words = f"{profile} {workload.rate_per_s:,.0f} new orders/s, {lasts}, at most {duration(workload.at_most_us)}"
    if workload.starts_at_s is not None:
        words += f", from {time_of_day(workload.starts_at_s)}"
    if workload.history is not None:
        history = workload.history
        words += f"; an order each {duration(history.spacing_us)} for {duration(history.covers_us)} before"
    return words
