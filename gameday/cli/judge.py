"""`gameday judge`: judge a record again, from its facts alone."""

from gameday.cli.arguments import AsJson, RunName, find_run, run_name
from gameday.cli.talk import say, then

EXAMPLE = "Example: `gameday judge region-loss-automatic --json`"


def judge(run: RunName = None, as_json: AsJson = False) -> int:
    """Judge a record against its objectives, write verdicts.json beside it, and print the verdict.

    The exit code says it to a script: 0 all objectives met, 1 one missed, 3 not decided. A record that was interrupted
    never meets its objectives; it has missed one when that is proven by what it holds.
    """
    folder = find_run(run)
    from gameday.judging import judged, show

    report = judged(folder)
    code = show(report, as_json=as_json)
    if report.interrupted:
        say(f"note: the record is {report.head.get('termination')}: nothing in it can pass")
    then(f"gameday report {run_name(folder)} --open")
    return code
