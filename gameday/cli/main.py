"""The one entry point: commands, and errors to exit codes."""

import os
import sys
from collections.abc import Sequence

import click
import typer

from gameday.cli import check, explain, init, judge, report, scenarios, show, simulate
from gameday.cli.talk import problem_lines, say
from gameday.exit_codes import ExitCode
from scenarios.errors import AbortedError, GamedayError

ISSUES = "please report it with the lines above"

app = typer.Typer(
    name="gameday",
    help="Tells whether recovery works, before the market does: play a failure, judge it against the runbook, show the verdict.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.command("init", epilog=init.EXAMPLE)(init.init)
app.command("scenarios", epilog=scenarios.EXAMPLE)(scenarios.scenarios)
app.command("show", epilog=show.EXAMPLE)(show.show)
app.command("check", epilog=check.EXAMPLE)(check.check)
app.command("explain", epilog=explain.EXAMPLE)(explain.explain)
app.command("simulate", epilog=simulate.EXAMPLE)(simulate.simulate)
app.command("judge", epilog=judge.EXAMPLE)(judge.judge)
app.command("report", epilog=report.EXAMPLE)(report.report)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; nothing but a bug shows a traceback."""
    try:
        result = app(args=arguments, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return ExitCode.USAGE
    except click.UsageError as error:
        error.show(file=sys.stderr)
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt, AbortedError) as error:
        say(f"stopped: {error or 'by hand'}; what was recorded is kept")
        return ExitCode.ABORTED
    except GamedayError as error:
        for line in problem_lines(error):
            say(line)
        return ExitCode.USAGE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.MET
    except Exception:  # the last line of defence: everything else is our bug, and says so
        import traceback

        traceback.print_exc()
        say(f"this is a bug in gameday: {ISSUES}")
        return ExitCode.BUG
    return int(result) if isinstance(result, int) else ExitCode.MET


def main() -> None:
    """Console script."""
    sys.exit(run())
