"""The queue of an org's runs: one is being sent, the others wait.

Page and process share the record of the run: the process writes its heartbeat and how the run
ended, the page writes a person's request to end it. Who starts the process differs:

ProcessQueue   the store is in the state folder: this server starts `batchlock work` for each run
WorkerQueue    the store is in a database: the workers do, and this server only wakes them
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from batchlock.core.errors import BatchlockError
from batchlock.core.runs import STOP_AT, Run, RunState, state_after
from batchlock.core.stop import StopCode, StopReason
from batchlock.send.stop_rules import STOP_UNTIL, with_stop_at
from batchlock.store.queued_runs import LaterStart
from batchlock.store.store import Store
from batchlock.web.served_orgs import ServedOrgs
from batchlock.web.translation import gettext as _


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOptions:
    """What a person chose for a run beside its rows."""

    start_at: datetime | None = None
    """When it starts, UTC; None: as soon as its turn comes."""
    settings: Mapping[str, Any] | None = None
    """Settings of this run, by their names in a configuration; None: as they are."""
    note: str = ""
    """What people call it; empty: as it is."""

    def are_of(self, run: Run) -> bool:
        """Return whether a run waits for this start, with these settings."""
        return self.start_at == run.start_at and dict(self.settings or {}) == chosen_settings(run)

    def later_start(self, user: str) -> LaterStart | None:
        """Return the start as the store keeps it; None for one without a wait."""
        if self.start_at is None:
            return None
        sentence = f"{user} has chosen this time."
        return LaterStart(self.start_at, StopReason(code=StopCode.PAUSED, sentence=sentence))


def chosen_settings(run: Run) -> dict[str, Any]:
    """Return the settings that a person chose for a run, by their names in a configuration."""
    return {name: value for name, value in run.options.items() if name != STOP_AT}


def _options(run: Run, start: StartOptions) -> dict[str, Any]:
    """Return what the process that sends a run reads: its settings, and when it stops."""
    options = chosen_settings(run) if start.settings is None else dict(start.settings)
    if (until := options.get(STOP_UNTIL)) is not None:
        start_at = start.start_at or datetime.now(UTC)
        return with_stop_at(options, time.fromisoformat(until), start_at)
    return options


class RunQueue(ABC):
    """The runs of one org that people requested on the page."""

    waits_for_other_orgs = False
    """Whether the first run that waits can only start when a run of another org has ended."""
    problem = ""
    """Why its runs can neither be started nor recorded at this moment, in a sentence."""

    def __init__(self, store: Store, org: str, served_orgs: ServedOrgs) -> None:
        self._store = store
        self._org = org
        self._served_orgs = served_orgs

    def add(
        self,
        run: Run,
        user: str,
        *,
        file_name: str = "",
        upload: str | None = None,
        start: StartOptions = StartOptions(),
    ) -> None:
        """Put a run at the end of the queue, unless it is in the queue or being sent.

        With a later `start` it is paused until then.

        Raises BatchlockError if a person has stopped it and its process is still ending, and if
        the org is disabled.
        """
        if self._served_orgs.is_disabled(self._org):
            raise BatchlockError(
                _(
                    "The org %(org)s is disabled, so nothing is sent to it. Ask whoever runs "
                    "batchlock to allow it again.",
                    org=self._org,
                )
            )
        if run.state in (RunState.QUEUED, RunState.RUNNING):
            if run.stop_requested is not None:
                raise BatchlockError(_("It is stopping. Try again in a moment."))
            if start.settings is not None and not start.are_of(run):
                raise BatchlockError(
                    _(
                        "Run %(run)s was started meanwhile, without the time and the limits that "
                        "were chosen here. Nothing was changed. Pause it to choose them for the "
                        "rest.",
                        run=run.run_id,
                    )
                )
        elif not self._store.runs.enqueue(
            run.run_id,
            requested_by=user,
            file_name=file_name,
            upload=upload,
            options=_options(run, start),
            start=start.later_start(user),
        ):
            raise BatchlockError(_("A newer run of the same file took its rows over."))
        if start.note:
            self._store.runs.set_note(run.run_id, start.note)
        self._wake()

    def pause(self, run: Run, user: str) -> None:
        """Pause a run until a person resumes it; raises BatchlockError if it has ended."""
        self._end(run, StopReason(code=StopCode.PAUSED, sentence=f"Paused by {user}."))

    def stop(self, run: Run, user: str) -> None:
        """Stop a run; the rest can still be sent later. Raises BatchlockError as `pause` does."""
        self._end(run, StopReason(code=StopCode.STOPPED, sentence=f"Stopped by {user}."))

    def runs_before(self, run_id: str) -> list[Run]:
        """Return the runs that come before this one, the one that is being sent first."""
        order = [*self._at_work(), *self._store.runs.queue(self._org)]
        number = next((number for number, run in enumerate(order) if run.run_id == run_id), 0)
        return order[:number]

    @abstractmethod
    def _wake(self) -> None:
        """Let whoever starts the processes look at the records now."""

    def _is_starting(self, run: Run) -> bool:  # noqa: ARG002  a worker's start is not seen
        """Return whether a process was started for a run that may not have read its record yet."""
        return False

    def _at_work(self) -> list[Run]:
        running = self._store.runs.in_state(self._org, RunState.RUNNING)
        return [run for run in running if run.is_alive]

    def _end(self, run: Run, reason: StopReason) -> None:
        if run.state is RunState.RUNNING or self._is_starting(run):
            self._store.runs.request_stop(run.run_id, reason)
        elif run.state in (RunState.QUEUED, RunState.PAUSED):
            self._end_without_process(run, reason)
        else:
            raise BatchlockError(_("This run has ended already."))
        self._wake()

    def _end_without_process(self, run: Run, reason: StopReason) -> None:
        figures = self._store.figures(run)
        state = state_after(reason, remaining=figures.remaining)
        self._store.runs.end_session(run.run_id, state, reason, figures=figures)
