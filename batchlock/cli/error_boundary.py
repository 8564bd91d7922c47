"""Run a command and turn every exception into a message and an exit code."""

import os
from itertools import pairwise
from pathlib import Path

import click

from batchlock.cli.commands import commands
from batchlock.cli.context import Context
from batchlock.cli.signals import Signals
from batchlock.cli.streams import echo_error
from batchlock.core.errors import BatchlockError


def run(arguments: list[str], signals: Signals) -> int:
    """Run a command and return its exit code."""
    # `--json` promises an object for a command line that cannot be parsed too, so it is looked for
    # before the parsing.
    context = Context(
        signals=signals,
        as_json="--json" in arguments,
        logs_json=_asks_for_json_log(arguments),
    )
    code = _run(context, arguments)
    if context.notices is not None:
        from batchlock.cli.notices import end_notices

        end_notices(context, code)
    return code


def _asks_for_json_log(arguments: list[str]) -> bool:
    """Return whether log lines are JSON objects, before the configuration is read."""
    if os.environ.get("BATCHLOCK_LOG__FORMAT") == "json":
        return True
    return "--log-format=json" in arguments or ("--log-format", "json") in pairwise(arguments)


def _run(context: Context, arguments: list[str]) -> int:
    signals = context.signals
    try:
        code = commands.main(arguments, "batchlock", standalone_mode=False, obj=context)
        return context.exit_code(code or 0)
    except click.Abort:
        # click raises Abort for a KeyboardInterrupt, and for a prompt at the end of its input.
        if signals.number is not None:
            return _fail(context, "Interrupted.", 130)
        question = f"`batchlock {context.command}` asks questions, and got no answer"
        return _fail(context, f"{question}. Type it at a terminal.", 2)
    except click.ClickException as error:
        remedy = ""
        # The text of NoArgsIsHelpError is the help itself.
        is_help = isinstance(error, click.exceptions.NoArgsIsHelpError)
        if isinstance(error, click.UsageError) and error.ctx is not None and not is_help:
            remedy = f" See `{error.ctx.command_path} --help`."
        return _fail(context, error.format_message() + remedy, 2)
    except BatchlockError as error:
        return _fail(context, str(error), error.exit_code)
    except Exception as error:
        path = _log_traceback(context, error)
        return _fail(context, f"Something unexpected went wrong; the details are in {path}.", 1)


def _fail(context: Context, message: str, code: int) -> int:
    code = context.exit_code(code)
    if context.notices is not None:
        context.notices.message = message
    if context.logs_json:
        from batchlock.cli.json_log import json_line

        message_line = json_line(message, level="error", event="command.failed", exit_code=code)
        echo_error(message_line)
    else:
        echo_error(message)
    if context.as_json:
        from batchlock.cli.output import print_failure

        print_failure(context, code=code, message=message)
    return code


def _log_traceback(context: Context, error: Exception) -> Path:
    """Write the traceback to the log, or to a temporary file when there is no log."""
    import logging
    import tempfile
    import traceback

    from batchlock.cli.logs import log_to

    if context.state_folder is not None:
        # The command has closed its own handlers by now.
        with log_to(context.state_folder, quiet=True, is_json=context.logs_json) as path:
            logging.getLogger(__name__).info(
                "unexpected error", exc_info=error, extra={"event": "error"}
            )
        if path is not None:
            return path
    descriptor, name = tempfile.mkstemp(prefix="batchlock-", suffix=".log")
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        traceback.print_exception(error, file=file)
    return Path(name)
