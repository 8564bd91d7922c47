"""Find the row of titles, and in it the columns that batchlock reads."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice

from batchlock.core.errors import BatchlockError, UnreadableFile, UsageError
from batchlock.core.results import RESULT_TITLES
from batchlock.core.rows import Cell, Field
from batchlock.plan.read.table import Header, ReadOptions, title_text

HEADER_ROWS = 20
"""How many rows from the top may be the header."""

TITLES: Mapping[Field, tuple[tuple[str, ...], ...]] = {
    Field.MODULE: (("Module",), ("Module name", "Module API name")),
    Field.RECORD_ID: (("Record Id",), ("Id of record",), ("Id",)),
    Field.LOCK_ID: (("Lock Id",), ("Locking Id", "Record Locking Id")),
    Field.REASON: (("Reason",), ("Locked Reason", "Locked_Reason__s")),
}
"""The titles of each field, the more exact ones first."""

_NAMES = {
    Field.MODULE: "the module",
    Field.RECORD_ID: "the record id",
    Field.LOCK_ID: "the lock id",
    Field.REASON: "the reason",
}
_LOOSE = re.compile(r"[\s_\-\u200b\ufeff]+")
_SUFFIX = " (batchlock)"
_PREFIXED = re.compile(r"'(?=[=+\-@'\t\r])")
_MOST_NAMED = 40


def find_header(
    rows: Iterable[Sequence[Cell]], options: ReadOptions, *, prefixed: bool = False
) -> Header:
    """Return the first row that has every title, else the one that has most of them.

    `prefixed` says that a results file of this format carries apostrophes before cells that look
    like formulas.
    """
    best = Header(
        row=0, titles=(), result_columns={}, fields={}, ambiguous={}, missing=_needed(options)
    )
    for number, row in enumerate(islice(rows, HEADER_ROWS), 1):
        header = _match(number, row, options, prefixed=prefixed)
        if not header.missing:
            return header
        if (len(header.fields), bool(header.titles)) > (len(best.fields), bool(best.titles)):
            best = header
    return best


def header_error(name: str, header: Header, options: ReadOptions) -> BatchlockError | None:
    """Return why a table with this header cannot be used, None when it can."""
    if not header.titles:
        return UnreadableFile(f"{name}: there are no rows in it.")
    for field, titles in header.ambiguous.items():
        remedy = "Rename one of them"
        if len(set(titles)) > 1:
            remedy += f", or name the right one with {_option(field, titles[0])}"
        return UnreadableFile(
            f"{name}: more than one column fits {_NAMES[field]}: {_listed(titles)}. {remedy}.",
            columns=_columns(header),
        )
    for field in header.missing:
        if field in options.explicit_columns:
            return _no_such_column(name, header, field, options.explicit_columns[field])
    if header.missing:
        return _missing_columns(name, header)
    return None


def strip_formula_prefix(cell: str) -> str:
    """Take away the apostrophe that our results put before a cell that looks like a formula."""
    return cell[1:] if _PREFIXED.match(cell) else cell


def _needed(options: ReadOptions) -> tuple[Field, ...]:
    """Return the fields without which a row is no header."""
    return tuple(
        field
        for field in Field
        if field is not Field.LOCK_ID or options.lock_id_needed or field in options.explicit_columns
    )


def _match(number: int, row: Sequence[Cell], options: ReadOptions, *, prefixed: bool) -> Header:
    titles = [title_text(cell) for cell in row]
    while titles and not titles[-1].strip():
        titles.pop()
    own = _result_columns(titles)
    if own and prefixed:
        titles = [strip_formula_prefix(title) for title in titles]
    fields: dict[Field, int] = {}
    ambiguous: dict[Field, tuple[str, ...]] = {}
    free = [i for i, title in enumerate(titles) if title.strip() and i not in own.values()]
    # What a person has named is settled first, so that no built-in title takes the same column.
    for field in sorted(Field, key=lambda field: not _named(field, options)):
        fitting = _fitting(field, options, titles, free)
        if fitting:
            fields[field] = fitting[0]
            free.remove(fitting[0])
        if len(fitting) > 1:
            ambiguous[field] = tuple(titles[i] for i in fitting)
    missing = tuple(field for field in _needed(options) if field not in fields)
    return Header(
        row=number,
        titles=tuple(titles),
        result_columns=own,
        fields=fields,
        ambiguous=ambiguous,
        missing=missing,
    )


def _named(field: Field, options: ReadOptions) -> bool:
    return field in options.explicit_columns or field in options.columns


def _fitting(
    field: Field, options: ReadOptions, titles: Sequence[str], free: Sequence[int]
) -> list[int]:
    """Return the columns that fit a field best: more than one when they fit equally well."""
    by_hand = (
        (options.explicit_columns[field],)
        if field in options.explicit_columns
        else options.columns.get(field, ())
    )
    # As it is written, a title tells apart two that differ only in case or spaces.
    tries: list[tuple[Callable[[str], str], tuple[str, ...]]] = [
        (str.strip, by_hand),
        (_loose, by_hand),
    ]
    if field not in options.explicit_columns:
        tries += [(_loose, tier) for tier in TITLES[field]]
    for form, tier in tries:
        wanted = {form(title) for title in tier}
        fitting = [i for i in free if form(titles[i]) in wanted]
        if fitting:
            return fitting
    return []


def _result_columns(titles: Sequence[str]) -> Mapping[str, int]:
    """Return where our own columns are in a results file that is given back; else nothing."""
    last = {title.strip(): i for i, title in enumerate(titles)}
    own = {}
    for title in RESULT_TITLES:
        position = last.get(title + _SUFFIX, last.get(title))
        if position is not None:
            own[title] = position
    return own if "Result" in own and "Row check" in own else {}


def _loose(title: str) -> str:
    return _LOOSE.sub("", title).casefold()


def _no_such_column(name: str, header: Header, field: Field, explicit_columns: str) -> UsageError:
    near = _nearest(header, [explicit_columns])
    hint = f' Did you mean "{near}"?' if near else ""
    return UsageError(
        f'{name}: there is no column "{explicit_columns}" for {_NAMES[field]}. '
        f"The columns are: {_listed(_columns(header))}.{hint}",
        columns=_columns(header),
    )


def _missing_columns(name: str, header: Header) -> UnreadableFile:
    missing = [_NAMES[field] for field in header.missing]
    options = []
    for field in header.missing:
        near = _nearest(header, [title for tier in TITLES[field] for title in tier])
        options.append(_option(field, near or "TITLE"))
    return UnreadableFile(
        f"{name}: no column for {' and '.join(missing)}. "
        f"The columns are: {_listed(_columns(header))}. "
        f"Name {'it' if len(missing) == 1 else 'them'} with {' '.join(options)}.",
        columns=_columns(header),
    )


def _columns(header: Header) -> list[str]:
    own = set(header.result_columns.values())
    return [t for i, t in enumerate(header.titles) if t.strip() and i not in own]


def _nearest(header: Header, wanted: Iterable[str]) -> str | None:
    """Return the title nearest to what is wanted, among those that serve for no other field."""
    taken = {*header.fields.values(), *header.result_columns.values()}
    loose = {_loose(t): t for i, t in enumerate(header.titles) if i not in taken}
    near = [hit for title in wanted for hit in get_close_matches(_loose(title), loose, n=1)]
    return loose[near[0]] if near else None


def _option(field: Field, title: str) -> str:
    return f'--column {field}="{" ".join(title.split())}"'


def _listed(titles: Sequence[str]) -> str:
    shown = [_short(title) for title in titles[:_MOST_NAMED]]
    if len(titles) > _MOST_NAMED:
        shown.append(f"and {len(titles) - _MOST_NAMED} more")
    return ", ".join(shown)


def _short(title: str) -> str:
    title = " ".join(title.split())
    return title if len(title) <= _MOST_NAMED else f"{title[:_MOST_NAMED]}…"
