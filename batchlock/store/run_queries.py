"""The queries that find the records of runs."""

from collections.abc import Sequence
from contextlib import nullcontext

import sqlalchemy as sa

from batchlock.core.errors import UsageError
from batchlock.core.runs import CLOSED, Run, RunInfo, RunState
from batchlock.store.database import reading
from batchlock.store.run_columns import to_run, values_of
from batchlock.store.schema import orgs
from batchlock.store.schema import runs as table

# More ids than these show nothing more about an ambiguous beginning of an id.
_LISTED_MATCHES = 5
# Keeps the advisory locks of orgs apart from those of other programs. Arbitrary.
_RUNS_LOCK = 7_233


class RunQueries:
    """Finds runs. Ids sort by time, so the newest run is the one with the largest id."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def get(self, run_id: str) -> Run | None:
        """Return a run; None when there is none with this id."""
        return next(iter(self.select(table.c.id == run_id)), None)

    def find(self, orgs: Sequence[str], beginning: str) -> Run:
        """Return the one run of some orgs whose id begins with `beginning`, or is it.

        Raises UsageError, which names the first org, when there is none, or several.
        """
        # An empty text comes from an empty argument, and not from a choice.
        matches = (
            self.select(table.c.org.in_(orgs), table.c.id.startswith(beginning, autoescape=True))
            if beginning
            else []
        )
        exact = [run for run in matches if run.run_id == beginning]
        if len(exact or matches) == 1:
            return (exact or matches)[0]
        if matches:
            ids = ", ".join(run.run_id for run in matches[:_LISTED_MATCHES])
            raise UsageError(f"Several runs begin with {beginning}: {ids}. Name one in full.")
        if (other := self.get(beginning)) is not None:
            raise UsageError(
                f"Run {beginning} belongs to the org {other.info.org}, not to {orgs[0]}. Name its "
                "org with --org, or its configuration with --config."
            )
        raise UsageError(
            f'No run of the org {orgs[0]} has an id that begins with "{beginning}". `batchlock '
            "runs` lists the ids; the beginning of one is enough."
        )

    def all(self) -> list[Run]:
        """Return the runs of all orgs, newest first."""
        return self.select()

    def of_orgs(self, orgs: Sequence[str]) -> list[Run]:
        """Return the runs of some orgs in the order of `orgs`, newest first each."""
        runs = self.select(table.c.org.in_(orgs))
        return sorted(runs, key=lambda run: orgs.index(run.info.org))  # a stable sort

    def all_unfinished(self, org: str, identity: str | None = None) -> list[Run]:
        """Return the runs that can be resumed, newest first; with `identity`, only those of it."""
        conditions = [table.c.org == org, is_open()]
        if identity is not None:
            conditions.append(table.c.identity == identity)
        return self.select(*conditions)

    def same_content(self, info: RunInfo) -> list[Run]:
        """Return the other runs of the same content for the same org, newest first.

        They read the same sheet of the same bytes, in whatever way. They are the same thing, which
        is resumed, when they have the same identity too.
        """
        return self.select(*same_content(info))

    def family(self, run: Run) -> list[Run]:
        """Return a run and all runs that belong to it, oldest first."""
        return self.select(table.c.parent == run.parent)[::-1]

    def lineage(self, run: Run) -> list[Run]:
        """Return the runs that hold the remaining rows of a run, newest first.

        The first is the newest retry of the run, or the run itself. If that retry left out the
        refused rows, the run before it follows, because these rows still belong to that run;
        and so on.
        """
        family = self.family(run)
        by_id = {each.run_id: each for each in family}
        newest = run
        # By their links, since ids are out of order after the clock was put back.
        while retries := [each for each in family if each.info.retry_of == newest.run_id]:
            newest = next((each for each in retries if not each.is_closed), retries[-1])
        chain = [newest]
        while (info := chain[-1].info).excludes_refused and info.retry_of in by_id:
            chain.append(by_id[info.retry_of])
        return chain

    def in_state(self, org: str, *states: RunState) -> list[Run]:
        """Return the runs of an org in any of these states, newest first."""
        return self.select(table.c.org == org, table.c.state.in_(values_of(states)))

    def queue(self, org: str) -> list[Run]:
        """Return the runs that wait for their turn, in the order of the queue."""
        return queue_order(self.in_state(org, RunState.QUEUED))

    def select(
        self, *conditions: sa.ColumnElement[bool], connection: sa.Connection | None = None
    ) -> list[Run]:
        """Return runs, newest first; with a `connection`, as its transaction sees them."""
        query = table.select().where(*conditions).order_by(table.c.id.desc())
        with nullcontext(connection) if connection else reading(self.engine) as used:
            return [to_run(row) for row in used.execute(query).mappings()]


def queue_order(runs: Sequence[Run]) -> list[Run]:
    """Return runs that wait in the order of the queue."""
    return sorted(runs, key=lambda run: (run.queued_at or run.info.started_at, run.run_id))


def lock_runs(connection: sa.Connection, org: str) -> None:
    """Let no other process add or start a run of an org before the transaction ends.

    With SQLite, each transaction that writes has the whole database for itself.
    """
    if connection.dialect.name == "postgresql":
        number = sa.func.hashtextextended(org, _RUNS_LOCK)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))


def is_leased(connection: sa.Connection, org: str) -> bool:
    """Return whether a worker may be sending a run of an org; False on one machine."""
    if connection.dialect.name != "postgresql":
        return False
    query = sa.select(orgs.c.org).where(
        orgs.c.org == org,
        orgs.c.leaseholder.is_not(None),
        orgs.c.lease_until >= sa.func.clock_timestamp(),
    )
    return connection.scalar(query) is not None


def is_open() -> sa.ColumnElement[bool]:
    """Return the condition of runs that can be resumed."""
    return table.c.state.not_in(values_of(CLOSED))


def same_content(info: RunInfo) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of the other runs of the same content for the same org."""
    return [
        table.c.org == info.org,
        table.c.sha256 == info.sha256,
        table.c.environment == info.environment,
        table.c.api_url == info.api_url,
        table.c.sheet.is_not_distinct_from(info.sheet),
        table.c.id != info.run_id,
    ]
