"""The command line: one command a step, each usable alone.

Heavy imports live inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from matcher.commands import (
    data,
    intake,
    lists,
    models,
    operations,
    planning,
    privacy,
    succession,
    upkeep,
)
from matcher.commands.shared import (
    BAD_DATA,
    BUSY,
    EPILOG,
    EXHAUSTED,
    OK,
    STATE,
    USAGE,
    terminal_of_run,
)

app = typer.Typer(
    name="kolmatch",
    help="Match brand briefs to KOLs, learning from what past collaborations really brought.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
for command in (
    data.check,
    data.ingest,
    intake.brief,
    data.simulate,
    models.train,
    models.evaluate,
    models.promote,
    models.rollback,
    lists.match,
    lists.why,
    succession.successors,
    planning.plan,
    upkeep.reconcile,
    upkeep.drift,
    upkeep.tune,
    upkeep.retrain,
    privacy.access,
    privacy.erase,
    privacy.prune,
    privacy.replay,
    operations.status,
    operations.doctor,
    operations.migrate,
):
    app.command(epilog=EPILOG)(command)

_PATH_ERRORS = (
    FileNotFoundError,
    FileExistsError,
    NotADirectoryError,
    IsADirectoryError,
    PermissionError,
)
"""What a wrong path leads to, wherever it is found out."""


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"kolmatch {version('kolmatch')}")
        raise typer.Exit


@app.callback()
def _options(
    json_logs: Annotated[
        bool, typer.Option("--json", help="Log JSON lines on stderr, for unattended runs.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    from matcher.console import Terminal

    STATE.terminal = Terminal(json_logs)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a user's mistake ends in one message and a documented exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default what was typed.
    """
    from typer.exceptions import TyperException

    # OpenMP threads that spin while they wait bring a shared machine to a halt.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from features.errors import TableError, UserError
    from matcher.exhaustion import exhausted

    typed = sys.argv[1:] if arguments is None else list(arguments)
    STATE.terminal = None
    STATE.metrics = None
    STATE.typed = typed
    code: int | None = 1  # where nothing below gives another
    try:
        code = app(args=typed, prog_name=app.info.name, standalone_mode=False)
    except TyperException as error:
        code = error.exit_code
        told = error.format_message().replace("Value error, ", "")
        if told:  # empty where the help was printed instead
            context = getattr(error, "ctx", None)
            command = context.command_path if context else app.info.name
            terminal_of_run().fail(f"{told} (`{command} --help` tells more)")
    except TableError as error:
        code = BAD_DATA
        terminal_of_run().faults(error.faults)
        terminal_of_run().fail(
            "The data has faults; nothing was written.", faults=len(error.faults)
        )
    except UserError as error:
        code = EXHAUSTED if exhausted(error.__cause__) else USAGE
        terminal_of_run().fail(str(error))
    except _PATH_ERRORS as error:
        code = USAGE
        terminal_of_run().fail(
            f"{error.strerror}: {error.filename}" if error.strerror else str(error)
        )
    except Exception as error:
        if lack := exhausted(error):
            code = EXHAUSTED
            terminal_of_run().fail(
                f"{lack}. What was published before still stands; run the command again"
            )
        elif not terminal_of_run().json_logs:
            raise
        else:
            code = 1
            terminal_of_run().crash(error)
    finally:
        _write_metrics(code or OK)
    sys.exit(code or OK)


def _write_metrics(code: int) -> None:
    """Write how a job went, if it was asked for; a job that did not begin leaves the file be."""
    if STATE.metrics is None or code == BUSY:
        return
    try:
        STATE.metrics.write(code)
    except OSError as error:
        terminal_of_run().warn(f"the metrics could not be written: {error}")


if __name__ == "__main__":
    main()
