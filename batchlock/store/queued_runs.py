"""The queue of the runs that people have requested: which wait, in which order, and until when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from batchlock.core.runs import RunState
from batchlock.core.stop import StopCode, StopReason
from batchlock.store.database import reading, writing
from batchlock.store.run_columns import state_values, values_of
from batchlock.store.run_queries import RunQueries, is_open, lock_runs, queue_order
from batchlock.store.schema import orgs as org_table
from batchlock.store.schema import runs as table

LATEST_START = timedelta(hours=1)
"""A run that can only start later than this after its time stays paused."""
MISSED_START = StopReason(
    code=StopCode.PAUSED,
    sentence="It was to start by itself, and batchlock was not at work then, or its org was "
    "disabled.",
)


@dataclass(frozen=True, slots=True)
class LaterStart:
    """When a run is put into the queue by itself, and why it waits until then."""

    at: datetime
    reason: StopReason


class QueuedRuns(RunQueries):
    """The table `runs`: the changes that have to do with the queue."""

    def enqueue(
        self,
        run_id: str,
        *,
        requested_by: str = "",
        file_name: str = "",
        upload: str | None = None,
        options: Mapping[str, Any] | None = None,
        start: LaterStart | None = None,
    ) -> bool:
        """Put a run at the end of the queue, now or later, because a person requested it.

        Return False if the run is closed, or if a worker sends it. A run keeps the person who
        requested it first, with the name of the file and the upload. `options` are for the process
        that sends it. With `start`, the run is paused until then.
        """
        values = state_values(RunState.QUEUED, None)
        if start is not None:
            values = state_values(RunState.PAUSED, start.reason) | {"start_at": start.at}
        values |= {"starts": 0, "queued_at": datetime.now(UTC)}
        if options is not None:
            values["options"] = dict(options)
        first = {"requested_by": requested_by, "file_name": file_name, "upload": upload}
        first = {name: value for name, value in first.items() if value}
        with writing(self.engine) as connection:
            is_run = table.c.id == run_id
            update = table.update().where(is_run, is_open())
            if connection.dialect.name == "postgresql":  # a worker settles one that was killed
                update = update.where(table.c.state != RunState.RUNNING.value)
            is_queued = connection.execute(update.values(values)).rowcount > 0
            if first:
                connection.execute(update.where(table.c.requested_by == "").values(first))
        return is_queued

    def due_orgs(self, now: datetime) -> list[str]:
        """Return the orgs of the runs that are due."""
        query = sa.select(table.c.org).where(_is_due(now)).distinct()
        with reading(self.engine) as connection:
            return list(connection.scalars(query))

    def start_due(self, now: datetime, orgs: Sequence[str]) -> list[str]:
        """Put the runs of some orgs that are due into the queue; return their orgs.

        The caller sends the runs of these orgs now. A run that is too late stays paused: a run that
        was to start at night must not surprise people in the morning. A run of a disabled org is
        left out, since it would wait in the queue until somebody enables the org.
        """
        if not orgs:
            return []
        is_due = _is_due(now) & table.c.org.in_(orgs)
        disabled = sa.select(org_table.c.org).where(org_table.c.disabled)
        is_late = table.c.start_at <= now - LATEST_START
        queued = state_values(RunState.QUEUED, None) | {"queued_at": now}
        missed = state_values(RunState.PAUSED, MISSED_START)
        with writing(self.engine) as connection:
            connection.execute(table.update().where(is_due, is_late).values(missed))
            in_time = table.update().where(is_due, table.c.org.not_in(disabled))
            started = connection.scalars(in_time.values(queued).returning(table.c.org)).all()
        return list(dict.fromkeys(started))

    def move_in_queue(self, org: str, run_id: str, *, to_front: bool) -> bool:
        """Move a waiting run one place forward in the queue, or to the front.

        Return False if it does not wait, or is the first already.
        """
        with writing(self.engine) as connection:
            lock_runs(connection, org)
            is_waiting = sa.and_(table.c.org == org, table.c.state == RunState.QUEUED.value)
            waiting = queue_order(self.select(is_waiting, connection=connection))
            ids, times = [run.run_id for run in waiting], [run.queued_at for run in waiting]
            if run_id not in ids[1:]:
                return False
            place = ids.index(run_id)
            ids.insert(0 if to_front else place - 1, ids.pop(place))
            # The same times in another order, so that the places of other orgs stay as they are.
            for waiting_id, time in zip(ids, times, strict=True):
                is_run = sa.and_(table.c.id == waiting_id, is_waiting)
                connection.execute(table.update().where(is_run).values(queued_at=time))
        return True

    def requeue(self, run_id: str, *, starts: int) -> None:
        """Let a run wait again at its place in the queue, because its worker has ended.

        No effect if it was paused or closed meanwhile.
        """
        has_ended = table.c.state.in_(
            values_of((RunState.RUNNING, RunState.STOPPED, RunState.QUEUED))
        )
        self._update(run_id, has_ended, **state_values(RunState.QUEUED, None), starts=starts)

    def set_waiting_reason(self, run_id: str, reason: StopReason) -> None:
        """Record why a run in the queue could not begin; no effect if it is not in the queue.

        A request to end it stays, for the page to carry it out.
        """
        values = {"stop_code": reason.code.value, "stop_sentence": reason.sentence}
        self._update(run_id, table.c.state == RunState.QUEUED.value, **values)

    def end_waiting(
        self, run_id: str, reason: StopReason, state: RunState = RunState.STOPPED
    ) -> None:
        """End a run that cannot or shall not begin; no effect if it is not in the queue."""
        values = state_values(state, reason)
        values |= {"finished_at": datetime.now(UTC), "exit_code": reason.exit_code}
        self._update(run_id, table.c.state == RunState.QUEUED.value, **values)

    def request_stop(self, run_id: str, reason: StopReason) -> None:
        """Ask the process that sends a run to end it; no effect if the run has ended."""
        can_end = table.c.state.in_(values_of((RunState.RUNNING, RunState.QUEUED)))
        values = {"stop_request": reason.code.value, "stop_request_sentence": reason.sentence}
        self._update(run_id, can_end, **values)

    def _update(self, run_id: str, *conditions: sa.ColumnElement[bool], **values: Any) -> None:
        with writing(self.engine) as connection:
            is_run = table.c.id == run_id
            connection.execute(table.update().where(is_run, *conditions).values(values))


def _is_due(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.state == RunState.PAUSED.value, table.c.start_at <= now)
