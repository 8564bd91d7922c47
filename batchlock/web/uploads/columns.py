"""The form by which a person says which column is which."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from batchlock.core.rows import Field
from batchlock.store.page import Upload

# A select with more options cannot be used, and a file may have 16,384 columns.
MAX_CHOICES = 200


@dataclass(frozen=True, slots=True)
class FieldChoice:
    """A select of the form."""

    name: str
    label: str
    is_likely: Callable[[str], bool]
    """Whether a title (case-folded) probably means this field."""


FIELDS = (
    FieldChoice("module", "Module", lambda title: "modul" in title),
    FieldChoice("record_id", "Record id", lambda title: "id" in title and "lock" not in title),
    FieldChoice("lock_id", "Lock id", lambda title: "lock" in title and "reason" not in title),
    FieldChoice("reason", "Reason", lambda title: "reason" in title or "note" in title),
)


def preselected_columns(upload: Upload) -> dict[str, str]:
    """Return for each field the title that was chosen, or that is likely; empty for none."""
    columns: dict[str, str] = {}
    for field in FIELDS:
        free = (title for title in upload.columns if title not in columns.values())
        columns[field.name] = upload.explicit_columns.get(field.name) or next(
            (title for title in free if field.is_likely(title.casefold())), ""
        )
    return columns


def columns_in(form: Mapping[str, object]) -> dict[str, str]:
    """Return the titles that a submitted form names, by field."""
    return {
        field.value: title
        for field in Field
        if isinstance(title := form.get(field.value, ""), str) and title
    }
