"""Take the files of a folder, once or until a signal, and print what became of them."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from batchlock.cli.context import Context
from batchlock.cli.options import CommandOptions
from batchlock.cli.runner import open_engine
from batchlock.cli.streams import echo
from batchlock.core.night import FileOutcome, FileStatus, NightDigest
from batchlock.core.redaction import without_record_data
from batchlock.inboxes.inbox import Inbox
from batchlock.inboxes.listing import DONE
from batchlock.inboxes.progress import NightObserver
from batchlock.inboxes.watch import watch
from batchlock.report.json_night import night_json

_log = logging.getLogger(__name__)


def take(
    context: Context, options: CommandOptions, folder: Path, *, action: str | None, again: bool
) -> int:
    """Take every file that is complete; return the most severe exit code."""
    with _open_inbox(context, options, folder, action, again=again) as inbox:
        digest = context.signals.run_async(inbox.take())
    return _print(context, digest)


def take_until_signal(
    context: Context, options: CommandOptions, folder: Path, *, action: str | None, again: bool
) -> int:
    """Take files as they become complete; a signal between two files is a good end."""
    signals = context.signals
    context.is_lasting = True
    with _open_inbox(context, options, folder, action, again=again) as inbox:
        code = signals.run_async(
            watch(
                inbox,
                signals.cancel_token,
                on_digest=partial(_report_files, context),
                on_message=_log.warning,
            )
        )
    if not code:
        context.clear_signal()
    return context.exit_code(code)


@contextmanager
def _open_inbox(
    context: Context, options: CommandOptions, folder: Path, action: str | None, *, again: bool
) -> Iterator[Inbox]:
    # Results beside the files: a place in the folder itself would make them files to be taken.
    results = folder.absolute() / DONE
    with open_engine(context, options, action=action, pinned_results=results) as engine:
        yield Inbox(engine, folder, again=again, may_unlock=options.yes, observer=_LoggedNight())


class _LoggedNight(NightObserver):
    """Logs what became of each file."""

    def on_file(self, outcome: FileOutcome) -> None:
        """Log a sentence about a file."""
        place = "" if outcome.file is None else f" It is now {outcome.file}."
        if outcome.status is FileStatus.LEFT:
            place = ""
        level = logging.WARNING if outcome.exit_code else logging.INFO
        # Why a file cannot be read is said with some of its cells.
        safe_text = f"{outcome.name}: {without_record_data(outcome.why)}{place}"
        extra = {"safe_text": safe_text}
        _log.log(level, "%s: %s%s", outcome.name, outcome.why, place, extra=extra)


def _print(context: Context, digest: NightDigest) -> int:
    code = context.exit_code(digest.exit_code)
    # A quiet inbox that cron calls every five minutes sends a mail only when there was something.
    is_nothing = not digest.files and not digest.ended_by
    if context.as_json or not (context.is_quiet and is_nothing):
        _print_digest(digest, as_json=context.as_json, exit_code=code)
    if context.notices is not None:
        context.notices.digest = digest
    return code


def _report_files(context: Context, digest: NightDigest) -> None:
    _print_digest(digest, as_json=context.as_json)
    if context.notices is not None:
        context.notices.send_person_notice(digest)


def _print_digest(digest: NightDigest, *, as_json: bool, exit_code: int | None = None) -> None:
    # ASCII, which every stream takes: an encoding error would change what the command ends with.
    echo(json.dumps(night_json(digest, exit_code=exit_code)) if as_json else digest.text)
