"""Around every command: the one place where errors end."""

from pathlib import Path

import click

from batchlock.cli.commands import commands
from batchlock.cli.context import Context
from batchlock.cli.signals import Signals
from batchlock.cli.streams import aside
from batchlock.core.errors import BatchlockError


def run(arguments: list[str], signals: Signals) -> int:
    """Run a command and return its exit code."""
    session = Context(signals=signals, as_json="--json" in arguments)
    try:
        code = commands.main(arguments, "batchlock", standalone_mode=False, obj=session)
        return session.exit_code(code or 0)
    except click.Abort:
        if signals.number is not None:
            return _failed(session, "Interrupted.", 130)
        asks = f"`batchlock {session.command}` asks questions, and got no answer"
        return _failed(session, f"{asks}. Type it at a terminal.", 2)
    except click.ClickException as error:
        hint = ""
        helped = isinstance(error, click.exceptions.NoArgsIsHelpError)
        if isinstance(error, click.UsageError) and error.ctx is not None and not helped:
            hint = f" See `{error.ctx.command_path} --help`."
        return _failed(session, error.format_message() + hint, 2)
    except BatchlockError as error:
        return _failed(session, str(error), error.exit_code)
    except Exception as error:
        kept = _keep_traceback(session, error)
        return _failed(session, f"Something unexpected went wrong; the details are in {kept}.", 1)


def _failed(session: Context, message: str, code: int) -> int:
    code = session.exit_code(code)
    with aside():
        click.echo(message, err=True)
    if session.as_json:
        from batchlock.cli.output import print_json
        from batchlock.report.json import empty_json

        print_json(empty_json(session.command, session.file, exit_code=code, message=message))
    return code


def _keep_traceback(session: Context, error: Exception) -> Path:
    """Write the traceback to the log, or where there is none to a file of its own."""
    import logging
    import os
    import tempfile
    import traceback

    from batchlock.cli.logs import logs

    if session.state is not None:
        with logs(session.state, quiet=True) as path:  # those of the command are closed by now
            logging.getLogger(__name__).info("unexpected error", exc_info=error)
        if path is not None:
            return path
    descriptor, name = tempfile.mkstemp(prefix="batchlock-", suffix=".log")
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        traceback.print_exception(error, file=file)
    return Path(name)
