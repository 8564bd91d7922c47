"""Find the header row, and in it the columns that batchlock reads."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice

from batchlock.core.errors import BatchlockError, UnreadableFile, UsageError
from batchlock.core.results import RESULT_TITLES
from batchlock.core.rows import Cell, Field
from batchlock.plan.read.table import Header, ReadOptions, title_text

# Reports have a heading, filters and blank lines above the titles. A bound is needed, because a
# file without a header would otherwise be read to its end, once for each delimiter.
HEADER_ROWS = 20

# The titles of each field, the most exact ones first. `Record Id` is the title in Zoho's exports,
# so it wins over `ID`; the names that end in `__s` are those of Zoho's API.
_TITLES: Mapping[Field, tuple[tuple[str, ...], ...]] = {
    Field.MODULE: (("Module",), ("Module name", "Module API name")),
    Field.RECORD_ID: (("Record Id",), ("Id of record",), ("Id",)),
    Field.LOCK_ID: (("Lock Id",), ("Locking Id", "Record Locking Id")),
    Field.REASON: (("Reason",), ("Locked Reason", "Locked_Reason__s")),
}
_FIELD_NAMES = {
    Field.MODULE: "the module",
    Field.RECORD_ID: "the record id",
    Field.LOCK_ID: "the lock id",
    Field.REASON: "the reason",
}
# What titles may differ in: `Record Id`, `record_id`, `RECORD-ID`. A zero-width space and a byte
# order mark are invisible, so nobody could see why a title with one of them does not match.
_IGNORED_IN_TITLES = re.compile(r"[\s_\-\u200b\ufeff]+")
# What `report.cells.result_titles` appends to a result title that the input has too.
_SUFFIX = " (batchlock)"
# The apostrophe that the CSV report puts before each of these characters, so that no spreadsheet
# program runs the cell as a formula. A doubled apostrophe is one that the cell had itself.
_FORMULA_PREFIX = re.compile(r"'(?=[=+\-@'\t\r])")
# A table may have hundreds of columns, and a header that is really text has very long titles: a
# message with all of them would fill the screen.
_MAX_TITLES_IN_MESSAGE = 40
_MAX_TITLE_LENGTH = 40


def find_header(
    rows: Iterable[Sequence[Cell]], options: ReadOptions, *, prefixed: bool = False
) -> Header:
    """Return the first row with all titles that are needed, else the row with most of them.

    `prefixed` tells that results files of this format have an apostrophe before cells that look
    like formulas.
    """
    best = Header(
        row=0,
        titles=(),
        result_columns={},
        fields={},
        ambiguous={},
        missing=_needed_fields(options),
    )
    for number, row in enumerate(islice(rows, HEADER_ROWS), 1):
        header = _read_header(number, row, options, prefixed=prefixed)
        if not header.missing:
            return header
        if (len(header.fields), bool(header.titles)) > (len(best.fields), bool(best.titles)):
            best = header
    return best


def header_error(name: str, header: Header, options: ReadOptions) -> BatchlockError | None:
    """Return the reason why a table with this header cannot be used, or None if it can be used.

    `name` is what the message calls the table: the file name, with the sheet if there are more.
    """
    if not header.titles:
        return UnreadableFile(f"{name}: there are no rows in it.")
    for field, titles in header.ambiguous.items():
        remedy = "Rename one of them"
        if len(set(titles)) > 1:
            remedy += f", or name the right one with {_column_option(field, titles[0])}"
        return UnreadableFile(
            f"{name}: more than one column fits {_FIELD_NAMES[field]}: {_title_list(titles)}. "
            f"{remedy}.",
            columns=_input_titles(header),
        )
    for field in header.missing:
        if field in options.explicit_columns:
            return _no_such_column(name, header, field, options.explicit_columns[field])
    if header.missing:
        return _missing_columns(name, header)
    return None


def strip_formula_prefix(cell: str) -> str:
    """Remove the apostrophe that the CSV report puts before a cell that looks like a formula."""
    return cell[1:] if _FORMULA_PREFIX.match(cell) else cell


def _needed_fields(options: ReadOptions) -> tuple[Field, ...]:
    """Return the fields that a row must have to be the header."""
    return tuple(
        field
        for field in Field
        if field is not Field.LOCK_ID or options.lock_id_needed or field in options.explicit_columns
    )


def _read_header(
    number: int, row: Sequence[Cell], options: ReadOptions, *, prefixed: bool
) -> Header:
    titles = [title_text(cell) for cell in row]
    while titles and not titles[-1].strip():
        titles.pop()
    result_columns = _result_columns(titles)
    if result_columns and prefixed:
        titles = [strip_formula_prefix(title) for title in titles]
    fields: dict[Field, int] = {}
    ambiguous: dict[Field, tuple[str, ...]] = {}
    ours = set(result_columns.values())
    free = [i for i, title in enumerate(titles) if title.strip() and i not in ours]
    # The fields that the user named a column for go first, so that no built-in title of another
    # field takes that column.
    for field in sorted(Field, key=lambda field: not _is_named(field, options)):
        matches = _matching_columns(field, options, titles, free)
        if matches:
            fields[field] = matches[0]
            free.remove(matches[0])
        if len(matches) > 1:
            ambiguous[field] = tuple(titles[i] for i in matches)
    missing = tuple(field for field in _needed_fields(options) if field not in fields)
    return Header(
        row=number,
        titles=tuple(titles),
        result_columns=result_columns,
        fields=fields,
        ambiguous=ambiguous,
        missing=missing,
        named=frozenset(field for field in fields if _is_named(field, options)),
    )


def _is_named(field: Field, options: ReadOptions) -> bool:
    return field in options.explicit_columns or field in options.columns


def _matching_columns(
    field: Field, options: ReadOptions, titles: Sequence[str], free: Sequence[int]
) -> list[int]:
    """Return the positions that match a field best: several if they match equally well."""
    by_user = (
        (options.explicit_columns[field],)
        if field in options.explicit_columns
        else options.columns.get(field, ())
    )
    # The exact spelling goes first: it distinguishes two titles that differ only in case or spaces.
    tries: list[tuple[Callable[[str], str], tuple[str, ...]]] = [
        (str.strip, by_user),
        (_comparable, by_user),
    ]
    if field not in options.explicit_columns:
        tries += [(_comparable, tier) for tier in _TITLES[field]]
    for normalise, candidates in tries:
        accepted = {normalise(title) for title in candidates}
        matches = [i for i in free if normalise(titles[i]) in accepted]
        if matches:
            return matches
    return []


def _result_columns(titles: Sequence[str]) -> Mapping[str, int]:
    """Return the positions of the columns that batchlock added, nothing if it is no results file.

    A results file has at least Result and Row check.
    """
    last = {title.strip(): i for i, title in enumerate(titles)}
    positions = {}
    for title in RESULT_TITLES:
        # The suffix is there once more than in the input, which may have titles with suffix too.
        name = title
        while name + _SUFFIX in last:
            name += _SUFFIX
        if name in last:
            positions[title] = last[name]
    return positions if "Result" in positions and "Row check" in positions else {}


def _comparable(title: str) -> str:
    return _IGNORED_IN_TITLES.sub("", title).casefold()


def _no_such_column(name: str, header: Header, field: Field, title: str) -> UsageError:
    nearest = _nearest_title(header, [title])
    hint = f' Did you mean "{nearest}"?' if nearest else ""
    return UsageError(
        f'{name}: there is no column "{title}" for {_FIELD_NAMES[field]}. '
        f"The columns are: {_title_list(_input_titles(header))}.{hint}",
        columns=_input_titles(header),
    )


def _missing_columns(name: str, header: Header) -> UnreadableFile:
    missing = [_FIELD_NAMES[field] for field in header.missing]
    column_options = []
    for field in header.missing:
        nearest = _nearest_title(header, [title for tier in _TITLES[field] for title in tier])
        column_options.append(_column_option(field, nearest or "TITLE"))
    return UnreadableFile(
        f"{name}: no column for {' and '.join(missing)}. "
        f"The columns are: {_title_list(_input_titles(header))}. "
        f"Name {'it' if len(missing) == 1 else 'them'} with {' '.join(column_options)}.",
        columns=_input_titles(header),
    )


def _input_titles(header: Header) -> list[str]:
    ours = set(header.result_columns.values())
    return [title for i, title in enumerate(header.titles) if title.strip() and i not in ours]


def _nearest_title(header: Header, expected: Iterable[str]) -> str | None:
    """Return the title most similar to one of `expected`, among columns that serve no field."""
    used = {*header.fields.values(), *header.result_columns.values()}
    titles = {_comparable(t): t for i, t in enumerate(header.titles) if i not in used}
    nearest = [
        match for title in expected for match in get_close_matches(_comparable(title), titles, n=1)
    ]
    return titles[nearest[0]] if nearest else None


def _column_option(field: Field, title: str) -> str:
    return f'--column {field}="{" ".join(title.split())}"'


def _title_list(titles: Sequence[str]) -> str:
    parts = [_shorten(title) for title in titles[:_MAX_TITLES_IN_MESSAGE]]
    if len(titles) > _MAX_TITLES_IN_MESSAGE:
        parts.append(f"and {len(titles) - _MAX_TITLES_IN_MESSAGE} more")
    return ", ".join(parts)


def _shorten(title: str) -> str:
    title = " ".join(title.split())
    return title if len(title) <= _MAX_TITLE_LENGTH else f"{title[:_MAX_TITLE_LENGTH]}…"
