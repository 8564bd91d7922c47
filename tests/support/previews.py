"""What a run would send, for tests that need one."""

from typing import Any

from batchlock.core.preview import ModuleRows, Preview, ReadAs, Sample
from batchlock.core.reading import EncodingSource, FieldSource, Note, Origin
from batchlock.core.rows import Field

FIELDS = tuple(
    FieldSource(field=field, origin=Origin.TITLE, title=title)
    for field, title in zip(Field, ("Module", "Record Id", "Lock Id", "Reason"), strict=False)
)
NOTE = Note.of_rows("hidden_rows", "A filter hides these rows, and they are sent.", [3, 4])


def preview(*, notes: tuple[Note, ...] = (), **changes: Any) -> Preview:
    """Return the preview of a text file with two rows of Leads, with some changes."""
    sample = Sample(
        row=2,
        action="update",
        module="Leads",
        record_id="5843104000000425561",
        lock_id=None,
        reason="Prüfung",
    )
    values: dict[str, Any] = {
        "sheet": None,
        "encoding": "utf-8",
        "encoding_source": EncodingSource.CONTENT,
        "delimiter": ";",
        "header_row": 1,
        "archive_member": None,
        "rows_left_out": 0,
        "fields": FIELDS,
        "modules": (ModuleRows(module="Leads", action="update", rows=2),),
        "lookups": 1,
        "samples": (sample,),
    }
    return Preview(read_as=ReadAs(**values | changes), notes=notes)
