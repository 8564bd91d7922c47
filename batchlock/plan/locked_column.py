"""Find the rows of records that are not locked, in a file that says so.

Exports and Bulk Read have a column `Locked` or `Locked__s`. A record that is not locked has no
reason to change and no lock to remove, so the call would only cost a credit.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from batchlock.core.rows import Action, Cell, Problem
from batchlock.plan.faults import Fault, quoted, strip_invisible

if TYPE_CHECKING:
    import pandas as pd

_TITLES = frozenset({"locked", "locked__s"})
# Exports write true and false, spreadsheets show FALSE, and some programs keep 0 or No.
_FALSE = frozenset({"false", "0", "no"})


def locked_column(titles: Sequence[str]) -> int | None:
    """Return the position of the column that says whether a record is locked, if there is one."""
    for position, title in enumerate(titles):
        if strip_invisible(title).casefold() in _TITLES:
            return position
    return None


def not_locked(
    chunk: "pd.DataFrame", titles: Sequence[str], actions: Sequence[Action | Fault]
) -> Iterator[Problem]:
    """Yield a problem for each row that needs a lock and whose record is not locked.

    `actions` has the action of each row.
    """
    position = locked_column(titles)
    if position is None:
        return
    cells = chunk[position].tolist()
    for row, cell, action in zip(chunk.index.tolist(), cells, actions, strict=True):
        if action is Action.LOCK or not _is_false(cell):
            continue
        if action is Action.UNLOCK:
            yield Problem(
                row,
                titles[position],
                "not_locked",
                f"{quoted(str(cell))} says that the record is not locked, so there is no lock to "
                "remove. Delete the row; or empty this cell, if the record was locked since.",
            )
        else:
            yield Problem(
                row,
                titles[position],
                "not_locked",
                f"{quoted(str(cell))} says that the record is not locked, so there is no reason to "
                "change. Delete the row; or lock the record in Zoho first and empty this cell.",
            )


def _is_false(cell: Cell) -> bool:
    if isinstance(cell, str):
        return strip_invisible(cell).casefold() in _FALSE
    return isinstance(cell, bool | int) and not cell
