"""`gameday doctor`: what this machine lacks for a game day."""

from dataclasses import asdict

from gameday.cli.arguments import AsJson
from gameday.cli.talk import put_json, put_rows, say, then
from gameday.exit_codes import ExitCode

EXAMPLE = "Example: `gameday doctor`"


def doctor(as_json: AsJson = False) -> int:
    """Say what this machine lacks for a game day, and how to get it: programs, cores, memory, disk, ports, images.

    Exit code 1 when something is missing without which no testbed can be made; what is marked `later` is not needed
    for that.
    """
    from experiments.testbed.doctor import examine

    findings = examine()
    if as_json:
        put_json([asdict(finding) for finding in findings])
    else:
        put_rows(
            [
                (finding.subject, "good" if finding.ok else "missing" if finding.needed else "later", finding.found)
                for finding in findings
            ],
            ("what", "", "found"),
        )
    lacking = [finding for finding in findings if not finding.ok]
    for finding in lacking:
        say(f"{finding.subject}: expected {finding.expected}. {finding.remedy}")
    blocked = any(finding.needed for finding in lacking)
    then("gameday doctor" if blocked else "gameday testbed up")
    return ExitCode.MISSED if blocked else ExitCode.MET
