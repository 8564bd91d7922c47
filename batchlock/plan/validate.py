"""Turn the rows of a table into updates, and report what is wrong with each cell that is not valid.

What only the whole file shows (conflicts, duplicates, rounded ids) is found in the journal.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from batchlock.core.rows import MODULES, Field, LockId, Problem, RecordId, Update
from batchlock.plan.broken_lines import broken_lines
from batchlock.plan.constants import check_blank
from batchlock.plan.faults import Fault, quoted
from batchlock.plan.ids import RecordAddress, looks_rounded, read_id, read_lock_id
from batchlock.plan.locked_column import not_locked
from batchlock.plan.modules import ModuleNames
from batchlock.plan.reasons import read_reason

if TYPE_CHECKING:
    import pandas as pd


_FIELD_NAMES = {
    Field.MODULE: "The module",
    Field.RECORD_ID: "The record id",
    Field.LOCK_ID: "The lock id",
    Field.REASON: "The reason",
}
# The column in problems with a field that has no column in the file, which only lock ids may have.
_ABSENT_TITLE = "Lock Id"
# Words under Result in a results file that is read again.
_FINISHED_RESULTS = frozenset({"updated", "unchanged"})
_INVALID_RESULT = "invalid"
# What a results file shows in place of a formula, an error and a control character, none of which
# it can hold: see `report.cells`.
_PLACEHOLDER = re.compile(r"\A(?:=|#\S+\Z|Err:)|\[U\+[0-9A-F]{4}\]")
_IF_RIGHT = "If it is right as it is, empty the row's cell under Result."


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationRules:
    """What an org allows beyond the defaults, and what holds for all rows of the file."""

    custom_modules: tuple[str, ...] = ()
    """API names, as Zoho spells them."""
    lookup_lock_ids: bool = True
    """Whether a blank lock id is looked up, instead of being a problem."""
    constants: Mapping[Field, str] = field(default_factory=dict)
    """The one value of all rows, by field. A column of such a field must be blank."""
    from_text: bool = True
    """Whether the table is a text file."""


@dataclass(frozen=True, slots=True)
class CheckedRows:
    """The updates and the problems of the rows of a chunk."""

    updates: list[Update] = field(default_factory=list)
    """One for each row whose four cells are valid, in row order.

    A row with a problem elsewhere is among them: a cell beyond the last title, a broken line.
    """
    problems: list[Problem] = field(default_factory=list)
    """All problems, at most one for each cell; that of a broken line may be of an earlier chunk."""
    finished: list[int] = field(default_factory=list)
    """Rows with an update that a results file reports as done, and that nobody changed since."""
    locks_like_records: list[int] = field(default_factory=list)
    """Rows with an update whose lock id is their record id."""


def check(
    chunk: "pd.DataFrame",
    titles: Sequence[str],
    fields: Mapping[Field, int],
    rules: ValidationRules,
) -> CheckedRows:
    """Return the updates that a chunk's rows ask for, and every problem in their cells.

    `chunk` is one of `batchlock.plan.read.Table.chunks`: row numbers as its index, columns 0, 1, …
    of dtype object for `titles`, then the columns that it names. `fields` tells which columns to
    read; of the other columns only `Locked` may have a problem.

    Raises UsageError when a column has a value although there is one value for all rows.
    """
    check_blank(chunk, titles, fields, rules.constants)
    checked = CheckedRows()
    modules = ModuleNames(rules.custom_modules)
    missing = {
        each: Fault("missing_value", f"{name} is blank. Fill it in, or delete the row.")
        for each, name in _FIELD_NAMES.items()
    }
    blank_lock = None if rules.lookup_lock_ids else missing[Field.LOCK_ID]
    names = [titles[fields[each]] if each in fields else _ABSENT_TITLE for each in Field]
    for row, module_cell, record_cell, lock_cell, reason_cell, beyond, previous in _rows(
        chunk, fields, rules.constants
    ):
        module = modules.read(module_cell) or missing[Field.MODULE]
        record_id = read_id(record_cell) or missing[Field.RECORD_ID]
        lock_id = read_lock_id(lock_cell) or blank_lock
        reason = read_reason(reason_cell, from_text=rules.from_text) or missing[Field.REASON]
        if isinstance(record_id, RecordAddress):
            record_id = _id_of_address(record_id, module, modules)
        # Written out, since this runs for every row: any() over a generator costs more.
        if (
            isinstance(module, Fault)
            or isinstance(record_id, Fault)
            or isinstance(lock_id, Fault)
            or isinstance(reason, Fault)
        ):
            cells = zip(names, (module, record_id, lock_id, reason), strict=True)
            checked.problems.extend(_problems(row, cells, beyond, rules))
            continue
        lock = None if lock_id is None else LockId(lock_id)
        update = Update(row, module, RecordId(record_id), lock, reason)
        checked.updates.append(update)
        if record_id == lock_id:
            checked.locks_like_records.append(row)
        previous_result, previous_checksum = previous
        if beyond is not None:
            checked.problems.extend(_problems(row, (), beyond, rules))
        elif previous_result == _INVALID_RESULT:
            cells = zip(names, _remaining_faults(update, previous_checksum), strict=True)
            checked.problems.extend(_problems(row, cells, None, rules))
        elif previous_result in _FINISHED_RESULTS and previous_checksum in _row_checksums(update):
            checked.finished.append(row)
    _add_other_problems(checked, chunk, titles, fields, modules)
    return checked


def _add_other_problems(
    checked: CheckedRows,
    chunk: "pd.DataFrame",
    titles: Sequence[str],
    fields: Mapping[Field, int],
    modules: ModuleNames,
) -> None:
    """Add the problems that are not of a single field."""
    broken = [*broken_lines(chunk, titles, fields, modules)]
    if broken:
        # The cells of a continuation stand in the wrong columns: what is wrong with them does not
        # help. The first part of the row, if it is in this chunk, keeps its problems.
        continuations = {problem.row for problem in broken if problem.column == titles[0]}
        checked.problems[:] = [one for one in checked.problems if one.row not in continuations]
    done = {*checked.finished}
    unlocked = [problem for problem in not_locked(chunk, titles) if problem.row not in done]
    if broken or unlocked:
        checked.problems[:] = sorted(
            chain(checked.problems, broken, unlocked), key=lambda problem: problem.row
        )


def _id_of_address(
    address: RecordAddress, module: str | Fault, modules: ModuleNames
) -> str | Fault:
    """Return the id in the address of a record, or a fault when it is not of the row's module."""
    if isinstance(module, Fault):
        return address.record_id  # the row has a problem already
    # A custom module has a number in addresses, and only Zoho knows which.
    is_custom = module not in MODULES and address.module.casefold().startswith("custommodule")
    if is_custom or modules.find(address.module) == module:
        return address.record_id
    return Fault(
        "bad_id",
        f"{quoted(address.text)} is the address of a record in {address.module}, and the row's "
        f"module is {module}. Correct the one that is wrong.",
    )


def _row_checksums(update: Update) -> set[str]:
    """Return the row check for each kind of line end: spreadsheets change those within a cell."""
    lines = update.reason.replace("\r\n", "\n").replace("\r", "\n")
    reasons = {update.reason, *(lines.replace("\n", end) for end in ("\n", "\r\n", "\r"))}
    return {replace(update, reason=reason).checksum for reason in reasons}


def _remaining_faults(update: Update, previous_checksum: str | None) -> tuple[Fault | None, ...]:
    """Return the faults by field of a valid row that a results file reports as invalid.

    A results file cannot hold everything that made a row invalid. A control character and a
    formula are text there. Rounded ids are found by their number in the file, and the others may
    have been corrected. The cell beyond the last title is lost; a row in which that was the only
    problem has a row check.
    """
    reason = None
    if _PLACEHOLDER.search(update.reason):
        reason = Fault(
            "bad_value",
            f"{quoted(update.reason)} is what results show for a cell that could not be read. "
            f"Type the reason. {_IF_RIGHT}",
        )
    elif previous_checksum in _row_checksums(update):
        reason = Fault(
            "bad_value",
            f"The row with {quoted(update.reason)} had a problem that results do not hold: a cell "
            "to the right of the last title, or a line in two parts. Type the whole reason. "
            f"{_IF_RIGHT}",
        )
    return None, _rounded_fault(update.record_id), _rounded_fault(update.lock_id), reason


def _rounded_fault(id_: str | None) -> Fault | None:
    if not looks_rounded(id_):
        return None
    return Fault(
        "rounded_id",
        f'"{id_}" looks rounded: a spreadsheet kept 15 digits and made the rest zeros. '
        f"Paste the id again from Zoho. {_IF_RIGHT}",
    )


def _rows(
    chunk: "pd.DataFrame", fields: Mapping[Field, int], constants: Mapping[Field, str]
) -> Iterator[tuple[Any, ...]]:
    """Yield each row's number, its cells by field, the cell beyond, and its previous result.

    Lists, since iterating over a DataFrame's rows takes many times longer.
    """
    columns = (
        repeat(constants.get(each), len(chunk))
        if each in constants or each not in fields
        else chunk[fields[each]].tolist()
        for each in Field
    )
    previous = zip(
        chunk["previous_result"].tolist(), chunk["previous_checksum"].tolist(), strict=True
    )
    return zip(chunk.index.tolist(), *columns, chunk["beyond"].tolist(), previous, strict=True)


def _problems(
    row: int,
    cells: Iterable[tuple[str, object]],
    beyond: tuple[str, str] | None,
    rules: ValidationRules,
) -> Iterator[Problem]:
    for column, cell in cells:
        if isinstance(cell, Fault):
            yield Problem(row, column, cell.code, cell.message)
    if beyond is not None:
        column, text = beyond
        remedy = (
            "Put the cell that holds the delimiter in quotation marks."
            if rules.from_text
            else "Empty the cell, or give its column a title."
        )
        yield Problem(
            row,
            f"column {column}",
            "bad_value",
            f"{quoted(text)} is to the right of the last title. {remedy}",
        )
