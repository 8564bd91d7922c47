"""The runs that `batchlock inbox` has made of the files of a folder.

Such a run has its results in the folder done/ beside its file; that is how it is known.
"""

import json
import os
from pathlib import Path

import sqlalchemy as sa

from batchlock.core.runs import Run, RunInfo, RunState
from batchlock.core.stop import BY_PERSON
from batchlock.store.database import reading
from batchlock.store.run_columns import to_run, values_of
from batchlock.store.run_queries import is_open
from batchlock.store.schema import runs as table

# Titles are compared one by one; a year of nights is enough to find some of the same.
_SEARCHED = 400
_BY_PERSON = [code.value for code in BY_PERSON]


class InboxRuns:
    """Finds the runs of the files of a folder, in the table `runs`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def unfinished(self, org: str, results_folder: Path) -> list[Run]:
        """Return the runs with rows left, oldest first, without those that a person has ended.

        A run that waits in the queue, or that seems to run, is among them: its process may have
        been killed.
        """
        return self._select(
            org,
            results_folder,
            is_open(),
            table.c.state != RunState.PAUSED.value,
            sa.func.coalesce(table.c.stop_code, "").not_in(_BY_PERSON),
        )

    def unfiled(self, org: str, results_folder: Path) -> list[Run]:
        """Return the runs that have ended, and whose file was not moved since then."""
        ended = values_of((RunState.FINISHED, RunState.STOPPED, RunState.REFUSED))
        return self._select(
            org,
            results_folder,
            table.c.state.in_(ended),
            table.c.finished_at.is_not(None),
            table.c.filed.is_distinct_from(table.c.finished_at),
        )

    def ended_by_a_person(self, org: str, sha256: str) -> Run | None:
        """Return the newest run of a content that a person has paused or stopped, with rows left.

        None when there is none.
        """
        by_a_person = sa.or_(
            table.c.state == RunState.PAUSED.value, table.c.stop_code.in_(_BY_PERSON)
        )
        runs = self._runs(
            table.c.org == org, table.c.sha256 == sha256, is_open(), by_a_person, limit=1
        )
        return next(iter(runs), None)

    def rows_of_similar(self, info: RunInfo, *, limit: int) -> list[int]:
        """Return the numbers of rows of the last finished runs of files with the same titles."""
        similar = (
            run
            for run in self._runs(
                table.c.org == info.org,
                table.c.kind == "run",
                table.c.state == RunState.FINISHED.value,
                table.c.id != info.run_id,
                limit=_SEARCHED,
            )
            if run.info.titles == info.titles
        )
        return [run.figures.rows for run, _ in zip(similar, range(limit), strict=False)]

    def _select(
        self, org: str, results_folder: Path, *conditions: sa.ColumnElement[bool]
    ) -> list[Run]:
        # As `AnyText` stores it, without the quotation mark at the end.
        beginning = json.dumps(f"{results_folder}{os.sep}")[:-1]
        stored = sa.type_coerce(table.c.output, sa.Text)
        is_of_folder = stored.startswith(beginning, autoescape=True)
        # A retry or an undo has no file to be moved, and the person who made it resumes it.
        is_of_file = table.c.kind == "run"
        return self._runs(table.c.org == org, is_of_folder, is_of_file, *conditions)[::-1]

    def _runs(self, *conditions: sa.ColumnElement[bool], limit: int | None = None) -> list[Run]:
        query = table.select().where(*conditions).order_by(table.c.id.desc()).limit(limit)
        with reading(self._engine) as connection:
            return [to_run(row) for row in connection.execute(query).mappings()]
