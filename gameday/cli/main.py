"""The one entry point: commands, and errors to exit codes."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from gameday.cli import check, compare, doctor, explain, init, judge, report, scenarios, show, simulate, testbed, undo
from gameday.cli import run as run_command
from gameday.cli.talk import problem_lines, put, say, then
from gameday.exit_codes import ExitCode, of_error
from scenarios.errors import GamedayError

ISSUES = "please report it with the lines above"
_CTRL_C = 130  # what typer makes of a KeyboardInterrupt

EXAMPLES = """\
See what can be played: `gameday scenarios`

Play one in the twin, and judge it: `gameday simulate region-loss-automatic --trials 200`

See the last run in a browser: `gameday report --open`

Find what is wrong in your own files: `gameday check gamedays/`
"""

app = typer.Typer(
    name="gameday",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        put(f"gameday {version('grandmodel-gameday')}")
        raise typer.Exit


@app.callback(epilog=EXAMPLES)
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Tell whether recovery works, before the market does: play a failure, judge it, show the verdict."""


app.command("init", epilog=init.EXAMPLE)(init.init)
app.command("scenarios", epilog=scenarios.EXAMPLE)(scenarios.scenarios)
app.command("show", epilog=show.EXAMPLE)(show.show)
app.command("check", epilog=check.EXAMPLE)(check.check)
app.command("explain", epilog=explain.EXAMPLE)(explain.explain)
app.command("doctor", epilog=doctor.EXAMPLE)(doctor.doctor)
app.add_typer(testbed.app, name="testbed", epilog=testbed.EXAMPLE)
app.command("simulate", epilog=simulate.EXAMPLE)(simulate.simulate)
app.command("run", epilog=run_command.EXAMPLE)(run_command.run)
app.command("undo", epilog=undo.EXAMPLE)(undo.undo)
app.command("judge", epilog=judge.EXAMPLE)(judge.judge)
app.command("compare", epilog=compare.EXAMPLE)(compare.compare)
app.command("report", epilog=report.EXAMPLE)(report.report)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; nothing but a bug shows a traceback."""
    try:
        result = app(args=arguments, prog_name="gameday", standalone_mode=False)
    except typer.TyperException as error:
        return _wrong_usage(error)
    except typer.Abort:
        return _failed(KeyboardInterrupt())
    except (Exception, BaseExceptionGroup) as error:  # the last line of defence: what has no code of its own is our bug
        return _failed(error)
    if result == _CTRL_C:
        return _failed(KeyboardInterrupt())
    return int(result) if isinstance(result, int) else ExitCode.MET


def _wrong_usage(error: typer.TyperException) -> ExitCode:
    """Say what is wrong with the command line; of one without a command typer has printed the help already."""
    if message := error.format_message():
        context = getattr(error, "ctx", None)
        if context is not None:
            say(context.get_usage().strip())
        say(f"error: {message}")
        then(f"{context.command_path if context is not None else 'gameday'} --help")
    return ExitCode.USAGE


def _failed(error: BaseException) -> ExitCode:
    """Say what went wrong, each error of a group, and return the code that counts."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            _failed(each)
        return of_error(error)
    code = of_error(error)
    if code is ExitCode.BUG:
        import traceback

        traceback.print_exception(error)
        say(f"this is a bug in gameday: {ISSUES}")
    elif isinstance(error, GamedayError):
        for line in problem_lines(error):
            say(line)
    if code is ExitCode.ABORTED:
        say("stopped by hand" if isinstance(error, KeyboardInterrupt) else "stopped")
        say("what was recorded is kept")
    return code


def main() -> None:
    """Console script."""
    sys.exit(int(run()))
