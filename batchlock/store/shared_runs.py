"""The runs of many orgs as the workers of a server see them: what waits, and what they send.

Every change of a run that is being sent is bound to the lease of its org: a worker whose lease
another one has taken over changes nothing.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from batchlock.core.observer import LimiterSnapshot
from batchlock.core.runs import Run, RunFigures, RunState, state_after
from batchlock.core.stop import KILLED, StopCode, StopReason
from batchlock.store.database import reading, writing
from batchlock.store.journal import Journal
from batchlock.store.leases import Lease, is_free, is_held
from batchlock.store.run_columns import figure_values, state_values, stop_request_of, to_run
from batchlock.store.schema import orgs
from batchlock.store.schema import runs as table

# A run whose workers were killed so often before they had recorded a row is not started again:
# something in it kills them. One that makes progress is started again for ever.
_MAX_STARTS = 20

NOTIFICATIONS = "batchlock"
"""The channel on which persons' requests are announced."""

_CLOSED_MEANWHILE = StopReason(
    code=StopCode.STOPPED, sentence="It was stopped or closed meanwhile, by somebody else."
)

_BEAT = sa.text("""
    UPDATE runs SET
        message = b.message, snapshot = b.snapshot, heartbeat_at = clock_timestamp(),
        counts = b.counts, remaining = b.remaining, settled = b.settled,
        requests = b.requests, credits_used = b.credits_used,
        in_flight_peak = b.in_flight_peak, seconds = b.seconds,
        starts = CASE WHEN b.has_progress THEN 0 ELSE runs.starts END
    FROM json_to_recordset(:beats) AS b(
        id text, org text, holder text, epoch bigint, message text, snapshot json, counts json,
        remaining int, settled int, requests int, credits_used int, in_flight_peak int,
        seconds float, has_progress boolean)
    WHERE runs.id = b.id AND runs.state = 'running' AND EXISTS (
        SELECT 1 FROM orgs
        WHERE orgs.org = b.org AND orgs.epoch = b.epoch AND orgs.leaseholder = b.holder)
    RETURNING runs.id, runs.stop_request, runs.stop_request_sentence
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """How far a run has come, as its worker records it twice a second."""

    run_id: str
    lease: Lease
    message: str
    snapshot: LimiterSnapshot | None
    figures: RunFigures
    has_progress: bool
    """Whether this session has brought a row to its end."""

    def to_json(self) -> dict[str, object]:
        """Return the values of `_BEAT`."""
        values = figure_values(self.figures)
        return {
            "id": self.run_id,
            **asdict(self.lease),
            "message": json.dumps(self.message),
            "snapshot": None if self.snapshot is None else self.snapshot._asdict(),
            **values,
            "has_progress": self.has_progress,
        }


class SharedRuns:
    """The table `runs`, for the workers of a server."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def waiting_orgs(self) -> list[str]:
        """Return the orgs that have something to do, and that no worker holds."""
        query = (
            sa.select(table.c.org)
            .join(orgs, orgs.c.org == table.c.org, isouter=True)
            .where(
                table.c.state.in_([RunState.QUEUED.value, RunState.RUNNING.value]),
                sa.or_(orgs.c.org.is_(None), sa.and_(is_free(), sa.not_(orgs.c.disabled))),
            )
            .group_by(table.c.org)
            .order_by(sa.func.min(table.c.queued_at))
        )
        with reading(self._engine) as connection:
            return list(connection.scalars(query))

    def count_waiting(self) -> int:
        """Return how many runs of all orgs wait in the queue."""
        is_waiting = table.c.state == RunState.QUEUED.value
        query = sa.select(sa.func.count()).select_from(table).where(is_waiting)
        with reading(self._engine) as connection:
            return connection.scalar(query) or 0

    def count_orgs_at_work(self) -> int:
        """Return how many orgs have runs that wait or that are being sent."""
        query = (
            sa.select(sa.func.count(table.c.org.distinct()))
            .join(orgs, orgs.c.org == table.c.org, isouter=True)
            .where(
                table.c.state.in_([RunState.QUEUED.value, RunState.RUNNING.value]),
                sa.func.coalesce(orgs.c.disabled, False).is_(False),
            )
        )
        with reading(self._engine) as connection:
            return connection.scalar(query) or 0

    def next_run(self, org: str) -> Run | None:
        """Return the run of an org that is to be sent next; None when none waits.

        One whose worker was killed comes first. The runs of a disabled org wait until it is allowed
        again.
        """
        disabled = sa.select(orgs.c.org).where(orgs.c.disabled)
        query = (
            table.select()
            .where(
                table.c.org == org,
                table.c.org.not_in(disabled),
                table.c.state.in_([RunState.QUEUED.value, RunState.RUNNING.value]),
            )
            .order_by(table.c.state == RunState.QUEUED.value, table.c.queued_at, table.c.id)
            .limit(1)
        )
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else to_run(row)

    def settle_killed(self, lease: Lease) -> None:
        """Let the runs of an org wait again that a killed worker was sending; see the lease.

        A person's request to end one is carried out, and one that kills its workers is stopped.
        """
        with writing(self._engine) as connection:
            if not is_held(connection, lease):
                return
            is_running = sa.and_(table.c.org == lease.org, table.c.state == RunState.RUNNING.value)
            self._settle(connection, is_running)

    def settle_disabled(self) -> None:
        """Settle the runs of disabled orgs whose worker was killed: no other one takes them."""
        with writing(self._engine) as connection:
            free = sa.select(orgs.c.org).where(orgs.c.disabled, is_free())
            free_orgs = connection.scalars(free.with_for_update(skip_locked=True)).all()
            if free_orgs:
                is_running = table.c.state == RunState.RUNNING.value
                self._settle(connection, sa.and_(table.c.org.in_(free_orgs), is_running))

    def beat(self, beats: Iterable[Beat]) -> dict[str, StopReason]:
        """Record how far runs have come, in one statement; return why some are to end."""
        beats = list(beats)
        if not beats:
            return {}
        values = json.dumps([beat.to_json() for beat in beats])
        with writing(self._engine) as connection:
            rows = {row.id: row for row in connection.execute(_BEAT, {"beats": values})}
        requests = {}
        for beat in beats:
            row = rows.get(beat.run_id)
            if row is None:
                requests[beat.run_id] = _CLOSED_MEANWHILE
            elif (reason := stop_request_of(*_decoded(row))) is not None:
                requests[beat.run_id] = reason
        return requests

    def stop_requests(self, run_ids: Iterable[str]) -> dict[str, StopReason]:
        """Return why runs are to end, of those that a person has asked to end."""
        query = sa.select(table.c.id, table.c.stop_request, table.c.stop_request_sentence).where(
            table.c.id.in_(list(run_ids)), table.c.stop_request.is_not(None)
        )
        with reading(self._engine) as connection:
            requests = {
                row.id: stop_request_of(row.stop_request, row.stop_request_sentence)
                for row in connection.execute(query)
            }
        return {run_id: reason for run_id, reason in requests.items() if reason is not None}

    def end_session(
        self,
        run_id: str,
        lease: Lease,
        reason: StopReason,
        *,
        exit_code: int,
        results: str | None,
        figures: RunFigures,
    ) -> bool:
        """Record how a session ended; return False when the lease was lost, and nothing is."""
        state = state_after(reason, remaining=figures.remaining)
        values = {
            **figure_values(figures),
            "finished_at": datetime.now(UTC),
            "exit_code": exit_code,
            "results": results,
        }
        return self._end(run_id, lease, {**state_values(state, reason), **values})

    def requeue(self, run_id: str, lease: Lease, figures: RunFigures) -> bool:
        """Let a run wait again at its place, since its worker ends in good order.

        Return False when the lease was lost, and nothing is recorded.
        """
        return self._end(run_id, lease, figure_values(figures), waits_again=True)

    def notify(self, text: str) -> None:
        """Let the workers read at once what persons have requested."""
        with writing(self._engine) as connection:
            connection.execute(sa.select(sa.func.pg_notify(NOTIFICATIONS, text)))

    def _settle(self, connection: sa.Connection, condition: sa.ColumnElement[bool]) -> None:
        from batchlock.store.journal.postgres import PostgresDatabase, pooled

        # Locked, so that no request to end them comes in between.
        query = table.select().where(condition).with_for_update()
        for run in map(to_run, connection.execute(query).mappings().all()):
            # The last heartbeat may have counted rows whose outcome was not recorded any more. A
            # run that seemed to have none left would be finished, with rows in doubt.
            figures = Journal(PostgresDatabase(pooled(self._engine), run.run_id)).figures()
            settled_run = replace(run, figures=figures) if figures.rows else run
            values = {**figure_values(settled_run.figures), **_after_kill(settled_run)}
            connection.execute(table.update().where(table.c.id == run.run_id).values(values))

    def _end(
        self, run_id: str, lease: Lease, values: dict[str, object], *, waits_again: bool = False
    ) -> bool:
        with writing(self._engine) as connection:
            if not is_held(connection, lease):
                return False
            is_run = sa.and_(table.c.id == run_id, table.c.state == RunState.RUNNING.value)
            # Locked, so that no request to end it comes in between.
            row = connection.execute(table.select().where(is_run).with_for_update()).mappings()
            for run in map(to_run, row):
                if waits_again:
                    values = {**values, **_waiting_again(run)}
                connection.execute(table.update().where(is_run).values(values))
        return True


def _waiting_again(run: Run) -> dict[str, object]:
    """Return the columns of a run that waits again, or that ends as a person has requested."""
    if run.stop_requested is None:
        return state_values(RunState.QUEUED, None)
    state = state_after(run.stop_requested, remaining=run.figures.remaining)
    return {**state_values(state, run.stop_requested), "finished_at": datetime.now(UTC)}


def _after_kill(run: Run) -> dict[str, object]:
    if run.stop_requested is not None:
        return _waiting_again(run)
    if run.starts + 1 >= _MAX_STARTS:
        return {**state_values(RunState.STOPPED, KILLED), "finished_at": datetime.now(UTC)}
    return {**state_values(RunState.QUEUED, None), "starts": run.starts + 1}


def _decoded(row: sa.Row[Any]) -> tuple[str | None, str | None]:
    """Return the columns of a person's request from a textual query, which knows no types."""
    sentence = row.stop_request_sentence
    return row.stop_request, None if sentence is None else json.loads(sentence)
