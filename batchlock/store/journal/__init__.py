"""The journal of a run: one SQLite file with its rows, their outcomes and what is still to do.

The final form of a row never changes after the plan, but its status does. So they are in two
tables, and recording an outcome rewrites a short line only.

    run       name, value                     facts of the plan (JSON): `about` is RunInfo,
                                              `totals` is Totals,
                                              `reading` is FileReading, `finished_before` a time,
                                              `earlier` whether earlier runs were considered,
                                              `find` is FindPlan, `previous_reason` a setting
    rows      row, module, record_id, lock_id, reason, action, expected, cells
                                              the final form of a row (null when it has none)
                                              and its cells as they were in the file (JSON);
                                              expected is the lock that an undo must find (JSON)
    progress  row, status, same_as, http_status, code, message, remedy, attempts, finished_at,
              duration, previous_reason, changed_lock_id
                                              the status of a row, and its outcome once it has
                                              one; same_as is the row that a duplicate repeats,
                                              finished_at is Unix time, duration in seconds;
                                              previous_reason and changed_lock_id are stored before
                                              a lock is changed that a look has shown
    problems  row, column, code, message      why a row is invalid
"""

from batchlock.store.journal.copying import copy_plan, copy_unsettled_rows, count_unsettled_rows
from batchlock.store.journal.database import atomic_journal
from batchlock.store.journal.earlier import (
    forget_results,
    forget_undone_results,
    leave_done_rows,
    send_done_rows,
)
from batchlock.store.journal.journal import Journal
from batchlock.store.journal.known_reasons import KnownReason, Record
from batchlock.store.journal.planned import PlannedModule
from batchlock.store.journal.search import RowFilter, Throughput
from batchlock.store.journal.story import UNDONE, LatestStatuses, StoryRun, latest_statuses
from batchlock.store.journal.undoing import (
    UndoForecast,
    copy_undone_rows,
    undo_forecast,
    undoable_rows,
)

__all__ = [
    "UNDONE",
    "Journal",
    "KnownReason",
    "LatestStatuses",
    "PlannedModule",
    "Record",
    "RowFilter",
    "StoryRun",
    "Throughput",
    "UndoForecast",
    "atomic_journal",
    "copy_plan",
    "copy_undone_rows",
    "copy_unsettled_rows",
    "count_unsettled_rows",
    "forget_results",
    "forget_undone_results",
    "latest_statuses",
    "leave_done_rows",
    "send_done_rows",
    "undo_forecast",
    "undoable_rows",
]
