"""Cells of an uploaded file that a person has corrected on the page. The file stays as it was."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from batchlock.core.rows import Field

# Characters of a text in the audit log, whose lines people read; the results have the whole text.
_LOGGED = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One corrected cell."""

    row: int
    """As the spreadsheet shows it."""
    field: Field
    """The field that the cell was read as."""
    sheet: str | None
    """The sheet of the row; None for a text file."""
    column: str
    """The title of the cell's column."""
    old: str
    """The text of the cell in the file; empty for a blank cell."""
    new: str
    """The text that takes its place; empty for a blank cell."""
    person: str
    """Who corrected it last."""
    at: float
    """When, in seconds since 1970."""

    @property
    def mark(self) -> str:
        """The mark of its text, by which a form says what its reader has seen."""
        return text_mark(self.new)

    @property
    def sentence(self) -> str:
        """What was corrected, for the results."""
        return (
            f"Corrected on the page by {self.person}: {self.column} {_in_words(self.old)} → "
            f"{_in_words(self.new)}."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the correction as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the correction in JSON. Raises TypeError or ValueError for an unknown field."""
        return cls(**{**values, "field": Field(values["field"])})


def digest_of(corrections: Iterable[Correction]) -> str | None:
    """Return a hash that is equal for equal values in the same cells; None without a correction."""
    cells = sorted((one.sheet or "", one.row, one.field.value, one.new) for one in corrections)
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()[:16] if cells else None


def sentences_by_row(corrections: Sequence[Correction]) -> dict[int, str]:
    """Return what was corrected in each row, one line for each cell."""
    by_row: dict[int, str] = {}
    for one in corrections:
        above = f"{by_row[one.row]}\n" if one.row in by_row else ""
        by_row[one.row] = above + one.sentence
    return by_row


def text_mark(text: str) -> str:
    """Return a hash of a text, which is the same when a browser has sent the text back.

    A browser sends one kind of line breaks, and neither NUL nor half a surrogate pair.
    """
    sent = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    return hashlib.sha256(sent.encode(errors="replace")).hexdigest()[:16]


def change_in_words(row: int, column: str, old: str, new: str) -> str:
    """Return what was changed in a cell, for the audit log; long texts are cut."""
    texts = (text if len(text) <= _LOGGED else f"{text[:_LOGGED]}…" for text in (old, new))
    return f"row {row}, {column}: {' → '.join(map(_in_words, texts))}"


def _in_words(text: str) -> str:
    return f'"{text}"' if text else "(blank)"
