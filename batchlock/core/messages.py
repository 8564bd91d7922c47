"""What people read about the outcome of a row, apart from the messages of Zoho.

The results file, the page and the command line show the same row. The texts are together so
that all three use the same words. Other messages about rows: `plan/` has those about a wrong cell,
`zoho/error_codes.py` the remedies for Zoho's errors, and `zoho/failures.py` those of the network.
"""

from collections.abc import Sequence
from typing import NamedTuple

from batchlock.core.reply import Lock
from batchlock.core.results import SETTLED, Result, Status


class Explanation(NamedTuple):
    """Why a row has its result, and what a person can do about it."""

    message: str
    remedy: str = ""
    """Empty when there is nothing to do."""


RESULT_LABELS = {
    Result.UPDATED: "Updated",
    Result.LOCKED: "Locked",
    Result.UNLOCKED: "Unlocked",
    Result.UNCHANGED: "Unchanged",
    Result.REJECTED: "Rejected",
    Result.FAILED: "Failed",
    Result.INVALID: "Invalid",
    Result.DUPLICATE: "Duplicate",
    Result.NOT_SENT: "Not sent",
    Result.UNKNOWN: "Unknown",
}
"""The page's label for each result: the word of the files, as a label is written."""

FIND_RESULT_LABELS = RESULT_LABELS | {
    Result.UNCHANGED: "Looked at",
    Result.LOCKED: "Locked",
    Result.UNLOCKED: "Not locked any more",
    Result.NOT_SENT: "Not looked at",
    Result.UNKNOWN: "Not looked at",
}
"""The page's word for each result of a run that finds locks, which changes none."""

RESULT_MEANINGS = {
    Result.UPDATED: "Zoho has taken the new reason.",
    Result.LOCKED: "Zoho has locked the record.",
    Result.UNLOCKED: "Zoho has removed the lock.",
    Result.UNCHANGED: "The record is already as the row asks; nothing was sent.",
    Result.REJECTED: "Zoho refused the row.",
    Result.FAILED: "No usable answer from Zoho after all attempts.",
    Result.INVALID: "Never sent: something is wrong in the row's cells.",
    Result.DUPLICATE: "The same as an earlier row; counts as that row does.",
    Result.NOT_SENT: "The run ended before the row was sent.",
    Result.UNKNOWN: "Sent, but the run ended before the answer; a resumed run asks Zoho first.",
}
"""What each result means, for the summary of a results workbook."""


DONE_BY_EARLIER_RUN = "An earlier run did this row already, so it was left alone."
READY = "Nothing is wrong with this row: a run sends it."
"""What a check says of a row that can be sent."""
DONE_BY_EARLIER_RUN_ON = "An earlier run did this row on {day}, so it was left alone."
"""`{day}` is replaced by the day and the minute, UTC."""
CORRECT_THE_ROW = "Correct the row and run the corrected file."
SAME_AS_AN_EARLIER_ROW = "The same as an earlier row, and not sent again."
"""The message of a group of duplicates, whose rows repeat different rows."""

DIFFERENT_ACTIONS = "ask for different actions on the same record"
DIFFERENT_REASONS = "ask for different reasons on the same record"
DIFFERENT_LOCK_IDS = "ask for different lock ids on the same record"
SHARED_LOCK = "name the same lock on different records"

# Characters of another reason that a message shows: the results have the whole of it beside it.
_SHOWN_REASON = 200
# A conflict can span every row of a file. Five row numbers are enough to find the others, and
# the message is repeated on each of the rows.
_ROWS_NAMED_IN_A_CONFLICT = 5


def rounded_id(record_or_lock_id: str) -> str:
    """Return the message for an id that a spreadsheet seems to have rounded."""
    return (
        f'"{record_or_lock_id}" looks rounded: a spreadsheet kept 15 digits and made the rest '
        "zeros, so it may name another record. Format the column as text and paste the ids again "
        "from Zoho."
    )


def maybe_rounded_id(title: str, id_: str, ranges: str) -> str:
    """Return the message of a note about an id that a spreadsheet may have rounded."""
    return (
        f'"{id_}" in the column "{title}" (row {ranges}) ends in zeros, as a number does that a '
        "spreadsheet has rounded. Compare it with Zoho: if it differs, format the column as text "
        "and paste the ids again."
    )


def conflict(rows: Sequence[int], contradiction: str) -> str:
    """Return the message for rows that contradict each other.

    `rows` are two or more row numbers in ascending order. `contradiction` is one of the
    constants above, such as DIFFERENT_REASONS.
    """
    first = rows[:_ROWS_NAMED_IN_A_CONFLICT]
    more = len(rows) - len(first)
    numbers = f"{', '.join(map(str, first[:-1]))} and {first[-1]}"
    if more:
        numbers = f"{', '.join(map(str, first))} and {more:,} more"
    return f"Rows {numbers} {contradiction}. Keep the one that is right."


def duplicate(row: int, status: Status) -> Explanation:
    """Explain a duplicate of `row`, an earlier row that has `status` now."""
    match Result.of(status):
        case Result.NOT_SENT:
            fate = "which was not sent"
        case Result.UNKNOWN:
            fate = "and it is not known yet whether Zoho received it"
        case Result.INVALID:
            fate = "which is invalid"
        case result:
            fate = f"which was {result}"
    remedy = "" if status in SETTLED else f"See row {row}."
    return Explanation(f"The same as row {row}, {fate}.", remedy)


_UNFINISHED = {
    Result.NOT_SENT: Explanation(
        "The run ended before this row was sent.",
        "Nothing is wrong with the row: it is sent when the run is resumed.",
    ),
    Result.UNKNOWN: Explanation(
        "It was being sent when the run ended, and it is not known yet whether Zoho received it.",
        "Resume the run; Zoho is first asked whether the row was done.",
    ),
}
UNFINISHED = frozenset(_UNFINISHED)
"""The results of rows that have no outcome; only `unfinished` explains these."""


def unfinished(result: Result, *, closed_because: str = "") -> Explanation:
    """Explain a row that has no outcome; `result` is one of UNFINISHED.

    `closed_because` is a sentence that says why the run cannot be resumed; it is empty while the
    run can be.
    """
    explanation = _UNFINISHED[result]
    if closed_because:
        remedy = f"This run cannot be resumed. {closed_because}"
        return Explanation(explanation.message, remedy)
    return explanation


UPDATED_AFTER_LOST_ANSWER = "The answer was lost; asked again, Zoho shows the new reason."
REASON_ALREADY_SET = "The lock already has this reason; nothing was sent."
NOT_LOCKED = Explanation(
    "The record is not locked, so there is no reason to change.",
    "Lock the record in Zoho CRM first, or delete the row.",
)
LOCKED_AFTER_LOST_ANSWER = "The answer was lost; asked again, Zoho shows the new lock."
UNLOCKED_AFTER_LOST_ANSWER = "The answer was lost; asked again, Zoho shows that the lock is gone."
LOCKED_ALREADY = "The record is locked already with this reason; nothing was sent."
UNLOCKED_ALREADY = "The record is not locked; nothing was sent."
LOOK_REFUSED_IN_DOUBT = (
    "The answer was lost, and this sign-in may not look whether Zoho has made the change."
)


def another_reason(lock: Lock) -> Explanation:
    """Explain why a record is not locked: it has a lock with another reason."""
    return Explanation(
        f"The record is locked already{_whose(lock)}{_reason_of(lock)}.",
        "Delete the row if that lock is right. To put the row's reason in place of the other one, "
        "run the file with --change-reason.",
    )


def automatic_lock(lock: Lock) -> Explanation:
    """Explain why a record is not locked: a rule has locked it."""
    return Explanation(
        f"A rule has locked the record already{_since(lock)}.",
        "Delete the row: a record has one lock at most.",
    )


def another_lock(lock: Lock, lock_id: str) -> Explanation:
    """Explain why a lock is not removed: another one than `lock_id` stands there now."""
    return Explanation(
        f"The lock {lock_id} is gone. The record has the lock {lock.lock_id} now"
        f"{_whose(lock)}{_reason_of(lock)}.",
        "If that lock is to be removed too, put its id into the row, or leave the lock id blank.",
    )


def changed_since(lock: Lock | None) -> Explanation:
    """Explain why a change is not undone: Zoho shows something else than the run has left."""
    now = "the record is not locked"
    if lock is not None:
        now = f"the lock {lock.lock_id} stands there{_whose(lock)}{_reason_of(lock)}"
    return Explanation(
        f"Changed since the run: {now}.",
        "Nothing was put back. If that is wrong, correct it with a file of its own.",
    )


def _whose(lock: Lock) -> str:
    by = f" by {lock.locked_by}" if lock.locked_by else ""
    return f"{by}{_since(lock)}"


def _since(lock: Lock) -> str:
    return f" since {lock.locked_at:%Y-%m-%d %H:%M} UTC" if lock.locked_at is not None else ""


def _reason_of(lock: Lock) -> str:
    if lock.reason is None:
        return ", without a reason (a rule made it)" if lock.is_automatic else ", without a reason"
    is_long = len(lock.reason) > _SHOWN_REASON
    text = f"{lock.reason[:_SHOWN_REASON]}…" if is_long else lock.reason
    return f', with the reason "{text}"'


NOT_LOCKED_ANY_MORE = "The record is not locked any more."
CALL_ABORTED = "The run was over before the answer came."
"""The message of a call that was aborted because the run had to end."""
