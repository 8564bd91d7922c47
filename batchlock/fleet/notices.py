"""The notices of one session of a run that a worker sends."""

import time

from batchlock.config import Settings
from batchlock.core.errors import BatchlockError
from batchlock.core.results import RunResult
from batchlock.core.runs import Run, RunState
from batchlock.notify.notifier import Notifier
from batchlock.notify.texts import end_notice, start_notice


class SessionNotices:
    """Tells everywhere that is configured how one session of a run fares.

    There are pings for the runs of schedules only, since a clock has started those. A command that
    follows a run has its own.
    """

    def __init__(self, settings: Settings, run: Run) -> None:
        """Send that the session has begun; `settings` are those of the org of the run."""
        self._run, self._settings = run, settings
        self._command = "worker" if run.schedule is None else "schedules"
        self._started_monotonic = time.monotonic()
        self.notifier = Notifier(settings.notify, settings.network, pings=run.schedule is not None)
        self.notifier.send(
            start_notice(
                self._command,
                org=run.info.org,
                environment=run.info.environment,
                file=run.info.file_name,
            )
        )

    def end(self, result: RunResult, run: Run | None) -> None:
        """Send how the session has ended; `run` is its record now, None: it was removed.

        A run that waits again has not ended: this worker ends, and another one goes on with it.
        """
        if run is not None and run.state is not RunState.QUEUED:
            self._send(
                result.exit_code,
                result=result,
                needs_person=False if run.was_ended_by_person else None,
            )

    def fail(self, error: Exception) -> None:
        """Send that an error has ended the session."""
        if isinstance(error, BatchlockError):
            self._send(error.exit_code, message=str(error))
        else:
            self._send(1, message="It ended with an unexpected error.")

    def _send(
        self,
        exit_code: int,
        *,
        message: str = "",
        result: RunResult | None = None,
        needs_person: bool | None = None,
    ) -> None:
        info = self._run.info
        self.notifier.send(
            end_notice(
                self._command,
                org=info.org,
                environment=info.environment,
                exit_code=exit_code,
                seconds=time.monotonic() - self._started_monotonic,
                message=message,
                file=info.file_name,
                summary=None if result is None else result.summary,
                results=None if result is None else result.output,
                needs_person=needs_person,
            )
        )
