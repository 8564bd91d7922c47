"""The notices of one command: that it has begun, and how it has ended.

The first is sent while the command works. The last is sent when everything is printed and written,
so that it can change nothing.
"""

import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchlock.cli.context import Context
    from batchlock.config import Settings
    from batchlock.core.night import NightDigest
    from batchlock.core.results import RunResult
    from batchlock.core.runs import Run
    from batchlock.notify.notice import Notice
    from batchlock.notify.notifier import Notifier

# The commands that send, or look for locks. `work` is a run of the page.
_COMMANDS = frozenset(
    {"run", "lock", "unlock", "undo", "locks", "resume", "retry", "inbox", "work"}
)
_OF_THE_PAGE = "work"


class CommandNotices:
    """Tells everywhere that is configured how one command fares."""

    def __init__(
        self, notifier: "Notifier", *, command: str, org: str, environment: str, file: str | None
    ) -> None:
        """Send that the command has begun, unless it is a run of the page."""
        from batchlock.notify.texts import start_notice

        self._notifier = notifier
        self._command, self._org, self._environment = command, org, environment
        self._file = None if file is None else Path(file).name
        self._started_monotonic = time.monotonic()
        self.result: RunResult | None = None
        """What the command has printed; None when that was a sentence only."""
        self.digest: NightDigest | None = None
        """What became of the files of an inbox; None for every other command."""
        self.message = ""
        """The sentence that the command has ended with."""
        self.is_silent = False
        """Whether there is nothing to tell: another process goes on with the run."""
        self.needs_person: bool | None = None
        if command != _OF_THE_PAGE:
            notice = start_notice(command, org=org, environment=environment, file=self._file)
            notifier.send(notice)

    def follow_page_run(self, run: "Run | None") -> None:
        """Take over how a run of the page stands now.

        One that waits again has not ended, and of one that a person has paused or stopped, that
        person knows.
        """
        from batchlock.core.runs import RunState

        self.is_silent = run is None or run.state is RunState.QUEUED
        if run is not None:
            self._file = run.file_name
            self.needs_person = False if run.was_ended_by_person else None

    def send_person_notice(self, digest: "NightDigest") -> None:
        """Send that files of an inbox that goes on need a person, if any does."""
        from batchlock.notify.texts import night_notice

        if digest.needs_person:
            seconds = time.monotonic() - self._started_monotonic
            self._notifier.send(night_notice(digest, exit_code=None, seconds=seconds))

    def end(self, exit_code: int) -> None:
        """Send how the command has ended, and wait for that for a bounded time."""
        from batchlock.notify.texts import end_notice, night_notice

        if self.is_silent:
            return
        seconds = time.monotonic() - self._started_monotonic
        if self.digest is not None:
            self._send_last(night_notice(self.digest, exit_code=exit_code, seconds=seconds))
            return
        result = self.result
        # A run that a worker sends has not ended, so its figures are none.
        is_detached = result is not None and result.is_detached
        summary = None if result is None or is_detached else result.summary
        notice = end_notice(
            "page" if self._command == _OF_THE_PAGE else self._command,
            org=self._org,
            environment=self._environment,
            exit_code=exit_code,
            seconds=seconds,
            message=self.message,
            file=self._file,
            summary=summary,
            results=None if result is None else result.output,
            needs_person=self.needs_person,
        )
        self._send_last(notice)

    def _send_last(self, notice: "Notice") -> None:
        from batchlock.core.log_context import log_lines_about

        with log_lines_about(org=self._org, run_id=notice.run_id):
            self._notifier.send(notice)
            self._notifier.close()


def begin_notices(context: "Context", settings: "Settings", *, is_rehearsal: bool) -> None:
    """Begin the notices of a command, if it is one that has some and any are configured.

    A rehearsal has none: its ping would say that a night went well in which nothing was sent.
    """
    if is_rehearsal or context.command not in _COMMANDS or settings.notify.is_empty:
        return
    from batchlock.notify.notifier import Notifier

    is_shared = settings.database_url is not None
    context.notices = CommandNotices(
        Notifier(
            settings.notify,
            settings.network,
            # A server of pings would wait for the end of a command that goes on for months.
            pings=context.command != _OF_THE_PAGE and not context.is_lasting,
            # The worker that sends the run tells the rest. It does not know of the other files.
            others=not is_shared or context.command == "inbox",
        ),
        command=context.command,
        org=settings.org,
        environment=settings.zoho.environment,
        file=context.file,
    )


def end_notices(context: "Context", exit_code: int) -> None:
    """Send how a command has ended, when everything else is done.

    Failures are in the log; a signal ends the waiting. Nothing is raised, since the exit code is
    final by now.
    """
    if context.notices is None or context.state_folder is None:
        return
    from batchlock.cli.logs import log_to

    number = context.signals.number
    if number is not None and exit_code != 128 + number:
        return  # it came after the end of the command, so nobody wants to wait
    # After the signal that has ended the command, a second one ends the process.
    waiting = context.signals.interruptible() if number is None else nullcontext()
    try:
        # The command has closed its own handlers by now.
        log = log_to(context.state_folder, quiet=context.is_quiet, is_json=context.logs_json)
        with log, waiting:
            context.notices.end(exit_code)
    except KeyboardInterrupt:
        pass
