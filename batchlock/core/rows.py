"""What a row of the file asks for, and why a row cannot be sent."""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import NewType

RecordId = NewType("RecordId", str)
LockId = NewType("LockId", str)


@dataclass(frozen=True, slots=True)
class NoValue:
    """A cell with no value to read: an Excel error, or a formula with no stored value."""

    text: str
    """What a person sees in its place: `#N/A`, or the formula itself."""


Cell = str | int | float | bool | datetime | date | time | timedelta | NoValue | None
"""A cell with the type it had in the file; None is a blank one."""


class Field(StrEnum):
    """What batchlock reads from a row."""

    MODULE = "module"
    RECORD_ID = "record_id"
    LOCK_ID = "lock_id"
    REASON = "reason"


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
)
"""The modules whose records can be locked, beside custom ones, by the name that URLs have."""


LONGEST_REASON = 3_000
"""Characters; Zoho takes no more."""


@dataclass(frozen=True, slots=True)
class Update:
    """The change that one row asks for, in its final form: nothing reinterprets it."""

    row: int
    """The row's number as the spreadsheet shows it; the header is a row too."""
    module: str
    record_id: RecordId
    lock_id: LockId | None
    """None: it is looked up before the update is sent."""
    reason: str

    @property
    def check(self) -> str:
        """A short hash of what is asked, for recognising the row when it is given back."""
        return row_check(self.module, self.record_id, self.lock_id, self.reason)


def row_check(module: str, record_id: str, lock_id: str | None, reason: str) -> str:
    """Return `Update.check` of what is asked."""
    asked = f"{module}\x1f{record_id}\x1f{lock_id or ''}\x1f{reason}"
    return hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row cannot be sent: found before anything is."""

    row: int
    column: str
    """The column's title in the file."""
    code: str
    message: str
    """What is wrong, the cell's own content, what to do."""
