"""`gameday scenarios`: what can be played."""

from gameday.cli.arguments import AsJson, scenario_folders
from gameday.cli.talk import put, put_json, then

EXAMPLE = "Example: `gameday scenarios --json`"


def scenarios(as_json: AsJson = False) -> None:
    """List the scenarios: what breaks, what it tests, where it can be played."""
    from scenarios.files.catalogue import scenarios as summaries

    found = summaries(scenario_folders())
    if as_json:
        put_json([vars(s) for s in found])
        return
    width = max(len(s.name) for s in found)
    for summary in found:
        put(f"{summary.name:<{width}}  {summary.title}")
        put(f"{'':<{width}}  {summary.tests} [{', '.join(summary.worlds)}]")
    then("gameday simulate region-loss-automatic")
