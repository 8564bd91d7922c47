"""Chunks of a table, as the reader yields them, and what validation returns for them."""

from collections.abc import Sequence

import pandas as pd

from batchlock.core.rows import Field, Problem, Update
from batchlock.plan.validate import CheckedRows, ValidationRules, check

TITLES = ("Module", "Record Id", "Lock Id", "Reason", "Note")
FIELDS = {Field.MODULE: 0, Field.RECORD_ID: 1, Field.LOCK_ID: 2, Field.REASON: 3}
RECORD, LOCK = "5843104000000425565", "5843104000000425777"
VALID_ROW = ("Leads", RECORD, LOCK, "Under review", None)
# Rules under which a blank lock id is a problem.
LOCK_ID_NEEDED = ValidationRules(lookup_lock_ids=False)


def chunk(*rows: Sequence[object], **others: Sequence[object]) -> pd.DataFrame:
    """Return a chunk whose first row has number 2; `others` are the columns beside the cells."""
    blanks = [None] * len(rows)
    columns: dict[object, Sequence[object]] = dict(enumerate(zip(*rows, strict=True)))
    for name in ("beyond", "above", "previous_result", "previous_checksum"):
        columns[name] = others.get(name, blanks)
    return pd.DataFrame(columns, index=range(2, len(rows) + 2), dtype=object)


def check_rows(
    *rows: Sequence[object], rules: ValidationRules | None = None, **others: Sequence[object]
) -> CheckedRows:
    return check(chunk(*rows, **others), TITLES, FIELDS, rules or ValidationRules())


def row(
    module: object = "Leads", record: object = RECORD, lock: object = LOCK, reason: object = "why"
) -> tuple[object, ...]:
    return module, record, lock, reason, None


def valid_update(*cells: Sequence[object], rules: ValidationRules | None = None) -> Update:
    """Return the update of a row, which must have no problem."""
    checked = check_rows(*cells, rules=rules)
    assert checked.problems == []
    return checked.updates[0]


def only_problem(*cells: Sequence[object], rules: ValidationRules | None = None) -> Problem:
    """Return the problem of a row, which must have exactly one."""
    checked = check_rows(*cells, rules=rules)
    assert checked.updates == []
    assert len(checked.problems) == 1
    return checked.problems[0]
