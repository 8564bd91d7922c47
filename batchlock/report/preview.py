"""What a run would send, from the journal of its plan, and the same in words.

The command line, the page and the sheet `Summary` show the same lines.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from batchlock.core.corrections import Correction
from batchlock.core.encodings import usual_name
from batchlock.core.preview import ModuleRows, Preview, ReadAs, Sample
from batchlock.core.reading import EncodingSource, FieldSource, Note, Origin, row_ranges
from batchlock.core.rows import Action, Field
from batchlock.store.journal import Journal

# Enough to see that the columns are right, and few enough to fit a screen.
_SAMPLES = 3
# More than the modules that can be locked, so that all are named unless many are custom ones.
_MODULES_NAMED = 20

_ENCODING_SOURCES = {
    EncodingSource.MARK: "by its byte order mark",
    EncodingSource.CONTENT: "its bytes fit no other encoding",
    EncodingSource.OPTION: "as you named it",
    EncodingSource.EARLIER: "as you chose earlier for a file with these titles",
    EncodingSource.SYSTEM: "the code page of this machine",
    EncodingSource.GUESS: "a guess from its letters",
}
_ORIGINS = {
    Origin.TITLE: "",
    Origin.OPTION: "as you named it",
    Origin.VALUES: "recognised by its values",
    Origin.FILE: "known from the file",
    Origin.LOOKUP: "",
}
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}

NOTE_LABEL = "Note"
SAMPLE_LABEL = "Sample"


class PreviewLine(NamedTuple):
    """One line of a preview."""

    label: str
    text: str
    is_cut: bool = False
    """Whether the text may be cut where room is short: a reason can be long."""


def preview_of(journal: Journal) -> Preview:
    """Return what the plan in a journal sends; the same before and after it is sent."""
    info, reading = journal.info, journal.reading
    modules = journal.planned_modules()
    return Preview(
        read_as=ReadAs(
            sheet=info.sheet,
            encoding=info.encoding,
            encoding_source=reading.encoding_source,
            delimiter=info.delimiter,
            header_row=reading.header_row,
            archive_member=reading.archive_member,
            rows_left_out=reading.rows_left_out,
            fields=reading.fields,
            modules=tuple(
                ModuleRows(module=one.module, action=one.action, rows=one.rows) for one in modules
            ),
            labels=reading.labels,
            day_credits=journal.day_credits,
            lookups=sum(one.lookups for one in modules),
            corrections=reading.corrections,
            samples=tuple(
                Sample(
                    row=update.row,
                    action=update.action.value,
                    module=update.module,
                    record_id=update.record_id,
                    lock_id=update.lock_id,
                    reason=update.reason,
                )
                for update in journal.samples(_SAMPLES)
            ),
        ),
        notes=reading.notes,
        finished_before=journal.finished_before,
        action=info.action,
    )


def preview_lines(preview: Preview) -> Iterator[PreviewLine]:
    """Yield the lines that people see before anything is sent, the most important first."""
    read_as = preview.read_as
    yield PreviewLine("Read as", _form_in_words(read_as))
    if read_as.fields:
        yield PreviewLine("Columns", ", ".join(map(_source_in_words, read_as.fields)))
    if read_as.labels:
        yield PreviewLine("Labels", _labels_in_words(read_as))
    if read_as.corrections:
        yield PreviewLine("Corrected", _corrections_in_words(read_as.corrections))
    yield PreviewLine("To send", _rows_in_words(read_as))
    if read_as.calls:
        yield PreviewLine("Takes", _calls_in_words(read_as))
    for note in preview.notes:
        yield PreviewLine(NOTE_LABEL, note_in_words(note))
    for sample in read_as.samples:
        yield PreviewLine(SAMPLE_LABEL, _sample_in_words(sample), is_cut=True)


def note_in_words(note: Note) -> str:
    """Return a note as a sentence that says which rows it is about."""
    if not note.ranges or note.ranges in note.message:
        return note.message
    return f"{note.message} ({'row' if note.rows == 1 else 'rows'} {note.ranges})"


def _sample_in_words(sample: Sample) -> str:
    action = "" if sample.action == Action.UPDATE else f"{sample.action} "
    parts = [f"row {sample.row}: {action}{sample.module} {sample.record_id}"]
    if sample.action != Action.LOCK:
        parts.append("lock id looked up" if sample.lock_id is None else f"lock {sample.lock_id}")
    if sample.action != Action.UNLOCK:
        parts.append(f"reason: {sample.reason}")
    return ", ".join(parts)


def _form_in_words(read_as: ReadAs) -> str:
    parts = []
    if read_as.archive_member is not None:
        parts.append(f'"{read_as.archive_member}" in the archive')
    if read_as.sheet is not None:
        parts.append(f'sheet "{read_as.sheet}"')
    if read_as.encoding is not None:
        source = read_as.encoding_source
        reason = "" if source is None else f" ({_ENCODING_SOURCES[source]})"
        parts.append(f"text in {usual_name(read_as.encoding)}{reason}")
    if read_as.delimiter is not None:
        named = _DELIMITERS.get(read_as.delimiter, f'"{read_as.delimiter}"')
        parts.append(f"cells separated by {named}")
    if read_as.header_row:
        parts.append(f"titles in row {read_as.header_row}")
    if read_as.rows_left_out:
        count = read_as.rows_left_out
        parts.append(f"{count:,} hidden row{'' if count == 1 else 's'} left out")
    return ", ".join(parts) or "a table"


def _source_in_words(source: FieldSource) -> str:
    name = source.field.replace("_", " ")
    reason = f" ({_ORIGINS[source.origin]})" if _ORIGINS[source.origin] else ""
    if source.title is not None:
        return f'{name} "{source.title}"{reason}'
    if source.value is not None:
        # The command says the action, and no option.
        is_named = source.field is not Field.ACTION
        return f"{name} {source.value} in all rows{reason if is_named else ''}"
    return f"{name} looked up in Zoho"


def _rows_in_words(read_as: ReadAs) -> str:
    if not read_as.rows:
        return "nothing"
    by_action = {
        action: [one for one in read_as.modules if one.action == action] for action in Action
    }
    return "; ".join(_modules_in_words(action, one) for action, one in by_action.items() if one)


def _modules_in_words(action: Action, modules: Sequence[ModuleRows]) -> str:
    """Return the rows of one action by module: `3 locks: Deals 2, Leads 1`."""
    named = [f"{one.module} {one.rows:,}" for one in modules[:_MODULES_NAMED]]
    if others := modules[_MODULES_NAMED:]:
        count = "1 more module" if len(others) == 1 else f"{len(others)} more modules"
        named.append(f"{count} {sum(one.rows for one in others):,}")
    rows = sum(one.rows for one in modules)
    return f"{rows:,} {action}{'' if rows == 1 else 's'}: {', '.join(named)}"


def _calls_in_words(read_as: ReadAs) -> str:
    calls = f"{read_as.calls:,} call{'' if read_as.calls == 1 else 's'}"
    credits_ = f"{read_as.credits:,} credit{'' if read_as.credits == 1 else 's'}"
    # Before an unlock the lock is looked at too, for its reason.
    is_for_ids = all(one.action == Action.UPDATE for one in read_as.modules)
    purpose = "look up lock ids" if is_for_ids else "look at locks first"
    lookups = f" ({read_as.lookups:,} to {purpose})" if read_as.lookups else ""
    of_day = "" if read_as.day_credits is None else f" of about {read_as.day_credits:,} in a day"
    return f"{calls}{lookups}, {credits_}{of_day}"


def _corrections_in_words(corrections: Sequence[Correction]) -> str:
    count, rows = len(corrections), sorted({one.row for one in corrections})
    people = ", ".join(sorted({one.person for one in corrections}))
    return (
        f"{count:,} cell{'' if count == 1 else 's'} on the page by {people}, in "
        f"{'row' if len(rows) == 1 else 'rows'} {row_ranges(rows)}; the file was not changed"
    )


def _labels_in_words(read_as: ReadAs) -> str:
    named = [f'"{label}" is {module}' for label, module in read_as.labels.items()]
    others = len(named) - _MODULES_NAMED
    more = [] if others <= 0 else [f"and {others} more"]
    return ", ".join([*named[:_MODULES_NAMED], *more])
