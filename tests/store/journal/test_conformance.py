"""The same operations on a journal in a file and on one in PostgreSQL have the same results."""

import itertools
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.examples import examples
from support.journals import Home, make_update
from support.run_info import run_info

from batchlock.core.results import Outcome, Result, Status
from batchlock.core.rows import Action, LockId, PreviousLock, Problem, RecordId, Update
from batchlock.core.runs import RunInfo, Totals
from batchlock.store.journal import Journal, RowFilter, undo_forecast
from batchlock.store.journal_tables import JournalTables
from batchlock.store.journals import JournalFiles
from batchlock.store.postgres import open_postgres

START = datetime(2026, 3, 14, 2, 3, 4, tzinfo=UTC)
LOCKS = ("1" * 17, "2" * 17)
# Letters of which each sorts or compares in another way somewhere.
TEXTS = ("", "b", "B", "ä", 'a "word"', "100%_", "x" * 40)
ENDINGS = (
    Status.UPDATED,
    Status.LOCKED,
    Status.UNLOCKED,
    Status.UNCHANGED,
    Status.REJECTED,
    Status.FAILED,
)
ROWS = st.lists(
    st.tuples(
        st.integers(0, 7),
        st.sampled_from([None, *LOCKS]),
        st.sampled_from(TEXTS),
        st.sampled_from(["Leads", "Deals", ""]),
        st.sampled_from([Action.UPDATE, Action.LOCK, Action.UNLOCK]),
    ),
    min_size=1,
    max_size=12,
)
run_numbers = itertools.count()


def next_info(kind: str = "run", **fields: Any) -> RunInfo:
    return run_info(run_id=f"20260314-{next(run_numbers):06}-1f3a", kind=kind, **fields)


def everything(journal: Journal) -> list[object]:
    """Return what a journal says, by every question."""
    filters = [
        RowFilter(),
        RowFilter(results=frozenset({Result.UPDATED, Result.INVALID}), text="b"),
        RowFilter(text="3"),
        RowFilter(text="%_"),
    ]
    return [
        list(journal.result_rows(closed_because="It has ended.")),
        [
            (group.result, group.code, group.message, group.remedy, group.count, list(group.rows))
            for group in journal.groups()
        ],
        list(journal.problems()),
        list(journal.problems([2, 4])),
        list(journal.problems([])),
        journal.examples("bad_id", 2),
        journal.figures(),
        journal.remaining(),
        journal.to_unlock_by_module(),
        [journal.to_look_up(), journal.to_retry(), journal.to_retry(refused=False)],
        journal.planned_modules(),
        journal.planned_records(),
        journal.samples(2),
        journal.throughput(3),
        [journal.page(each, offset=1, limit=3) for each in filters],
        [journal.count_rows(each) for each in filters],
        journal.in_doubt(),
        journal.previous_locks_in_doubt(),
        [journal.info.action, journal.reading, journal.is_compared],
        undo_forecast(journal),
    ]


class Homes(RuleBasedStateMachine):
    """One run after the other, each in both homes."""

    homes: tuple[Home, Home]

    def __init__(self) -> None:
        super().__init__()
        self.infos: list[RunInfo] = []
        self.claimed: list[Update] = []
        self.seconds = itertools.count(1)

    @initialize(rows=ROWS, finished=st.integers(0, 14))
    def plan(self, rows: list[tuple[Any, ...]], finished: int) -> None:
        """Plan a file, in which rows without a module are invalid."""
        self.updates, self.problems = list[Update](), list[Problem]()
        for row, (record, lock, reason, module, action) in enumerate(rows, 2):
            record_id = RecordId(f"5843104000000000{record:03}")
            if module:
                self.updates.append(make_update(row, record_id, lock, reason, module, action))
            else:
                self.problems.append(Problem(row, "Why", "bad_id", reason))
        self.finished = [finished]
        self.start()

    @rule()
    def start(self) -> None:
        """Make a run of the file that is compared with the earlier ones."""
        earlier = self.infos[::-1]
        info = next_info()
        for home in self.homes:
            home.plan(self.updates, info, problems=self.problems, finished=self.finished)
            with home.open(info) as journal:
                home.journals.leave_done_rows(journal, earlier)
        self.open(info)

    @rule(
        ends=st.lists(st.sampled_from(ENDINGS), max_size=4),
        text=st.sampled_from(TEXTS),
        back=st.integers(0, 2),
        kept=st.booleans(),
        claim=st.integers(0, 5),
    )
    def commit(self, ends: list[Status], text: str, back: int, *, kept: bool, claim: int) -> None:
        """Record outcomes, release rows and claim others."""
        ended, self.claimed = self.claimed[: len(ends)], self.claimed[len(ends) :]
        released, self.claimed = self.claimed[:back], self.claimed[back:]
        outcomes = [
            Outcome(
                row=update.row,
                status=status,
                http_status=200,
                code=text[:1],
                message=text,
                attempts=2,
                finished_at=START + timedelta(seconds=next(self.seconds)),
                duration=0.25,
                previous_reason=text if kept else None,
                lock_id=LockId(LOCKS[0]) if kept else None,
            )
            for update, status in zip(ended, ends, strict=False)
        ]
        locks = [PreviousLock(update.row, LockId(LOCKS[1]), text) for update in self.claimed[:1]]
        file, tables = [
            journal.commit_batch(
                outcomes,
                released=[update.row for update in released],
                claim=claim,
                previous_locks=locks,
                costs=Totals(requests=len(outcomes), in_flight_peak=back, seconds=0.5),
            )
            for journal in self.journals
        ]
        assert file == tables
        self.claimed += tables
        # As after a lost answer.
        self.journals[1].commit_batch(outcomes, previous_locks=locks)

    @rule()
    def kill(self) -> None:
        """End the session, and begin the next one."""
        self.open(self.infos[-1])
        in_doubt = self.journals[1].in_doubt()
        assert in_doubt == sorted(self.claimed, key=lambda update: update.row)
        self.claimed = in_doubt

    @precondition(lambda self: self.journals[0].to_retry())
    @rule(refused=st.booleans())
    def retry(self, *, refused: bool) -> None:
        """Make a run of the rows that are not as the file asks."""
        info = next_info("retry")
        earlier = self.infos[-2:-1]
        for home, journal in zip(self.homes, self.journals, strict=True):
            home.journals.add_unsettled_rows(journal, info, refused=refused, earlier=earlier)
        self.open(info)

    @rule()
    def undo(self) -> None:
        """Make a run that puts back what the last one has changed."""
        info = next_info("undo", undo_of=self.infos[-1].run_id)
        rows = [
            home.journals.add_undone_rows(journal, info)
            for home, journal in zip(self.homes, self.journals, strict=True)
        ]
        assert rows[0] == rows[1]
        if rows[0]:
            self.open(info)

    @invariant()
    def both_say_the_same(self) -> None:
        """Compare all that the two journals say."""
        said = []
        for journal in self.journals:
            with journal.snapshot():
                said.append(everything(journal))
        assert said[0] == said[1]

    def open(self, info: RunInfo) -> None:
        self.teardown()
        if info not in self.infos:
            self.infos.append(info)
        self.journals = [home.open(info) for home in self.homes]
        self.claimed = self.journals[0].in_doubt()

    def teardown(self) -> None:
        for journal in getattr(self, "journals", ()):
            journal.close()


@pytest.fixture
def homes(database_url: str) -> Iterator[tuple[Home, Home]]:
    """Return a home of journals in files, and one in PostgreSQL."""
    engine = open_postgres(database_url)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = JournalFiles(folder / "runs")
        files.prepare(run_info().org)
        yield Home(files, folder), Home(JournalTables(engine), folder)
    engine.dispose()


def test_both_homes_do_the_same(homes: tuple[Home, Home]) -> None:
    class OfThisTest(Homes):
        pass

    OfThisTest.homes = homes
    run_state_machine_as_test(
        OfThisTest, settings=settings(max_examples=examples(24), stateful_step_count=8)
    )
