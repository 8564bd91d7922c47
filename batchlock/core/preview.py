"""What a run would send, as people see it before anything is sent.

The journal of the plan holds all of it; `report/preview.py` makes these values from there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from batchlock.core.corrections import Correction
from batchlock.core.reading import EncodingSource, FieldSource, Note
from batchlock.core.rows import Action


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleRows:
    """How many rows would be sent for one module and action."""

    module: str
    action: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A row as it would be sent."""

    row: int
    action: str
    module: str
    record_id: str
    lock_id: str | None
    """None: it is looked up first."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAs:
    """What a file is read as."""

    sheet: str | None
    encoding: str | None
    """None for a workbook; `encoding_source` and `delimiter` too."""
    encoding_source: EncodingSource | None
    delimiter: str | None
    header_row: int
    """0 when it is not known."""
    archive_member: str | None
    """The file in the archive that was read; None for a file that is no archive."""
    rows_left_out: int
    """Hidden rows that are left out because the user asked for it."""
    fields: tuple[FieldSource, ...]
    modules: tuple[ModuleRows, ...]
    """The rows that would be sent, the most frequent module first."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The module that each label of the org in the file stands for, by the label."""
    day_credits: int | None = None
    """About how many credits the org has in a day; None when that is not known."""
    lookups: int
    """How many of the rows need a call that looks at the lock first."""
    samples: tuple[Sample, ...]
    corrections: tuple[Correction, ...] = ()
    """The cells that a person has corrected on the page."""

    @property
    def rows(self) -> int:
        """How many rows would be sent."""
        return sum(one.rows for one in self.modules)

    @property
    def calls(self) -> int:
        """How many calls that takes when each succeeds at the first attempt."""
        return self.rows + self.lookups

    @property
    def credits(self) -> int:
        """How many of the day's credits that takes: Zoho counts one for each call."""
        return self.calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a run would send, and what is doubtful about it."""

    read_as: ReadAs
    notes: tuple[Note, ...] = ()
    finished_before: datetime | None = None
    """When the same thing was finished before; None when it was not."""
    action: str = Action.UPDATE
    """What the rows ask for: one of the values of Action, or `mixed`."""
