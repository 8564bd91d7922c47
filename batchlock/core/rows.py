"""What a row of the file asks for, and why a row cannot be sent."""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple, NewType

# Distinct types: the two ids look alike and stand side by side in calls, and a type checker can
# find it when they are swapped.
RecordId = NewType("RecordId", str)
LockId = NewType("LockId", str)


@dataclass(frozen=True, slots=True)
class NoValue:
    """A cell without a value: an error of the spreadsheet, or a formula with no stored value."""

    text: str
    """What a person sees in the cell: `#N/A`, or the formula itself."""


Cell = str | int | float | bool | datetime | date | time | timedelta | NoValue | None
"""A cell with the type that it has in the file; None is a blank cell."""


class Action(StrEnum):
    """What a row asks for."""

    UPDATE = "update"
    """A new reason for the lock."""
    LOCK = "lock"
    """A lock on a record that has none."""
    UNLOCK = "unlock"
    """The removal of the lock."""
    FIND = "find"
    """A look at the lock, which changes nothing; no row of a file asks for it."""


CHANGES = (Action.UPDATE, Action.LOCK, Action.UNLOCK)
"""What a row of a file can ask for."""


class Field(StrEnum):
    """The fields of a row that batchlock reads."""

    MODULE = "module"
    RECORD_ID = "record_id"
    LOCK_ID = "lock_id"
    REASON = "reason"
    ACTION = "action"
    """What the row asks for: one of the values of Action. The command says it for a blank cell."""


# The modules whose records can be locked, besides custom ones, as Zoho's page on record locking
# lists them; Products is named on the pages about the locking configuration only. These are the API
# names: URLs need them in this spelling.
MODULES = (
    "Leads",
    "Accounts",
    "Contacts",
    "Deals",
    "Tasks",
    "Cases",
    "Solutions",
    "Vendors",
    "Price_Books",
    "Quotes",
    "Sales_Orders",
    "Purchase_Orders",
    "Invoices",
    "Products",
)

# Characters. Zoho refuses a longer reason.
LONGEST_REASON = 3_000


@dataclass(frozen=True, slots=True)
class Expected:
    """The lock that a record must still have, or a row that undoes a change is not sent."""

    lock_id: LockId | None
    """None: the record must not be locked."""
    reason: str | None = None


class PreviousLock(NamedTuple):
    """The lock that a row is about to change or to remove."""

    row: int
    lock_id: LockId
    reason: str | None
    """Empty for a lock without a reason; None when it is not kept."""


@dataclass(frozen=True, slots=True)
class Update:
    """The change that one row asks for, in its final form: nothing reinterprets it later."""

    row: int
    """The row's number as the spreadsheet shows it; the header is a row too."""
    module: str
    record_id: RecordId
    lock_id: LockId | None
    """None: the lock id is looked up before the update is sent; always so for LOCK."""
    reason: str
    """Empty for UNLOCK."""
    action: Action = Action.UPDATE
    expected: Expected | None = None
    """Set in an undo: Zoho is asked first, and the row is sent only if this still stands there."""

    @property
    def requested_lock_id(self) -> LockId | None:
        """The lock that a look-up asks for; None: whatever lock the record has.

        The lock id of an update in the file names the lock to change. For every other row it is
        compared with the lock that stands there.
        """
        is_plain = self.action is Action.UPDATE and self.expected is None
        return self.lock_id if is_plain else None

    @property
    def checksum(self) -> str:
        """The text under Row check: a short hash that recognises the row in a results file."""
        return row_checksum(self.module, self.record_id, self.lock_id, self.reason, self.action)


def row_checksum(
    module: str,
    record_id: str,
    lock_id: str | None,
    reason: str,
    action: str = Action.UPDATE,
) -> str:
    """Return `Update.checksum` of an update with these values."""
    # The unit separator is in no field, so no two different updates give the same text.
    content = f"{module}\x1f{record_id}\x1f{lock_id or ''}\x1f{reason}"
    if action != Action.UPDATE:  # so that an update has the checksum that 0.1.0 gave it
        content += f"\x1f{action}"
    # surrogatepass: a lone surrogate in a cell must not end the run. 12 hexadecimal digits tell the
    # versions of one row apart, and fit a column that people see.
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row cannot be sent, found before anything is sent."""

    row: int
    column: str
    """The column's title in the file."""
    code: str
    message: str
    """What is wrong, the cell's own content, what to do."""
