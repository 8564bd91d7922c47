"""Decide by its cells whether a column titled `Action` says what the rows ask for.

Many files have a column of that title for something else, so the title alone is not enough. The
decision needs all rows: the one row that is to be unlocked may be the last one.
"""

from dataclasses import dataclass, field, replace

from batchlock.core.rows import Action, Field
from batchlock.plan.actions import UNKNOWN_ACTION, USED_BY, default_action, read_action
from batchlock.plan.faults import Fault
from batchlock.plan.read.table import Header, ReadOptions, RowSource, is_filled


@dataclass(slots=True)
class _Cells:
    """What the cells of the column say."""

    actions: set[Action] = field(default_factory=set)
    """The actions of the rows; that of the command for blank cells."""
    has_action: bool = False
    has_other: bool = False
    """Whether a cell says something else than an action."""


def with_actions(header: Header, rows: RowSource, options: ReadOptions) -> Header:
    """Return the header with the column of the actions only if its cells say actions.

    A column that a person named always counts. Without a column for the reason or the lock id,
    these are no longer missing when no row has an action that uses them.

    Raises UnreadableFile when the rows cannot be read.
    """
    is_in_doubt = Field.ACTION in header.fields and Field.ACTION not in header.ambiguous
    if not is_in_doubt or any(
        one not in USED_BY or one in options.explicit_columns for one in header.missing
    ):
        return header
    is_named = Field.ACTION in header.named
    if is_named and not header.missing:
        return header
    cells = _read_cells(header, rows, options, is_named=is_named)
    if cells.has_other and not cells.has_action and not is_named:
        fields = {**header.fields}
        del fields[Field.ACTION]
        title = header.titles[header.fields[Field.ACTION]]
        return replace(header, fields=fields, unused_action=title)
    missing = tuple(one for one in header.missing if not USED_BY[one].isdisjoint(cells.actions))
    return replace(header, missing=missing)


def _read_cells(header: Header, rows: RowSource, options: ReadOptions, *, is_named: bool) -> _Cells:
    """Read the cells of the column, as far as needed."""
    position = header.fields[Field.ACTION]
    default = default_action(options.constants)
    cells = _Cells()
    for number, row in enumerate(rows(), 1):
        if number <= header.row or not any(map(is_filled, row)):
            continue
        action = read_action(row[position] if position < len(row) else None)
        if isinstance(action, Fault):
            # An error, or a formula that is not calculated, may stand for any word.
            cells.has_other = cells.has_other or action.code == UNKNOWN_ACTION
        else:
            cells.has_action = cells.has_action or action is not None
            cells.actions.add(action or default)
        if (cells.has_action or is_named) and not any(
            USED_BY[one].isdisjoint(cells.actions) for one in header.missing
        ):
            break
    return cells
