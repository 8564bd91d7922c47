"""Read what the rows ask for: a column, or the command for all rows."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from batchlock.core.cell_text import display_text
from batchlock.core.errors import UsageError
from batchlock.core.rows import CHANGES, Action, Cell, Field, NoValue
from batchlock.plan.faults import Fault, no_value_fault, quoted, strip_invisible, text_fault

if TYPE_CHECKING:
    import pandas as pd

UNKNOWN_ACTION = "unknown_action"
"""The code of a cell that says no action."""

USED_BY: Mapping[Field, frozenset[Action]] = {
    Field.LOCK_ID: frozenset({Action.UPDATE, Action.UNLOCK}),
    Field.REASON: frozenset({Action.UPDATE, Action.LOCK}),
}
"""The actions that use a field. Each of the other fields is used by all."""

NOUNS: Mapping[str, str] = {
    Action.UPDATE: "an update",
    Action.LOCK: "a lock",
    Action.UNLOCK: "an unlock",
}
"""A row of each action, as it stands in a sentence."""

_ACTIONS = {action.value: action for action in CHANGES}


def default_action(constants: Mapping[Field, str]) -> Action:
    """Return the action of a row that does not say its own."""
    return Action(constants.get(Field.ACTION, Action.UPDATE))


def read_action(cell: Cell) -> Action | Fault | None:
    """Return the action that a cell says, a fault, or None for a blank cell."""
    if cell is None:
        return None
    if isinstance(cell, NoValue):
        return no_value_fault(cell)
    text = strip_invisible(cell if isinstance(cell, str) else display_text(cell))
    if not text:
        return None
    if (action := _ACTIONS.get(text.casefold())) is not None:
        return action
    return text_fault(text) or Fault(
        UNKNOWN_ACTION,
        f"{quoted(text)} is no action. Type update, lock or unlock; or empty the cell: then the "
        "command says the action, and `batchlock run` updates.",
    )


def row_actions(
    chunk: "pd.DataFrame",
    titles: Sequence[str],
    fields: Mapping[Field, int],
    constants: Mapping[Field, str],
) -> tuple[list[Action | Fault], list[bool]]:
    """Return the action of each row of a chunk, and whether the row has a cell that says it.

    Raises UsageError when a row says another action than the command.
    """
    default = default_action(constants)
    if Field.ACTION not in fields:
        return [default] * len(chunk), [False] * len(chunk)
    cells = chunk[fields[Field.ACTION]].tolist()
    # A file repeats few spellings in very many rows. NoValue and numbers are rare, but hashable.
    by_cell = {cell: read_action(cell) for cell in {*cells}}
    in_cells = [by_cell[cell] for cell in cells]
    if Field.ACTION in constants:
        for row, action in zip(chunk.index.tolist(), in_cells, strict=True):
            if isinstance(action, Action) and action is not default:
                raise _other_action(row, titles[fields[Field.ACTION]], action, default)
    return [default if one is None else one for one in in_cells], [bool(one) for one in in_cells]


def _other_action(row: int, title: str, action: Action, default: Action) -> UsageError:
    fact = (
        f'`batchlock {default}` is for {default}s only, but row {row} says "{action}" in the '
        f'column "{title}".'
    )
    return UsageError(
        f"{fact} Nothing was sent. Use `batchlock run` for a file with different actions, or "
        "correct the cell."
    )
