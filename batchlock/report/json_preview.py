"""The part of the objects that `--json` prints about what a run would send.

See `report/json.py`; the same rules hold for these keys.
"""

from datetime import UTC, datetime
from typing import TypedDict

from batchlock.core.encodings import usual_name
from batchlock.core.preview import Preview, ReadAs
from batchlock.core.rows import Action


class FieldJson(TypedDict):
    """Where the values of a field come from."""

    title: str | None
    value: str | None
    origin: str


class ModuleJson(TypedDict):
    """How many rows would be sent for one module and action."""

    module: str
    action: str
    rows: int


class SampleJson(TypedDict):
    """A row as it would be sent."""

    row: int
    action: str
    module: str
    record_id: str
    lock_id: str | None
    reason: str


class CorrectionJson(TypedDict):
    """A cell that a person has corrected on the page."""

    row: int
    column: str
    old: str
    new: str
    person: str
    at: str


class ReadAsJson(TypedDict):
    """What a file is read as."""

    sheet: str | None
    encoding: str | None
    encoding_source: str | None
    delimiter: str | None
    header_row: int
    archive_member: str | None
    rows_left_out: int
    fields: dict[str, FieldJson]
    modules: list[ModuleJson]
    labels: dict[str, str]
    calls: int
    credits: int
    day_credits: int | None
    samples: list[SampleJson]
    corrections: list[CorrectionJson]


class NoteJson(TypedDict):
    """Something that is legal but doubtful."""

    code: str
    rows: int
    ranges: str
    message: str


class PreviewJson(TypedDict):
    """What a run would send: the keys that `run` and `check` share."""

    action: str
    read_as: ReadAsJson | None
    notes: list[NoteJson]
    finished_before: str | None


NO_PREVIEW: PreviewJson = {
    "action": Action.UPDATE.value,
    "read_as": None,
    "notes": [],
    "finished_before": None,
}
"""The same for a command that ended before it had read a file."""


def preview_json(preview: Preview) -> PreviewJson:
    """Return the keys that `run` and `check` share."""
    finished = preview.finished_before
    return {
        "action": preview.action,
        "read_as": _read_as_json(preview.read_as),
        "notes": [
            {"code": note.code, "rows": note.rows, "ranges": note.ranges, "message": note.message}
            for note in preview.notes
        ],
        "finished_before": None if finished is None else finished.isoformat(timespec="seconds"),
    }


def encoding_json(codec: str | None) -> str | None:
    """Return the name of an encoding as it is given to --encoding."""
    return None if codec is None else usual_name(codec).lower()


def _read_as_json(read_as: ReadAs) -> ReadAsJson:
    source = read_as.encoding_source
    return {
        "sheet": read_as.sheet,
        "encoding": encoding_json(read_as.encoding),
        "encoding_source": None if source is None else source.value,
        "delimiter": read_as.delimiter,
        "header_row": read_as.header_row,
        "archive_member": read_as.archive_member,
        "rows_left_out": read_as.rows_left_out,
        "fields": {
            one.field.value: {"title": one.title, "value": one.value, "origin": one.origin.value}
            for one in read_as.fields
        },
        "modules": [
            {"module": one.module, "action": one.action, "rows": one.rows}
            for one in read_as.modules
        ],
        "labels": dict(read_as.labels),
        "calls": read_as.calls,
        "credits": read_as.credits,
        "day_credits": read_as.day_credits,
        "samples": [
            {
                "row": sample.row,
                "action": sample.action,
                "module": sample.module,
                "record_id": sample.record_id,
                "lock_id": sample.lock_id,
                "reason": sample.reason,
            }
            for sample in read_as.samples
        ],
        "corrections": [
            {
                "row": one.row,
                "column": one.column,
                "old": one.old,
                "new": one.new,
                "person": one.person,
                "at": datetime.fromtimestamp(one.at, UTC).isoformat(timespec="seconds"),
            }
            for one in read_as.corrections
        ],
    }
