"""How a file was read, and what in it is doubtful: shown before anything is sent.

`FileReading` and the notes are written by the plan and stored in the journal. What can be counted
from the rows of the journal (rows by module, calls, samples) is not stored here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple, Self

from batchlock.core.corrections import Correction
from batchlock.core.rows import Field

# Some 200 KB in the journal. More would slow down every look at how the file was read.
_MOST_SPANS = 10_000


class Origin(StrEnum):
    """Where the values of a field come from."""

    TITLE = "title"
    """A column whose title is one of the known titles."""
    OPTION = "option"
    """A column or a value that the user named, in a command or in the configuration."""
    VALUES = "values"
    """A column that is recognised by its cells alone."""
    FILE = "file"
    """One value for all rows, known from the file: its name and its columns agree."""
    LOOKUP = "lookup"
    """No column: Zoho is asked for each row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSource:
    """Where one field of all rows comes from: a column, one value, or a look-up."""

    field: Field
    origin: Origin
    title: str | None = None
    """The title of the column; None when there is no column."""
    value: str | None = None
    """The one value of all rows; None when a column serves the field."""


class EncodingSource(StrEnum):
    """Why a text file is read in its encoding."""

    MARK = "mark"
    """A byte order mark."""
    CONTENT = "content"
    """The bytes fit only this encoding (ASCII and UTF-8)."""
    OPTION = "option"
    """The user named the encoding."""
    EARLIER = "earlier"
    """The user chose it earlier for a file with the same titles."""
    SYSTEM = "system"
    """The code page of this machine."""
    GUESS = "guess"
    """The letters fit this encoding clearly better than any other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that is legal but doubtful. It changes neither the rows nor the exit code."""

    code: str
    message: str
    """What is doubtful, where, and what to do if it is not meant."""
    rows: int = 0
    """How many rows it is about; 0 when it is about the file as a whole."""
    ranges: str = ""
    """The row numbers in words, such as `2-5, 9`; empty when it is about the file as a whole."""
    spans: tuple[tuple[int, int], ...] = ()
    """First and last row of each range, to mark the rows; empty when there are too many ranges."""
    page_message: str = ""
    """`message` for readers of the web page, who have no options; empty when it is the same."""

    @property
    def for_page(self) -> Self:
        """The note with the message for readers of the web page."""
        return replace(self, message=self.page_message or self.message)

    @classmethod
    def of_rows(
        cls, code: str, message: str, rows: Sequence[int], *, page_message: str = ""
    ) -> Self:
        """Return the note about some rows, whose numbers ascend."""
        spans = _row_spans(rows)
        return cls(
            code=code,
            message=message,
            rows=len(rows),
            ranges=row_ranges(rows),
            spans=spans if len(spans) <= _MOST_SPANS else (),
            page_message=page_message,
        )

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the note that a journal holds. Raises TypeError for an unknown field."""
        spans = tuple((first, last) for first, last in values.get("spans", ()))
        return cls(**{**values, "spans": spans})


def _row_spans(rows: Iterable[int]) -> tuple[tuple[int, int], ...]:
    spans: list[tuple[int, int]] = []
    for row in rows:
        if spans and row == spans[-1][1] + 1:
            spans[-1] = spans[-1][0], row
        else:
            spans.append((row, row))
    return tuple(spans)


def row_ranges(rows: Iterable[int], *, max_ranges: int = 8) -> str:
    """Return ascending row numbers as text: `2-5, 9 and 310 more rows`.

    After `max_ranges` ranges the other rows are only counted.
    """
    ranges: list[tuple[int, int]] = []
    more = 0
    for row in rows:
        if ranges and row == ranges[-1][1] + 1:
            ranges[-1] = ranges[-1][0], row
        elif len(ranges) < max_ranges:
            ranges.append((row, row))
        else:
            more += 1
    text = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)
    return f"{text} and {more:,} more row{'' if more == 1 else 's'}" if more else text


class ResultSample(NamedTuple):
    """What a results file that is read again says of one row."""

    source_row: int
    """The number of the row in the file of that run."""
    checksum: str
    """The text under Row check."""
    finished_at: str
    """The text under Finished at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReading:
    """How the file was read, beside what `RunInfo` has: sheet, encoding, delimiter, titles."""

    header_row: int = 0
    """The row of the titles as a spreadsheet shows it; 0 when it is not known."""
    encoding_source: EncodingSource | None = None
    """None for a workbook."""
    fields: tuple[FieldSource, ...] = ()
    """One for each field that has a source, in the order of `Field`."""
    archive_member: str | None = None
    """The file in the archive that was read; None for a file that is no archive."""
    rows_left_out: int = 0
    """Hidden rows that were left out because the user asked for it."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The module that each label of the org stands for, by the label as it is in the file."""
    notes: tuple[Note, ...] = ()
    sheets: tuple[str, ...] = ()
    """The names of all sheets of the workbook; empty for a text file."""
    corrections: tuple[Correction, ...] = ()
    """The cells in which a correction took the place of what the file says, in row order."""

    source_rows: tuple[tuple[int, int, int], ...] = ()
    """Of a results file that is read again: first and last row of a span, and the offset from each
    of its rows to the row in the file of that run; empty when there are too many spans.
    """
    result_samples: tuple[ResultSample, ...] = ()
    """Some rows of a results file that is read again."""

    def to_json(self) -> dict[str, Any]:
        """Return the reading as the journal stores it."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the reading that a journal holds.

        Raises KeyError, TypeError or ValueError when a field is missing or unknown.
        """
        source = values["encoding_source"]
        return cls(
            header_row=values["header_row"],
            encoding_source=None if source is None else EncodingSource(source),
            fields=tuple(
                FieldSource(
                    field=Field(one["field"]),
                    origin=Origin(one["origin"]),
                    title=one["title"],
                    value=one["value"],
                )
                for one in values["fields"]
            ),
            archive_member=values.get("archive_member"),
            rows_left_out=values.get("rows_left_out", 0),
            labels=values.get("labels", {}),
            notes=tuple(Note.from_json(one) for one in values["notes"]),
            sheets=tuple(values.get("sheets", ())),
            source_rows=tuple(map(tuple, values.get("source_rows", ()))),
            result_samples=tuple(ResultSample(*one) for one in values.get("result_samples", ())),
            corrections=tuple(map(Correction.from_json, values.get("corrections", ()))),
        )
