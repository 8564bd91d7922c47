"""What a results file that is read again says about its rows."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from batchlock.core.errors import UsageError
from batchlock.core.rows import CHANGES, Action, LockId, Update
from batchlock.plan.actions import NOUNS
from batchlock.plan.faults import Fault, quoted
from batchlock.plan.ids import looks_rounded

# Words under Result.
_FINISHED_RESULTS = frozenset({"updated", "locked", "unlocked", "unchanged"})
_INVALID_RESULT = "invalid"
# What a results file shows in place of a formula, an error and a control character, none of which
# it can hold: see `report.cells`.
_PLACEHOLDER = re.compile(r"\A(?:=|#\S+\Z|Err:)|\[U\+[0-9A-F]{4}\]")
_IF_RIGHT = "If it is right as it is, empty the row's cell under Result."


class Previous(NamedTuple):
    """The texts under Result and Row check; None in a file that is no results file."""

    result: str | None
    checksum: str | None

    @property
    def is_invalid(self) -> bool:
        """Whether the results report the row as invalid."""
        return self.result == _INVALID_RESULT

    @property
    def is_finished(self) -> bool:
        """Whether the results report the row as done."""
        return self.result in _FINISHED_RESULTS

    def fits(self, update: Update) -> bool:
        """Return whether nobody has changed the row since the results were written."""
        return self.checksum in _row_checksums(update)

    def other_action(self, update: Update, lock_id: str | None, reason: str) -> Action | None:
        """Return the action of which the row is a result, if it is another one.

        `lock_id` and `reason` are those of the cells, whether the action of the row uses them or
        not.
        """
        if self.checksum is None or self.fits(update):
            return None
        for action in CHANGES:
            other = replace(
                update,
                action=action,
                lock_id=None if action is Action.LOCK or lock_id is None else LockId(lock_id),
                reason="" if action is Action.UNLOCK else reason,
            )
            if self.fits(other):
                return action
        return None


def refuse_results_of(action: Action, row: int) -> UsageError:
    """Return the refusal of a results file of another command, which says no action itself.

    `run` would send its rows as updates: after an unlock, those that are still locked would get a
    reason that was only meant to come back in the results.
    """
    fact = (
        f"Row {row} is from the results of {NOUNS[action]}, and no column Action says what it is "
        f"to be now."
    )
    return UsageError(
        f"{fact} Use `batchlock {action}` for this file; or add a column Action with update, lock "
        "or unlock in each row.",
        page_message=f"{fact} Add a column Action with update, lock or unlock in each row, and "
        "upload the file again.",
    )


def remaining_faults(update: Update, previous: Previous) -> Sequence[Fault | None]:
    """Return the faults of a valid row that a results file reports as invalid, by field.

    The fields are module, record id, lock id and reason. A results file cannot hold everything
    that made a row invalid. A control character and a formula are text there. Rounded ids are
    found by their number in the file, and the others may have been corrected. The cell beyond the
    last title is lost; a row in which that was the only problem has a row check.
    """
    record, reason = _rounded_fault(update.record_id), None
    if _PLACEHOLDER.search(update.reason):
        reason = Fault(
            "bad_value",
            f"{quoted(update.reason)} is what results show for a cell that could not be read. "
            f"Type the reason. {_IF_RIGHT}",
        )
    elif previous.fits(update):
        problem = "a cell to the right of the last title, or a line in two parts"
        if update.reason:
            reason = Fault(
                "bad_value",
                f"The row with {quoted(update.reason)} had a problem that results do not hold: "
                f"{problem}. Type the whole reason. {_IF_RIGHT}",
            )
        elif record is None:
            record = Fault(
                "bad_value",
                f"The row with {quoted(update.record_id)} had a problem that results do not hold: "
                f"{problem}. Compare it with the first file. {_IF_RIGHT}",
            )
    return None, record, _rounded_fault(update.lock_id), reason


def _row_checksums(update: Update) -> set[str]:
    """Return the row check for each kind of line end: spreadsheets change those within a cell."""
    return {replace(update, reason=reason).checksum for reason in _with_line_ends(update.reason)}


def _with_line_ends(reason: str) -> Iterator[str]:
    yield reason
    lines = reason.replace("\r\n", "\n").replace("\r", "\n")
    for end in ("\n", "\r\n", "\r"):
        yield lines.replace("\n", end)


def _rounded_fault(id_: str | None) -> Fault | None:
    if not looks_rounded(id_):
        return None
    return Fault(
        "rounded_id",
        f'"{id_}" looks rounded: a spreadsheet kept 15 digits and made the rest zeros. '
        f"Paste the id again from Zoho. {_IF_RIGHT}",
    )
