"""The form by which a person says which column is which, and what holds for all rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from batchlock.core.rows import Action, Field
from batchlock.plan.constants import read_constants
from batchlock.plan.read.candidates import CANDIDATES, UTF_8
from batchlock.store.uploads import Upload

# A select with more options cannot be used, and a file may have 16,384 columns.
MAX_CHOICES = 200
# Columns of true and false in a list export and in a Bulk Read.
_LOCKED = ("locked", "locked__s")


@dataclass(frozen=True, slots=True)
class FieldChoice:
    """A select of the form."""

    name: str
    label: str
    is_likely: Callable[[str], bool]
    """Whether a title (case-folded) probably means this field."""
    for_all_rows: bool = False
    """Whether one value can be chosen for all rows."""


@dataclass(frozen=True, slots=True)
class EncodingChoice:
    """An option of the select of encodings."""

    name: str
    label: str


# Those in which spreadsheets are saved, the most frequent ones first.
ENCODINGS = tuple(EncodingChoice(one.name, one.label) for one in (UTF_8, *CANDIDATES))

FIELDS = (
    FieldChoice("module", "Module", lambda title: "modul" in title, for_all_rows=True),
    FieldChoice("record_id", "Record id", lambda title: "id" in title and "lock" not in title),
    FieldChoice(
        "lock_id",
        "Lock id",
        lambda title: "lock" in title and "reason" not in title and title.strip() not in _LOCKED,
    ),
    # A deal of Zoho has a field "Reason For Loss", which is no reason of a lock.
    FieldChoice(
        "reason",
        "Reason",
        lambda title: ("reason" in title or "note" in title) and "loss" not in title,
        for_all_rows=True,
    ),
)


def preselected_columns(upload: Upload) -> dict[str, str]:
    """Return for each field the title that was chosen, or that is likely; empty for none.

    With one value for all rows, only a title that was chosen: a column beside it would be refused.
    """
    columns: dict[str, str] = {}
    for field in FIELDS:
        free = (title for title in upload.columns if title not in columns.values())
        columns[field.name] = upload.explicit_columns.get(field.name) or next(
            (
                title
                for title in free
                if field.name not in upload.constants and field.is_likely(title.casefold())
            ),
            "",
        )
    return columns


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
