"""What the database says about the runs while they are sent, and at the end of a scenario."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg

from benchmarks.fleet.orgs import number_of
from benchmarks.fleet.stand_in import Call, StandIn

_RETRY_SECONDS = 0.25


# Who held which org since when: the table has only the holder of the moment.
_LEASE_LOG = """
CREATE TABLE lease_log (org text, leaseholder text, at timestamptz);
CREATE FUNCTION log_lease() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO lease_log VALUES (NEW.org, NEW.leaseholder, clock_timestamp());
  RETURN NEW;
END $$;
CREATE TRIGGER log_lease AFTER UPDATE ON orgs FOR EACH ROW
WHEN (OLD.epoch <> NEW.epoch OR OLD.leaseholder IS DISTINCT FROM NEW.leaseholder)
EXECUTE FUNCTION log_lease()
"""


@dataclass(frozen=True, slots=True)
class Tenure:
    """That a process holds an org, or nobody does, from a moment on, in POSIX seconds."""

    org: int
    pid: int | None
    since: float


class Watch:
    """Queries of the tables of batchlock; each is repeated while the database is away."""

    def __init__(self, url: str) -> None:
        self._url = url

    def log_leases(self) -> None:
        """Keep every change of a lease from now on, for `tenures`."""
        self.query(_LEASE_LOG)

    def tenures(self) -> list[Tenure]:
        """Return who held which org, in the order of the changes."""
        rows = self.query(
            "SELECT org, leaseholder, extract(epoch FROM at) FROM lease_log ORDER BY at"
        )
        return [
            Tenure(number_of(org), holder and int(holder.split(":")[1]), float(since))
            for org, holder, since in rows
        ]

    def query(self, statement: str, *values: object) -> list[Any]:
        """Return the rows of a query, or of a statement that returns none."""
        while True:
            try:
                with psycopg.connect(self._url, autocommit=True) as connection:
                    cursor = connection.execute(statement.encode(), values or None)
                    return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError:
                time.sleep(_RETRY_SECONDS)

    def open_runs(self) -> int:
        """Return how many runs wait or are being sent."""
        states = "state IN ('queued', 'running')"
        return int(self.query(f"SELECT count(*) FROM runs WHERE {states}")[0][0])

    def settled(self) -> int:
        """Return how many rows have a result."""
        ended = "status NOT IN ('pending', 'sending')"
        return int(self.query(f"SELECT count(*) FROM public.progress WHERE {ended}")[0][0])

    def holders(self) -> dict[int, str]:
        """Return who holds the lease of each org that somebody holds."""
        rows = self.query("SELECT org, leaseholder FROM orgs WHERE leaseholder IS NOT NULL")
        return {number_of(org): holder for org, holder in rows}

    def held_by(self, pid: int) -> set[int]:
        """Return the orgs that the worker with this process id holds."""
        return {org for org, holder in self.holders().items() if holder.split(":")[1] == str(pid)}

    def in_doubt(self, orgs: set[int]) -> int:
        """Return how many rows of some orgs are marked as being sent."""
        rows = self.query(
            "SELECT r.org, count(*) FROM public.progress AS p JOIN runs AS r ON r.id = p.run"
            " WHERE p.status = 'sending' GROUP BY r.org"
        )
        return sum(count for org, count in rows if number_of(org) in orgs)

    def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until a condition holds; return False when it does not within the time."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(_RETRY_SECONDS)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The database of a scenario compared with the record of the stand-in."""

    over_cap: int
    """Calls that Zoho refused because too many were in flight."""
    peak: int
    """The most calls of one org in flight."""
    lost: int
    """Rows of the files that were not updated, whatever their result says."""
    untrue: int
    """Rows whose result is `updated` although their lock does not have the reason."""
    unrecorded: int
    """Rows whose lock has the reason, and whose result says something else."""
    again: int
    """Locks that were updated more than once."""
    states: str
    """The states of the runs with their numbers, when any is not finished."""
    calls: int
    first: float
    last: float

    @property
    def seconds(self) -> float:
        """The time from the first to the last call; infinite without any call."""
        return self.last - self.first if self.calls else math.inf


def compare(watch: Watch, stand_in: StandIn, orgs: int, calls: list[Call]) -> Findings:
    """Compare every row of the database with the lock of its record."""
    updates: dict[int, dict[str, Any]] = {
        number: stand_in.locks(number) for number in range(1, orgs + 1)
    }
    lost = untrue = unrecorded = 0
    rows = watch.query(
        "SELECT u.org, r.module, r.record_id, r.reason, p.status FROM public.progress AS p"
        " JOIN public.rows AS r USING (run, row) JOIN runs AS u ON u.id = p.run"
    )
    for org, module, record_id, reason, status in rows:
        lock = updates[number_of(org)].get(f"{module}/{record_id}", {})
        has_reason, is_updated = lock.get("reason") == reason, status == "updated"
        lost += not has_reason
        untrue += is_updated and not has_reason
        unrecorded += has_reason and not is_updated
    summary = stand_in.orgs()
    states = watch.query("SELECT state, count(*) FROM runs GROUP BY state ORDER BY state")
    not_finished = [f"{count} {state}" for state, count in states if state != "finished"]
    return Findings(
        over_cap=summary["total"]["over_cap"],
        peak=max(org["in_flight_peak"] for org in summary["orgs"]),
        lost=lost,
        untrue=untrue,
        unrecorded=unrecorded,
        again=summary["total"]["locks_updated_again"],
        states=", ".join(not_finished),
        calls=len(calls),
        first=min((call.time for call in calls), default=0.0),
        last=max((call.end or call.time for call in calls), default=0.0),
    )
