"""Turn the rows of a table into updates, and report what is wrong with each cell that is not valid.

What only the whole file shows (conflicts, duplicates, rounded ids) is found in the journal.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from batchlock.core.org import OrgModule
from batchlock.core.rows import MODULES, Action, Field, LockId, Problem, RecordId, Update
from batchlock.plan.actions import USED_BY, row_actions
from batchlock.plan.broken_lines import broken_lines
from batchlock.plan.constants import check_blank
from batchlock.plan.earlier_results import Previous, refuse_results_of, remaining_faults
from batchlock.plan.faults import Fault, quoted
from batchlock.plan.ids import RecordAddress, read_id, read_lock_id
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
    Field.ACTION: "The action",
}
# The column in problems with a field that has no column in the file.
_ABSENT_TITLES = {each: each.replace("_", " ").title() for each in Field}


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationRules:
    """What an org allows beyond the defaults, and what holds for all rows of the file."""

    custom_modules: tuple[str, ...] = ()
    """API names, as Zoho spells them."""
    org_modules: tuple[OrgModule, ...] = ()
    """The modules that the org has named, with its labels."""
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
    """One for each row whose cells are valid as far as its action uses them, in row order.

    A row with a problem elsewhere is among them: a cell beyond the last title, a broken line.
    """
    problems: list[Problem] = field(default_factory=list)
    """All problems, at most one for each cell; that of a broken line may be of an earlier chunk."""
    finished: list[int] = field(default_factory=list)
    """Rows with an update that a results file reports as done, and that nobody changed since."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The module of each cell that has a label of the org, by the cell."""
    locks_like_records: list[int] = field(default_factory=list)
    """Rows with an update whose lock id is their record id."""
    unused_lock_ids: list[int] = field(default_factory=list)
    """Rows whose lock id is not used, because they ask for a lock."""
    other_actions: list[int] = field(default_factory=list)
    """Rows that a results file reports as done with another action than the command's."""


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

    Raises UsageError when a column has a value although there is one value for all rows, when a
    row says another action than the command, and for results of another action.
    """
    check_blank(chunk, titles, fields, rules.constants)
    actions, is_said = row_actions(chunk, titles, fields, rules.constants)
    modules = ModuleNames(rules.custom_modules, rules.org_modules)
    checked = CheckedRows(labels=modules.labels_used)
    missing = {
        each: Fault("missing_value", f"{name} is blank. Fill it in, or delete the row.")
        for each, name in _FIELD_NAMES.items()
    }
    blank_lock = None if rules.lookup_lock_ids else missing[Field.LOCK_ID]
    names = [titles[fields[each]] if each in fields else _ABSENT_TITLES[each] for each in Field]
    for row, module_cell, record_cell, lock_cell, reason_cell, action, beyond, previous in _rows(
        chunk, fields, rules.constants, actions
    ):
        module = modules.read(module_cell) or missing[Field.MODULE]
        record_id = read_id(record_cell) or missing[Field.RECORD_ID]
        uses_lock_id, uses_reason = action is not Action.LOCK, action in USED_BY[Field.REASON]
        lock_id = (read_lock_id(lock_cell) or blank_lock) if uses_lock_id else None
        reason = (
            read_reason(reason_cell, from_text=rules.from_text) or missing[Field.REASON]
            if uses_reason
            else ""
        )
        if not uses_lock_id and read_lock_id(lock_cell) is not None:
            checked.unused_lock_ids.append(row)
        if isinstance(record_id, RecordAddress):
            record_id = _id_of_address(record_id, module, modules)
        # Written out, since this runs for every row: any() over a generator costs more.
        if (
            isinstance(module, Fault)
            or isinstance(record_id, Fault)
            or isinstance(lock_id, Fault)
            or isinstance(reason, Fault)
            or isinstance(action, Fault)
        ):
            cells = zip(names, (module, record_id, lock_id, reason, action), strict=True)
            checked.problems.extend(_problems(row, cells, beyond, rules))
            continue
        lock = None if lock_id is None else LockId(lock_id)
        update = Update(row, module, RecordId(record_id), lock, reason, action)
        checked.updates.append(update)
        if record_id == lock_id:
            checked.locks_like_records.append(row)
        if beyond is not None:
            checked.problems.extend(_problems(row, (), beyond, rules))
        elif previous.is_invalid:
            cells = zip(names, remaining_faults(update, previous), strict=False)
            checked.problems.extend(_problems(row, cells, None, rules))
        elif previous.is_finished and previous.fits(update):
            checked.finished.append(row)
    _compare_actions(checked, chunk, fields, rules, is_said)
    _add_other_problems(checked, chunk, titles, fields, modules, actions)
    return checked


def _compare_actions(
    checked: CheckedRows,
    chunk: "pd.DataFrame",
    fields: Mapping[Field, int],
    rules: ValidationRules,
    is_said: Sequence[bool],
) -> None:
    """Find the rows that are results of another action than the one that they would get now.

    `is_said` tells which rows say their action themselves: those were changed on purpose. Raises
    UsageError when neither the row nor the command says one.
    """
    previous = _previous(chunk)
    if previous is None:
        return
    updates = {update.row: update for update in checked.updates}
    cells = (
        _column(chunk, each, fields, rules.constants) for each in (Field.LOCK_ID, Field.REASON)
    )
    for row, lock_cell, reason_cell, one, says in zip(
        chunk.index.tolist(), *cells, previous, is_said, strict=True
    ):
        update = updates.get(row)
        if update is None or says:
            continue
        lock_id, reason = read_lock_id(lock_cell), read_reason(reason_cell)
        other = one.other_action(
            update,
            lock_id if isinstance(lock_id, str) else None,
            reason if isinstance(reason, str) else "",
        )
        if other is not None and Field.ACTION not in rules.constants:
            raise refuse_results_of(other, row)
        if other is not None and one.is_finished:
            checked.other_actions.append(row)


def _add_other_problems(
    checked: CheckedRows,
    chunk: "pd.DataFrame",
    titles: Sequence[str],
    fields: Mapping[Field, int],
    modules: ModuleNames,
    actions: Sequence[Action | Fault],
) -> None:
    """Add the problems that are not of a single field."""
    broken = [*broken_lines(chunk, titles, fields, modules)]
    if broken:
        # The cells of a continuation stand in the wrong columns: what is wrong with them does not
        # help. The first part of the row, if it is in this chunk, keeps its problems.
        continuations = {problem.row for problem in broken if problem.column == titles[0]}
        checked.problems[:] = [one for one in checked.problems if one.row not in continuations]
    done = {*checked.finished}
    unlocked = [
        problem for problem in not_locked(chunk, titles, actions) if problem.row not in done
    ]
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
    named = modules.find(address.module)
    is_custom = module not in MODULES and address.module.casefold().startswith("custommodule")
    if named == module or (named is None and is_custom):
        return address.record_id
    return Fault(
        "bad_id",
        f"{quoted(address.text)} is the address of a record in {address.module}, and the row's "
        f"module is {module}. Correct the one that is wrong.",
    )


def _rows(
    chunk: "pd.DataFrame",
    fields: Mapping[Field, int],
    constants: Mapping[Field, str],
    actions: Sequence[Action | Fault],
) -> Iterator[tuple[Any, ...]]:
    """Yield each row's number, its cells by field, the cell beyond, and its previous result.

    In place of the cell of the action there is the action. Lists, since iterating over a
    DataFrame's rows takes many times longer.
    """
    columns = (
        actions if each is Field.ACTION else _column(chunk, each, fields, constants)
        for each in Field
    )
    previous = _previous(chunk) or [Previous(None, None)] * len(chunk)
    return zip(chunk.index.tolist(), *columns, chunk["beyond"].tolist(), previous, strict=True)


def _column(
    chunk: "pd.DataFrame",
    name: Field,
    fields: Mapping[Field, int],
    constants: Mapping[Field, str],
) -> Sequence[Any]:
    """Return the cells of a field, or its one value for all rows."""
    if name in constants or name not in fields:
        return [constants.get(name)] * len(chunk)
    return chunk[fields[name]].tolist()


def _previous(chunk: "pd.DataFrame") -> Sequence[Previous] | None:
    """Return what a results file says of each row, None for any other file."""
    results, checksums = chunk["previous_result"].tolist(), chunk["previous_checksum"].tolist()
    if not any(results) and not any(checksums):
        return None
    return [*map(Previous, results, checksums)]


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
