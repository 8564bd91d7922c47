"""The form by which a person says which column is which, and what holds for all rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from batchlock.core.errors import UsageError
from batchlock.core.rows import Action, Cell, Field
from batchlock.plan.constants import read_constants
from batchlock.plan.modules import ModuleNames
from batchlock.plan.read.candidates import CANDIDATES, UTF_8
from batchlock.plan.read.column_values import are_long_ids, fits, sample_values
from batchlock.store.uploads import Upload
from batchlock.web.templating import grouped
from batchlock.web.translation import N_
from batchlock.web.translation import gettext as _

# A select with more options cannot be used, and a file may have 16,384 columns.
MAX_CHOICES = 200
# The first rows of a file whose values stand beside its titles.
SAMPLE_ROWS = 20
# The plan looks no further down for titles that stand low.
LAST_HEADER_ROW = 1_000
# Columns of true and false in a list export and in a Bulk Read.
_LOCKED = ("locked", "locked__s")


@dataclass(frozen=True, slots=True)
class FieldChoice:
    """A select of the form."""

    name: str
    english: str
    is_likely: Callable[[str], bool]
    """Whether a title (case-folded) probably means this field."""
    for_all_rows: bool = False
    """Whether one value can be chosen for all rows."""

    @property
    def label(self) -> str:
        """The name of the field, in words."""
        return _(self.english)


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """An option of the select of a field."""

    title: str
    samples: Sequence[str]
    """Some values of the column; empty for a blank column, and where they are not known."""


@dataclass(frozen=True, slots=True)
class EncodingChoice:
    """An option of the select of encodings."""

    name: str
    english: str

    @property
    def label(self) -> str:
        """What people call it."""
        return _(self.english)


# Those in which spreadsheets are saved, the most frequent ones first.
ENCODINGS = tuple(EncodingChoice(one.name, one.label) for one in (UTF_8, *CANDIDATES))

FIELDS = (
    FieldChoice("module", N_("Module"), lambda title: "modul" in title, for_all_rows=True),
    FieldChoice("record_id", N_("Record id"), lambda title: "id" in title and "lock" not in title),
    FieldChoice(
        "lock_id",
        N_("Lock id"),
        lambda title: "lock" in title and "reason" not in title and title.strip() not in _LOCKED,
    ),
    # A deal of Zoho has a field "Reason For Loss", which is no reason of a lock.
    FieldChoice(
        "reason",
        N_("Reason"),
        lambda title: ("reason" in title or "note" in title) and "loss" not in title,
        for_all_rows=True,
    ),
)


def preselected_columns(upload: Upload, remembered: Mapping[str, str]) -> dict[str, str]:
    """Return for each field the title that was chosen, or that is likely; empty for none.

    `remembered` are the titles that were chosen for an earlier file with the same titles, by field;
    where there are any, none is guessed.

    A title is likely by its words, unless the values below it are none of the field; without such a
    title, the only column of long ids is that of the record ids. With one value for all rows, only
    a title that was chosen: a column beside it would be refused.
    """
    samples = dict(zip(upload.columns, upload.samples, strict=False))
    if remembered and not upload.explicit_columns:
        return {field.name: remembered.get(field.name, "") for field in FIELDS}
    columns: dict[str, str] = {}
    for field in FIELDS:
        free = [title for title in upload.columns if title not in columns.values()]
        likely = [
            title
            for title in free
            if field.is_likely(title.casefold()) and _may_hold(field, samples.get(title, ()))
        ]
        if not likely and field.name == Field.RECORD_ID:
            ids = [title for title in free if _are_long_ids(samples.get(title, ()))]
            likely = ids if len(ids) == 1 else []
        if field.name in upload.constants:
            likely = []
        columns[field.name] = upload.explicit_columns.get(field.name) or next(iter(likely), "")
    return columns


def refused_choices(upload: Upload) -> list[ColumnChoice]:
    """Return the columns to choose from for an upload that was refused, with their values."""
    missing = ((),) * (len(upload.columns) - len(upload.samples))
    both = zip(upload.columns, (*upload.samples, *missing), strict=True)
    return [ColumnChoice(title, samples) for title, samples in both][:MAX_CHOICES]


def column_choices(titles: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[ColumnChoice]:
    """Return the columns to choose from for a file with these titles and first rows."""
    return [
        ColumnChoice(title, sample_values(row[index] for row in rows if index < len(row)))
        for index, title in enumerate(titles[:MAX_CHOICES])
        if title.strip()
    ]


def header_row_in(form: Mapping[str, object]) -> int | None:
    """Return the row of the titles that a submitted form names; None for none.

    Raises UsageError for anything that is no row number.
    """
    text = str(form.get("header_row") or "").strip()
    if not text:
        return None
    # At most 4 digits, because int() of a very long text is slow.
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise _wrong_header_row(text)
    if not 1 <= int(text) <= LAST_HEADER_ROW:
        raise _wrong_header_row(text)
    return int(text)


def _wrong_header_row(text: str) -> UsageError:
    return UsageError(
        _(
            '"%(text)s" is no row of titles. Type a number from 1 to %(last)s, or nothing.',
            text=text[:20],
            last=grouped(LAST_HEADER_ROW),
        )
    )


def _may_hold(field: FieldChoice, samples: Sequence[str]) -> bool:
    """Return whether a column with these values may be that of a field."""
    if not samples:
        return True
    names = ModuleNames(())
    if field.name == Field.MODULE:  # an org has its own names for modules
        return not fits(Field.RECORD_ID, samples, names)
    return fits(Field(field.name), samples, names)


def _are_long_ids(samples: Sequence[str]) -> bool:
    return fits(Field.RECORD_ID, samples, ModuleNames(())) and are_long_ids(samples)


def columns_in(form: Mapping[str, object]) -> dict[str, str]:
    """Return the titles that a submitted form names, by field."""
    return {
        field.value: title
        for field in Field
        if isinstance(title := form.get(field.value, ""), str) and title
    }


def constants_in(form: Mapping[str, object], custom_modules: Sequence[str]) -> dict[str, str]:
    """Return the one value for all rows that a submitted form has, by field.

    Raises UsageError for a value that no row may have.
    """
    values = {
        # A browser sends each line break of a text field as CR LF.
        choice.name: text.replace("\r\n", "\n")
        for choice in FIELDS
        if choice.for_all_rows
        and isinstance(text := form.get(f"{choice.name}_for_all", ""), str)
        and text.strip()
    }
    action = form.get("action_for_all", "")
    # Without a choice, a row is an update unless its cell says another action.
    if isinstance(action, str) and action and action != Action.UPDATE:
        values[Field.ACTION] = action
    constants = read_constants(values, custom_modules)
    return {field.value: value for field, value in constants.items()}
