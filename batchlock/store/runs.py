"""The runs of all orgs: one record each, and how it changes."""

import os
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from batchlock.core.errors import AlreadyRunning, LeaseLost
from batchlock.core.observer import LimiterSnapshot
from batchlock.core.runs import Run, RunFigures, RunInfo, RunState
from batchlock.core.schedules import Firing
from batchlock.core.stop import COMPLETED, StopCode, StopReason
from batchlock.store import approvals
from batchlock.store.database import writing
from batchlock.store.leases import Lease, is_held
from batchlock.store.queued_runs import QueuedRuns
from batchlock.store.run_columns import (
    figure_values,
    state_values,
    stop_request_of,
    to_columns,
    values_of,
)
from batchlock.store.run_queries import (
    is_leased,
    is_open,
    lock_runs,
    same_content,
)
from batchlock.store.schedules import run_of_firing
from batchlock.store.schema import runs as table


class RunTable(QueuedRuns):
    """The table `runs`: its queries, and every change of a record."""

    def add(
        self, run: Run, *, superseded: StopReason | None = None, firing: Firing | None = None
    ) -> Run:
        """Add a run, and return it, or the run to use instead.

        With `superseded`, the runs whose place it takes end for this reason. A retry takes the
        place of the run that it retries, an undo that of the run that it undoes, another run that
        of its family and of the runs of the same content. Both happen in one commit: a resumed
        older run would overwrite in Zoho what the new run has written. An older run without rows
        left was killed before it had its results: it is finished then. When the same run has an
        unfinished retry already, that retry is returned, and nothing is added. The same goes for a
        run that the due time of `firing` has made of the same content before.

        Raises AlreadyRunning when one of the older runs is being sent, and FiringLost.
        """
        with writing(self.engine) as connection:
            lock_runs(connection, run.info.org)
            if firing is not None:
                existing_run = run_of_firing(connection, firing, run.info.sha256)
                if existing_run is not None:
                    return existing_run
            if superseded is not None:
                if (retry := self._open_retry(run.info, connection)) is not None:
                    return retry
                self._supersede_older(run, superseded, connection)
            connection.execute(table.insert().values(to_columns(run)))
        return run

    def _open_retry(self, info: RunInfo, connection: sa.Connection) -> Run | None:
        if info.retry_of is None:
            return None
        retries = self.select(table.c.retry_of == info.retry_of, is_open(), connection=connection)
        return next(iter(retries), None)

    def _supersede_older(self, run: Run, reason: StopReason, connection: sa.Connection) -> None:
        info = run.info
        if info.retry_of is not None:
            older = table.c.id == info.retry_of
        elif info.undo_of is not None:
            older = table.c.id == info.undo_of
        else:
            older = sa.or_(sa.and_(*same_content(info)), table.c.parent == run.parent)
        is_held = is_leased(connection, info.org)
        for each in self.select(older, is_open(), connection=connection):
            # The clocks of machines may differ, and a lease ends by that of the database.
            if each.is_alive or (is_held and each.state is RunState.RUNNING):
                raise AlreadyRunning(
                    f"Run {each.run_id} of the same file is being sent. Wait for its end, or stop "
                    "it first."
                )
        # Retention removes a closed run by the time of its end.
        ended = {"finished_at": datetime.now(UTC)}
        update = table.update().where(older, is_open())
        connection.execute(
            update.where(table.c.remaining > 0).values(
                state_values(RunState.SUPERSEDED, reason) | ended
            )
        )
        connection.execute(update.values(state_values(RunState.FINISHED, COMPLETED) | ended))

    def set_output(self, run_id: str, output: str | None) -> None:
        """Set the requested path of the results."""
        self._update(run_id, output=output)

    def start_session(self, run: Run, lease: Lease | None = None) -> bool:
        """Record that this process sends a run now, with a worker under the lease of its org.

        Return False if the run is closed, or if it waited in the queue when it was read, and a
        person has paused or stopped it since then. A request to end it stays: a person may have
        made it while the process was starting. Raises LeaseLost, and changes nothing, when another
        process has taken the lease over.
        """
        is_queued = table.c.state == RunState.QUEUED.value
        can_start = is_queued if run.state is RunState.QUEUED else is_open()
        with writing(self.engine) as connection:
            lock_runs(connection, run.info.org)
            if lease is not None and not is_held(connection, lease):
                raise LeaseLost(f"The lease of {lease.org} was lost.")
            updated = connection.execute(
                table.update()
                .where(table.c.id == run.run_id, can_start)
                .values(
                    state=RunState.RUNNING.value,
                    # The queue starts a killed run again only if it was started from the queue.
                    queued_at=sa.case((is_queued, table.c.queued_at), else_=None),
                    stop_code=None,
                    stop_sentence=None,
                    # A session that is killed must not show the end of an older one.
                    exit_code=None,
                    finished_at=None,
                    results=None,
                    process=os.getpid(),
                    start_at=None,
                    heartbeat_at=datetime.now(UTC),
                    message="",
                    snapshot=None,
                    stop_request=sa.case((is_queued, table.c.stop_request), else_=None),
                    stop_request_sentence=sa.case(
                        (is_queued, table.c.stop_request_sentence), else_=None
                    ),
                )
            )
        return updated.rowcount > 0

    def beat(
        self, run_id: str, *, message: str, snapshot: LimiterSnapshot | None, figures: RunFigures
    ) -> StopReason | None:
        """Record the progress of a run that is being sent; return why it is to end.

        A process that was suspended, with the whole machine for example, has no heartbeat, so that
        others take it for dead. If they have only put the run back into the queue, it is running
        again. If they have paused, stopped or superseded it, that is why it is to end.
        """
        runs_again = sa.or_(
            table.c.state.in_(values_of((RunState.RUNNING, RunState.QUEUED))),
            table.c.stop_code == StopCode.KILLED.value,
        )
        with writing(self.engine) as connection:
            row = connection.execute(
                table.update()
                .where(table.c.id == run_id)
                .values(
                    state=sa.case((runs_again, RunState.RUNNING.value), else_=table.c.state),
                    stop_code=sa.case((runs_again, sa.null()), else_=table.c.stop_code),
                    stop_sentence=sa.case((runs_again, sa.null()), else_=table.c.stop_sentence),
                    message=message,
                    snapshot=None if snapshot is None else snapshot._asdict(),
                    heartbeat_at=datetime.now(UTC),
                    **figure_values(figures),
                )
                .returning(
                    sa.func.coalesce(table.c.stop_request, table.c.stop_code),
                    sa.func.coalesce(table.c.stop_request_sentence, table.c.stop_sentence),
                )
            ).one_or_none()
        return None if row is None else stop_request_of(*row)

    def end_session(
        self,
        run_id: str,
        state: RunState,
        reason: StopReason,
        *,
        exit_code: int | None = None,
        results: str | None = None,
        figures: RunFigures | None = None,
    ) -> None:
        """Record how a session ended; what is None stays as it is.

        A run that was superseded meanwhile keeps its state: a newer run has its rows.
        """
        values: dict[str, Any] = {"finished_at": datetime.now(UTC)}
        if exit_code is not None:
            values["exit_code"] = exit_code
        if results is not None:
            values["results"] = results
        if figures is not None:
            values |= figure_values(figures)
        with writing(self.engine) as connection:
            update = table.update().where(table.c.id == run_id)
            connection.execute(update.where(is_open()).values(state_values(state, reason)))
            connection.execute(update.values(values))

    def set_results(self, run_id: str, path: str) -> None:
        """Set the path of the results, which another process than the sending one has written."""
        self._update(run_id, results=path)

    def set_note(self, run_id: str, note: str) -> None:
        """Set what people call a run."""
        self._update(run_id, note=note)

    def remove(self, run_id: str) -> None:
        """Remove a run with the request about it that waits; the caller removes its journal."""
        with writing(self.engine) as connection:
            connection.execute(table.delete().where(table.c.id == run_id))
            approvals.remove_run(connection, run_id)
