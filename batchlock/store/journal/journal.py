"""One open journal: the operations that plan, send and report need."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Self

from batchlock.core.corrections import sentences_by_row
from batchlock.core.preview import ModuleRows
from batchlock.core.reading import Note, ResultSample
from batchlock.core.records import FindPlan, Search
from batchlock.core.results import Outcome, Result, ResultRow
from batchlock.core.rows import Cell, Field, PreviousLock, Problem, RecordId, Update
from batchlock.core.runs import RunFigures, RunInfo, Totals
from batchlock.store.journal import finding, planned, progress, results, search
from batchlock.store.journal.database import SqliteDatabase
from batchlock.store.journal.facts import JournalFacts, put
from batchlock.store.journal.known_reasons import KnownReason, Record, known_reasons
from batchlock.store.journal.planned import PlannedModule
from batchlock.store.journal.planning import add_rows
from batchlock.store.journal.results import Group
from batchlock.store.journal.search import RowFilter, Throughput
from batchlock.store.journal.sql import Database, Place, Sql
from batchlock.store.journal.whole_file import check_whole_file


class Journal(JournalFacts):
    """The journal of one run. Two threads must not use it at the same time.

    After `open`, a method that writes returns when the data is on the disk. Every method raises
    BatchlockError when the file is damaged or cannot be used, and Stopped when the disk is full.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        # A row that was released is not claimed again in this session: it was released because
        # the session ends.
        self._last_claimed_row = -1
        # The totals after the last commit of this session that has certainly succeeded.
        self._totals: Totals | None = None

    @classmethod
    def create(cls, path: Path, info: RunInfo) -> Self:
        """Create the journal of a plan, without flushing it to the disk."""
        journal = cls(SqliteDatabase.create(path))
        journal.set_info(info)
        return journal

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the journal of a planned run.

        Raises BatchlockError when the file is missing, damaged or of another version of
        batchlock, or when SQLite's write-ahead log does not work in its folder.
        """
        return cls(SqliteDatabase.open(path))

    def open_other(self, place: Place) -> Self:
        """Open the journal of another run, which is kept where this one is."""
        return type(self)(self.database.open_other(place))

    def create_other(self, place: Place, info: RunInfo) -> Self:
        """Create the journal of another run, which is kept where this one is."""
        journal = type(self)(self.database.create_other(place))
        journal.set_info(info)
        return journal

    def close(self) -> None:
        """Close the file, or give the connection back."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(
        self,
        cells: Iterable[tuple[int, Sequence[Cell]]],
        *,
        updates: Sequence[Update],
        problems: Sequence[Problem],
        finished: Collection[int] = (),
    ) -> None:
        """Add a chunk of rows to the plan.

        `cells` are the row numbers and cells of all rows of the chunk, in the file's order. A
        row without an update is invalid. `finished` are the rows that an earlier run has done.
        """
        with self.database.transaction() as sql:
            add_rows(sql, cells, updates=updates, problems=problems, finished=finished)

    def check_whole_file(self, titles: Mapping[Field, str]) -> Sequence[Note]:
        """Mark rounded ids and conflicts as invalid, and repeated rows as duplicates.

        `titles` are the titles of the columns in the file, for the problems. Returns notes about
        what is not certain enough for a problem.
        """
        with self.database.transaction() as sql:
            return check_whole_file(sql, titles)

    def set_find_plan(self, plan: FindPlan) -> None:
        """Store what a run that finds locked records searches; before it has any row."""
        with self.database.transaction() as sql:
            put(sql, "find", plan.to_json())
            finding.add_searches(sql, plan.searches)

    def commit_page(self, page: Search, record_ids: Sequence[RecordId], *, costs: Totals) -> Search:
        """Record a page of a search: its records, where the search stands and what it has cost.

        All in one commit. Returns the search with the number of its records.
        """
        plan = self.find_plan
        position = [each.module for each in plan.searches].index(page.module)
        with self.database.transaction() as sql:
            added = finding.add_records(sql, page.module, record_ids)
            page = replace(page, records=plan.searches[position].records + added)
            finding.end_search(sql, position, page)
            searches = [*plan.searches]
            searches[position] = page
            put(sql, "find", replace(plan, searches=searches).to_json())
            totals = self._put_totals(sql, costs)
        self._totals = totals
        return page

    def in_doubt(self) -> list[Update]:
        """Return the rows that were being sent when the last session was killed."""
        with self.database.reading() as sql:
            return progress.updates_in_doubt(sql)

    def previous_locks_in_doubt(self) -> list[PreviousLock]:
        """Return the locks that rows in doubt were about to change, as far as they are stored."""
        with self.database.reading() as sql:
            return progress.previous_locks_in_doubt(sql)

    def commit_batch(
        self,
        outcomes: Iterable[Outcome],
        *,
        released: Iterable[int] = (),
        claim: int = 0,
        previous_locks: Iterable[PreviousLock] = (),
        costs: Totals = Totals(),  # noqa: B008  frozen
    ) -> list[Update]:
        """Record outcomes and costs, release rows and claim the next ones, in one commit.

        `released` are claimed rows that were not sent. `previous_locks` are those of claimed rows
        that wait for this commit before they change their locks. At most `claim` rows are claimed;
        they are returned in order, and are fewer only when no more rows are pending.

        When the connection to a server is lost, it is not known whether the commit has succeeded.
        It may be repeated with the same arguments: outcomes and costs count once. Rows that the
        lost commit has claimed are in doubt then (`in_doubt`).
        """
        with self.database.transaction() as sql:
            outcomes = list(outcomes)
            progress.record(sql, outcomes)
            finding.record_locks(sql, outcomes)
            progress.release(sql, released)
            progress.keep_previous(sql, previous_locks)
            totals = self._put_totals(sql, costs)
            claimed = progress.claim(sql, after_row=self._last_claimed_row, limit=claim)
        self._totals = totals
        if claimed:
            self._last_claimed_row = claimed[-1].row
        return claimed

    def snapshot(self) -> AbstractContextManager[None]:
        """Let every read in the block see the same moment, while another process sends."""
        return self.database.snapshot()

    def counts(self) -> dict[Result, int]:
        """Count the rows by result; every result is a key, also those without rows."""
        with self.database.reading() as sql:
            return progress.count_by_result(sql)

    def settled(self) -> int:
        """Count the rows that are as the file asks, with the duplicates of such rows."""
        return self.database.count(progress.SETTLED_ROWS)

    def figures(self) -> RunFigures:
        """Return how far the run has come."""
        return RunFigures(counts=self.counts(), settled=self.settled(), totals=self.totals)

    def remaining(self) -> int:
        """Count the rows that are pending or in doubt."""
        return self.database.count(progress.REMAINING_ROWS)

    def to_unlock(self) -> int:
        """Count the rows that unlock, and that are pending or in doubt."""
        return self.database.count(progress.REMAINING_UNLOCKS)

    def to_unlock_by_module(self) -> list[tuple[str, int]]:
        """Count the rows of `to_unlock` by module, the most frequent module first."""
        with self.database.reading() as sql:
            return planned.unlocks_by_module(sql)

    def to_look_up(self) -> int:
        """Count the pending rows whose lock id Zoho must be asked for."""
        return self.database.count(progress.lookup_rows(self.previous_reason))

    def planned_modules(self) -> list[PlannedModule]:
        """Count the rows that the plan sends by module, the most frequent module first."""
        with self.database.reading() as sql:
            return planned.planned_modules(sql, self.previous_reason)

    def rows_to_send(self, *, with_done: bool = False) -> list[ModuleRows]:
        """Count the rows that are left by module and action; see `planned.rows_to_send`."""
        with self.database.reading() as sql:
            return planned.rows_to_send(sql, with_done=with_done)

    def digest(self, *, with_done: bool = False) -> str:
        """Return a digest of these rows as they are sent; see `planned.digest`."""
        with self.database.reading() as sql:
            return planned.digest(sql, with_done=with_done)

    def samples(self, limit: int) -> list[Update]:
        """Return some rows that the plan sends; those with letters beyond ASCII come first."""
        with self.database.reading() as sql:
            return planned.samples(sql, limit)

    def updates(self, rows: Sequence[int]) -> dict[int, Update]:
        """Return what some rows ask for, by row number; a row with a problem asks for nothing."""
        with self.database.reading() as sql:
            return {update.row: update for update in planned.updates(sql, rows)}

    def has_results(self, samples: Sequence[ResultSample]) -> bool:
        """Return whether a results file with some rows has the results of this run."""
        with self.database.reading() as sql:
            return results.has_results(sql, samples)

    def known_reasons(self, records: Collection[Record]) -> dict[Record, KnownReason]:
        """Return what the run has learnt about the locks of some records."""
        with self.database.reading() as sql:
            return known_reasons(sql, records)

    def call_seconds(self) -> tuple[int, float]:
        """Return how many rows were changed by one call each, and the mean seconds of a call."""
        with self.database.reading() as sql:
            count, seconds = sql.execute(
                "SELECT count(*), avg(duration) FROM progress WHERE attempts = 1"
                " AND status IN ('updated', 'locked', 'unlocked')"
            ).fetchone()
        return int(count), float(seconds or 0)

    def planned_records(self) -> list[tuple[str, RecordId]]:
        """Return module and record id of the rows that the plan sends, in the file's order."""
        with self.database.reading() as sql:
            return planned.planned_records(sql)

    def to_retry(self, *, refused: bool = True, except_remedies: Collection[str] = ()) -> int:
        """Count the rows of a retry; without `refused`, without those that Zoho refused.

        With `except_remedies`, without the refused rows that have one of these remedies.
        """
        rows = progress.rows_to_retry(refused=refused, except_remedies=except_remedies)
        return self.database.count(rows)

    def problems(self, rows: Sequence[int] | None = None) -> Iterator[Problem]:
        """Yield the problems of all rows, or of some rows, in the order of the rows."""
        with self.database.reading() as sql:
            yield from results.problems(sql, rows)

    def examples(self, code: str, limit: int) -> list[tuple[Problem, tuple[Cell, ...]]]:
        """Return some problems of a code, each with the cells of its row."""
        with self.database.reading() as sql:
            return results.examples(sql, code, limit)

    def result_rows(self, *, closed_because: str = "") -> Iterator[ResultRow]:
        """Yield one result row for each row, in the file's order.

        `closed_because` says why the run cannot be resumed; it is empty while the run can be.
        """
        corrections = sentences_by_row(self.reading.corrections)
        with self.database.reading() as sql:
            yield from results.result_rows(
                sql, closed_because=closed_because, corrections=corrections
            )

    def groups(self, *, closed_because: str = "") -> Iterator[Group]:
        """Yield the rows that were not done, and the duplicates, grouped by cause.

        The largest group of each result comes first. `closed_because` as in `result_rows`.
        """
        with self.database.reading() as sql:
            yield from results.groups(sql, closed_because=closed_because)

    def rows(self, numbers: Sequence[int]) -> list[ResultRow]:
        """Return some result rows by their numbers, in the file's order."""
        with self.database.reading() as sql:
            return list(results.result_rows(sql, numbers))

    def count_rows(self, row_filter: RowFilter) -> int:
        """Count the rows that match a filter."""
        with self.database.reading() as sql:
            return search.count_rows(sql, row_filter)

    def page(
        self, row_filter: RowFilter, *, offset: int, limit: int, closed_because: str = ""
    ) -> list[ResultRow]:
        """Return some of the result rows that match a filter, in the file's order."""
        corrections = sentences_by_row(self.reading.corrections)
        with self.database.reading() as sql:
            rows = search.row_numbers(sql, row_filter, offset=offset, limit=limit)
            return list(
                results.result_rows(
                    sql, rows, closed_because=closed_because, corrections=corrections
                )
            )

    def throughput(self, spans: int) -> Throughput | None:
        """Return how many rows finished in each of `spans` equal spans of time.

        Returns None while no row has finished.
        """
        with self.database.reading() as sql:
            return search.throughput(sql, spans)

    def _put_totals(self, sql: Sql, costs: Totals) -> Totals:
        """Add costs to the totals, which a repeated commit sets to the same value again."""
        before = self._totals if sql.dialect.repeats_commits else None
        totals = (before or self.totals) + costs
        put(sql, "totals", asdict(totals))
        return totals
