"""The schedules of the orgs, and the firing of each due time by one worker.

claim ─▶ runs, each in a commit that checks the claim ─▶ finish: the next due time

`next_at` is the due time until `finish`. A worker that is killed in between leaves it there, and
its claim runs out, so another worker fires the same due time again. It finds the runs that were
made already by (schedule, due, content). So nothing is lost, and nothing is done twice.

All times are those of the database, so the clocks of the machines do not matter.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from batchlock.core.runs import Run, RunState
from batchlock.core.schedules import Firing, FiringLost, Misfire, StoredSchedule
from batchlock.store.database import reading, writing
from batchlock.store.run_columns import to_run, values_of
from batchlock.store.schema import runs as run_table
from batchlock.store.schema import schedules as table

# A worker renews its claim three times in this time. That of a killed one ends after it.
CLAIM_SECONDS = 20.0
# A page shows it in a cell, and several files may add to it.
_MAX_RESULT_CHARACTERS = 2000

_ENDED = values_of((RunState.FINISHED, RunState.STOPPED, RunState.REFUSED, RunState.SUPERSEDED))
_UNDER_WAY = values_of((RunState.QUEUED, RunState.RUNNING, RunState.PAUSED))


class ScheduleTable:
    """The table `schedules`, and the runs that schedules have made."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def now(self) -> datetime:
        """Return the time of the database, UTC."""
        with reading(self._engine) as connection:
            now = connection.scalar(sa.select(sa.func.clock_timestamp()))
        return now.astimezone(UTC)  # type: ignore[no-any-return, union-attr]

    def add(self, schedule: StoredSchedule) -> None:
        """Add a schedule, whose id is new."""
        values = {
            "id": schedule.schedule_id,
            **{name: getattr(schedule, name) for name in _FIELDS},
            "options": dict(schedule.options),
            "misfire": schedule.misfire.value,
        }
        with writing(self._engine) as connection:
            connection.execute(table.insert().values(values))

    def get(self, schedule_id: str) -> StoredSchedule | None:
        """Return a schedule; None when there is none with this id."""
        return next(iter(self._select(table.c.id == schedule_id)), None)

    def all(self, org: str | None = None) -> list[StoredSchedule]:
        """Return the schedules of an org, or of all, by org and the time of their addition."""
        return self._select(*([] if org is None else [table.c.org == org]))

    def pause(self, schedule_id: str, person: str) -> None:
        """Let a schedule not fire any more. What it fires now goes on to its end."""
        self._update(table.c.id == schedule_id, paused_by=person)

    def resume(self, schedule_id: str) -> None:
        """Let a paused schedule fire again."""
        self._update(table.c.id == schedule_id, paused_by=None)

    def remove(self, schedule_id: str) -> None:
        """Remove a schedule; its runs stay."""
        with writing(self._engine) as connection:
            connection.execute(table.delete().where(table.c.id == schedule_id))

    def claim_due(
        self, now: datetime, holder: str, *, limit: int, except_ids: Collection[str] = ()
    ) -> list[Firing]:
        """Claim schedules that are due and that no worker fires, the longest due ones first.

        `now` is the time of the database.
        """
        is_due = sa.and_(
            table.c.paused_by.is_(None),
            table.c.next_at <= now,
            sa.or_(table.c.claimed_until.is_(None), table.c.claimed_until <= now),
            table.c.id.not_in(list(except_ids)),
        )
        query = table.select().where(is_due).order_by(table.c.next_at).limit(limit)
        firings = []
        with writing(self._engine) as connection:
            # Two workers never wait for each other here: each takes what the other has not.
            for row in connection.execute(query.with_for_update(skip_locked=True)).all():
                claim = row.claim + 1
                values = {"claimed_by": holder, "claim": claim, "claimed_until": _end(now)}
                connection.execute(table.update().where(table.c.id == row.id).values(values))
                firing = Firing(
                    schedule=_schedule(row),
                    due=row.next_at,
                    claim=claim,
                    claimed_at=now,
                    was_begun=row.claimed_by is not None,
                )
                firings.append(firing)
        return firings

    def renew(self, firing: Firing, now: datetime) -> bool:
        """Keep a claim for a while; return False when it was lost."""
        return self._update(is_claimed(firing), claimed_until=_end(now))

    def release(self, firing: Firing) -> None:
        """Let another worker go on with a due time at once; no effect when the claim was lost."""
        self._update(is_claimed(firing), claimed_until=None)

    def finish(self, firing: Firing, result: str, next_at: datetime | None) -> bool:
        """Record what a due time has led to, and the next one; return False for a lost claim."""
        return self._update(
            is_claimed(firing),
            next_at=next_at,
            last_due=firing.due,
            last_result=result[:_MAX_RESULT_CHARACTERS],
            claimed_by=None,
            claimed_until=None,
        )

    def add_result(self, schedule_id: str, due: datetime, text: str) -> None:
        """Add a sentence to what a due time has led to, once.

        No effect when a later due time was fired meanwhile.
        """
        with writing(self._engine) as connection:
            query = table.select().where(table.c.id == schedule_id).with_for_update()
            row = connection.execute(query).one_or_none()
            if row is None or row.last_due != due or text in row.last_result:
                return
            result = f"{row.last_result} {text}".strip()[:_MAX_RESULT_CHARACTERS]
            connection.execute(
                table.update().where(table.c.id == schedule_id).values(last_result=result)
            )

    def runs_of(self, firing: Firing) -> list[Run]:
        """Return the runs that a due time has made so far."""
        return self._runs(
            run_table.c.schedule == firing.schedule.schedule_id, run_table.c.due == firing.due
        )

    def under_way(self, org: str, sha256: str) -> Run | None:
        """Return a run of some content for an org that has not ended; None: there is none.

        One of a schedule whose file was not moved yet counts, too.
        """
        matching_runs = self._runs(
            run_table.c.org == org,
            run_table.c.sha256 == sha256,
            sa.or_(run_table.c.state.in_(_UNDER_WAY), _is_unfiled()),
        )
        return next(iter(matching_runs), None)

    def unfiled_runs(self) -> list[Run]:
        """Return the runs of schedules that have ended, and whose file was not moved since then."""
        return self._runs(_is_unfiled())

    def set_filed(self, run: Run, results: str | None) -> None:
        """Record that the file of a run was moved, and the path of its results.

        No effect when the run was resumed meanwhile.
        """
        is_same = sa.and_(run_table.c.id == run.run_id, run_table.c.finished_at == run.finished_at)
        values = {"filed": run.finished_at, "results": results}
        with writing(self._engine) as connection:
            connection.execute(run_table.update().where(is_same).values(values))

    def _select(self, *conditions: sa.ColumnElement[bool]) -> list[StoredSchedule]:
        order = (table.c.org, table.c.added_at, table.c.id)
        with reading(self._engine) as connection:
            rows = connection.execute(table.select().where(*conditions).order_by(*order)).all()
        return list(map(_schedule, rows))

    def _runs(self, *conditions: sa.ColumnElement[bool]) -> list[Run]:
        query = run_table.select().where(*conditions).order_by(run_table.c.id)
        with reading(self._engine) as connection:
            return [to_run(row) for row in connection.execute(query).mappings()]

    def _update(self, condition: sa.ColumnElement[bool], **values: Any) -> bool:
        with writing(self._engine) as connection:
            return connection.execute(table.update().where(condition).values(values)).rowcount > 0


def is_claimed(firing: Firing) -> sa.ColumnElement[bool]:
    """Return the condition under which a claim still counts."""
    return sa.and_(table.c.id == firing.schedule.schedule_id, table.c.claim == firing.claim)


def _is_unfiled() -> sa.ColumnElement[bool]:
    return sa.and_(
        run_table.c.schedule.is_not(None),
        run_table.c.state.in_(_ENDED),
        run_table.c.finished_at.is_not(None),
        run_table.c.filed.is_distinct_from(run_table.c.finished_at),
    )


def run_of_firing(connection: sa.Connection, firing: Firing, sha256: str) -> Run | None:
    """Return the run that a due time has made of some content; None when it has made none yet.

    Until the end of the transaction no other worker can make one. Raises FiringLost when the claim
    does not count any more.
    """
    is_mine = sa.and_(is_claimed(firing), table.c.next_at == firing.due)
    if connection.scalar(sa.select(table.c.id).where(is_mine).with_for_update()) is None:
        raise FiringLost(f"The claim on the schedule {firing.schedule.schedule_id} was lost.")
    query = run_table.select().where(
        run_table.c.schedule == firing.schedule.schedule_id,
        run_table.c.due == firing.due,
        run_table.c.sha256 == sha256,
    )
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else to_run(row)


_FIELDS: Sequence[str] = (
    *("org", "cron", "time_zone", "source", "next_at", "paused_by", "added_by", "added_at"),
    *("last_due", "last_result"),
)


def _schedule(row: "sa.Row[Any]") -> StoredSchedule:
    return StoredSchedule(
        schedule_id=row.id,
        **{name: getattr(row, name) for name in _FIELDS},
        options=row.options,
        misfire=Misfire(row.misfire),
    )


def _end(now: datetime) -> datetime:
    return now + timedelta(seconds=CLAIM_SECONDS)
