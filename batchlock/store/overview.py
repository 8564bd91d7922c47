"""The state of many orgs at a time, with one query for each table."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from batchlock.core.runs import ACTIVE, Run, RunState
from batchlock.store.database import reading
from batchlock.store.run_columns import to_run, values_of
from batchlock.store.schema import orgs as org_table
from batchlock.store.schema import runs as run_table
from batchlock.store.schema import schedules as schedule_table

_AT_WORK = values_of((RunState.QUEUED, RunState.RUNNING))
_ACTIVE = values_of(ACTIVE)
# Not those that a newer run has superseded: that one says how it went on.
_ENDED = values_of((RunState.FINISHED, RunState.STOPPED, RunState.REFUSED))


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgState:
    """What the table `orgs` says about an org."""

    is_disabled: bool = False
    credits_left: int | None = None
    """As Zoho last reported them; None before it reported any."""
    credits_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgRuns:
    """The runs of an org that say how it stands."""

    active: Sequence[Run] = ()
    """Those that are being sent, wait or are paused; the oldest first."""
    last: Run | None = None
    """The newest run that has ended."""
    last_schedule: str | None = None
    """The id of the schedule that started it; None when a person did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleState:
    """A schedule of an org, and when it is due next."""

    id: str
    org: str
    cron: str
    time_zone: str
    source: str
    next_at: datetime | None
    paused_by: str | None
    """None: it is not paused."""
    last_result: str
    """What its last due time led to, in a sentence; empty before the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgWork:
    """Which runs of an org are in the queue or being sent."""

    has_waiting: bool
    has_urgent: bool
    """Whether one is being sent, or is to end although it waits."""


class Overview:
    """Queries about many orgs."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def orgs_at_work(self) -> Mapping[str, OrgWork]:
        """Return the orgs of the runs that wait or are being sent.

        The order is that of the oldest request among the runs that wait; orgs without one come
        last.
        """
        is_waiting = run_table.c.state == RunState.QUEUED.value
        oldest = sa.func.min(sa.case((is_waiting, run_table.c.queued_at)))
        is_urgent = sa.or_(sa.not_(is_waiting), run_table.c.stop_request.is_not(None))
        query = (
            sa.select(
                run_table.c.org,
                oldest.is_not(None).label("waits"),
                sa.func.max(sa.case((is_urgent, 1), else_=0)).label("urgent"),
            )
            .where(run_table.c.state.in_(_AT_WORK))
            .group_by(run_table.c.org)
            .order_by(oldest.is_(None), oldest, run_table.c.org)
        )
        with reading(self._engine) as connection:
            return {
                row.org: OrgWork(has_waiting=bool(row.waits), has_urgent=bool(row.urgent))
                for row in connection.execute(query)
            }

    def count_runs(self, states: Collection[RunState]) -> Mapping[RunState, int]:
        """Return how many runs of all orgs are in each of some states."""
        column = run_table.c.state
        query = (
            sa.select(column, sa.func.count().label("number"))
            .where(column.in_(values_of(states)))
            .group_by(column)
        )
        with reading(self._engine) as connection:
            counts = {row.state: row.number for row in connection.execute(query)}
        return {state: counts.get(state.value, 0) for state in states}

    def orgs(self) -> Mapping[str, OrgState]:
        """Return the state of each org that the table has, by name."""
        columns = org_table.c
        query = sa.select(columns.org, columns.disabled, columns.credits_left, columns.credits_at)
        with reading(self._engine) as connection:
            return {
                row.org: OrgState(
                    is_disabled=row.disabled,
                    credits_left=row.credits_left,
                    credits_at=row.credits_at,
                )
                for row in connection.execute(query)
            }

    def runs(self, orgs: Sequence[str]) -> Mapping[str, OrgRuns]:
        """Return the active runs and the last ended one of each of some orgs, by name.

        Orgs without any are missing.
        """
        requested_orgs = (
            sa.values(sa.column("org", sa.Text)).data([(org,) for org in orgs]).cte("wanted")
        )
        # Another name, since a subquery of the same table would be bound to each row around it.
        inner = run_table.alias()
        is_of_org = inner.c.org == requested_orgs.c.org
        # An id sorts by the time of the start. For each org the index gives its newest runs first,
        # and a maximum over groups would read all runs of all orgs.
        last_id = (
            sa.select(inner.c.id)
            .where(is_of_org, inner.c.state.in_(_ENDED))
            .order_by(inner.c.id.desc())
            .limit(1)
            .correlate(requested_orgs)
            .scalar_subquery()
        )
        active_ids = sa.select(inner.c.id).where(is_of_org, inner.c.state.in_(_ACTIVE))
        ids = sa.union_all(active_ids, sa.select(last_id).select_from(requested_orgs))
        query = run_table.select().where(run_table.c.id.in_(ids)).order_by(run_table.c.id)
        active: dict[str, list[Run]] = {}
        last: dict[str, tuple[Run, str | None]] = {}
        with reading(self._engine) as connection:
            for row in connection.execute(query).mappings():
                run = to_run(row)
                if run.state in ACTIVE:
                    active.setdefault(run.info.org, []).append(run)
                else:
                    last[run.info.org] = (run, row["schedule"])
        return {
            org: OrgRuns(
                active=active.get(org, ()),
                last=last.get(org, (None, None))[0],
                last_schedule=last.get(org, (None, None))[1],
            )
            for org in active.keys() | last.keys()
        }

    def schedules(self) -> list[ScheduleState]:
        """Return all schedules, those that are due next first."""
        names = list(ScheduleState.__dataclass_fields__)
        query = sa.select(*(schedule_table.c[name] for name in names)).order_by(
            schedule_table.c.next_at.is_(None), schedule_table.c.next_at, schedule_table.c.org
        )
        with reading(self._engine) as connection:
            return [ScheduleState(**row) for row in connection.execute(query).mappings()]
