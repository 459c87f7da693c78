"""The time of day in the run. Source: the scenario's `starts at`, else the parameter `postgres.start_of_run_s`."""

from sim.control.context import Context

DAY_S = 86_400


def start_of_run_s(context: Context) -> float:
    """Seconds after midnight (UTC) at which the run starts."""
    declared = context.resolved.scenario.workload.starts_at_s
    return float(declared) if declared is not None else context.parameters.number("postgres.start_of_run_s")


def time_of_day_s(context: Context, at_ns: int) -> float:
    """Seconds after midnight (UTC) at an instant of the run."""
    return (start_of_run_s(context) + at_ns / 1e9) % DAY_S


def within(now_s: float, begins_s: float, ends_s: float) -> bool:
    """Whether a time of day lies in [begins, ends), which may reach past midnight."""
    return (now_s - begins_s) % DAY_S < (ends_s - begins_s) % DAY_S
