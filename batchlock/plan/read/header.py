"""Find the header row, and in it the columns that batchlock reads."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from batchlock.core.errors import UnreadableFile
from batchlock.core.results import RESULT_TITLES
from batchlock.core.rows import Cell, Field
from batchlock.plan.actions import USED_BY, default_action
from batchlock.plan.read.column_values import column_cells, zcrm_columns
from batchlock.plan.read.table import Header, ReadOptions, title_text
from batchlock.plan.read.titles import TITLES, comparable, matching_columns
from batchlock.plan.read.zoho_files import module_of_file

# Reports have a heading, filters and blank lines above the titles. A bound is needed, because a
# file without a header would otherwise be read to its end, once for each delimiter.
HEADER_ROWS = 20
# The rows below the titles that are looked at when the titles alone do not tell the columns. A
# column of ids shows itself in few rows; more than a few are needed where cells are blank.
_SAMPLE_ROWS = 100
# Together with the rows above. A sheet may have 16,384 columns.
_SAMPLE_CELLS = 400_000
# How far down titles are looked for when the first rows have none, for the message alone.
_LOW_HEADER_ROWS = 1_000

# What `report.cells.result_titles` appends to a result title that the input has too.
_SUFFIX = " (batchlock)"
# The apostrophe that the CSV report puts before each of these characters, so that no spreadsheet
# program runs the cell as a formula. A doubled apostrophe is one that the cell had itself.
_FORMULA_PREFIX = re.compile(r"'(?=[=+\-@'\t\r])")


class FirstRows:
    """The first rows of a sheet, read as far as somebody looks at them."""

    def __init__(self, rows: Iterable[Sequence[Cell]]) -> None:
        self._source = iter(rows)
        self._rows: list[Sequence[Cell]] = []
        self._cells = 0
        self.error: UnreadableFile | None = None
        """What ended the reading."""

    def first(self, count: int) -> Sequence[Sequence[Cell]]:
        """Return the first `count` rows, or fewer when there are no more or they are very wide."""
        try:
            for row in islice(self._source, max(0, count - len(self._rows))):
                self._rows.append(row)
                self._cells += len(row)
                if self._cells > _SAMPLE_CELLS and len(self._rows) >= HEADER_ROWS:
                    break
        except UnreadableFile as error:
            self.error = error
        return self._rows[:count]

    def below(self, number: int) -> Sequence[Sequence[Cell]]:
        """Return some rows below a row, whose number is given as a spreadsheet shows it."""
        return self.first(number + _SAMPLE_ROWS)[number:]


def find_header(
    rows: Iterable[Sequence[Cell]] | FirstRows, options: ReadOptions, *, prefixed: bool = False
) -> Header:
    """Return the first row with all titles that are needed, else the row with most of them.

    `prefixed` tells that results files of this format have an apostrophe before cells that look
    like formulas.
    """
    head = rows if isinstance(rows, FirstRows) else FirstRows(rows)
    headers = []
    chosen = options.header_row
    for number, row in enumerate(head.first(chosen or HEADER_ROWS), 1):
        if chosen is not None and number != chosen:
            continue
        header = _read_header(number, row, options, prefixed=prefixed)
        if not header.missing:
            header = _with_doubt(header, head)
            # A person is asked which of them it is, and needs to see what they hold.
            return replace(header, sample=_sample(header, head)) if header.ambiguous else header
        headers.append(header)
    headers = [_with_record_id_by_values(header, head, options) for header in headers]
    for header in headers:
        if not header.missing:
            return header
    best = max(
        headers,
        key=lambda header: (len(header.fields), bool(header.titles)),
        default=_no_header(options),
    )
    if Field.ACTION in best.fields:
        # The rows may show that no field is missing: see `action_column`.
        best = _with_doubt(best, head)
    return replace(best, sample=_sample(best, head))


def low_header_row(rows: Iterable[Sequence[Cell]], options: ReadOptions) -> int | None:
    """Return the row number of titles that stand too low to be looked for, if there are any."""
    below = islice(enumerate(rows, 1), HEADER_ROWS, _LOW_HEADER_ROWS)
    try:
        for number, row in below:
            if not _read_header(number, row, options, prefixed=False).missing:
                return number
    except UnreadableFile:
        pass  # the message is about the titles; what is below them does not matter yet
    return None


def _sample(header: Header, head: FirstRows) -> tuple[Sequence[Cell], ...]:
    return tuple(head.below(header.row))


def strip_formula_prefix(cell: str) -> str:
    """Remove the apostrophe that the CSV report puts before a cell that looks like a formula."""
    return cell[1:] if _FORMULA_PREFIX.match(cell) else cell


def _no_header(options: ReadOptions) -> Header:
    return Header(
        row=0,
        titles=(),
        result_columns={},
        fields={},
        ambiguous={},
        missing=_needed_fields(options),
    )


def _needed_fields(options: ReadOptions) -> tuple[Field, ...]:
    """Return the fields that a row must have to be the header."""
    optional = {Field.ACTION, *options.constants}
    if not options.lock_id_needed:
        optional.add(Field.LOCK_ID)
    if Field.ACTION in options.constants:
        action = default_action(options.constants)
        optional.update(field for field, actions in USED_BY.items() if action not in actions)
    return tuple(
        field for field in Field if field in options.explicit_columns or field not in optional
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
    is_exact = True
    ours = set(result_columns.values())
    free = [i for i, title in enumerate(titles) if title.strip() and i not in ours]
    # The fields that the user named a column for go first, so that no built-in title of another
    # field takes that column.
    for field in sorted(Field, key=lambda field: not _is_named(field, options)):
        matches, is_best = _matching_columns(field, options, titles, free)
        if matches:
            fields[field] = matches[0]
            free.remove(matches[0])
            is_exact = is_exact and (is_best or field is not Field.RECORD_ID)
        if len(matches) > 1:
            ambiguous[field] = tuple(titles[i] for i in matches)
    constants = dict(options.constants)
    file_module = None
    if Field.MODULE not in fields and Field.MODULE not in constants:
        file_module = module_of_file(
            options.file_name, titles, options.custom_modules, options.org_modules
        )
        if file_module.module is not None:
            constants[Field.MODULE] = file_module.module
    missing = (field for field in _needed_fields(options) if field not in fields)
    return Header(
        row=number,
        titles=tuple(titles),
        result_columns=result_columns,
        fields=fields,
        ambiguous=ambiguous,
        missing=tuple(
            field
            for field in missing
            if field not in constants or field in options.explicit_columns
        ),
        named=frozenset(field for field in fields if _is_named(field, options)),
        constants=constants,
        file_module=file_module,
        is_exact=is_exact,
    )


def _free_columns(header: Header) -> Iterator[int]:
    """Yield the columns with a title that serve no field and are none of ours."""
    used = {*header.fields.values(), *header.result_columns.values()}
    return (i for i, title in enumerate(header.titles) if title.strip() and i not in used)


def _with_doubt(header: Header, head: FirstRows) -> Header:
    """Return the header, with a column of ids as a rival of one that is just called `Id`."""
    if header.is_exact or Field.RECORD_ID in header.ambiguous:
        return header
    sample = head.below(header.row)
    position = header.fields[Field.RECORD_ID]
    if [*zcrm_columns(sample, header.titles, [position])]:
        return header
    # Bare digits under `Id` are the ids of a Bulk Read; with Zoho's own ids beside them they may be
    # any number.
    rivals = [*zcrm_columns(sample, header.titles, [*_free_columns(header)])]
    if not rivals or not column_cells(sample, position):
        return header
    titles = tuple(header.titles[i] for i in (position, *rivals))
    return replace(header, ambiguous={**header.ambiguous, Field.RECORD_ID: titles})


def _with_record_id_by_values(header: Header, head: FirstRows, options: ReadOptions) -> Header:
    """Return the header with the column of the record ids that its cells show, if there is one."""
    if Field.RECORD_ID not in header.missing or Field.RECORD_ID in options.explicit_columns:
        return header
    free = [*_free_columns(header)]
    columns = [*zcrm_columns(head.below(header.row), header.titles, free)] if free else []
    if not columns:
        return header
    titles = tuple(header.titles[i] for i in columns)
    ambiguous = {Field.RECORD_ID: titles} if len(titles) > 1 else {}
    return replace(
        header,
        fields={**header.fields, Field.RECORD_ID: columns[0]},
        ambiguous={**header.ambiguous, **ambiguous},
        missing=tuple(field for field in header.missing if field is not Field.RECORD_ID),
        by_values=frozenset({Field.RECORD_ID}),
    )


def _is_named(field: Field, options: ReadOptions) -> bool:
    return field in options.explicit_columns or field in options.columns


def _matching_columns(
    field: Field, options: ReadOptions, titles: Sequence[str], free: Sequence[int]
) -> tuple[list[int], bool]:
    """Return the positions that match a field best, and whether they match its best title.

    There are several if they match equally well.
    """
    is_explicit = field in options.explicit_columns
    by_user = (options.explicit_columns[field],) if is_explicit else options.columns.get(field, ())
    # The exact spelling goes first: it distinguishes two titles that differ only in case or spaces.
    attempts: list[tuple[Callable[[str], str], Sequence[str]]] = [
        (str.strip, by_user),
        (comparable, by_user),
    ]
    best = len(attempts)
    if not is_explicit:
        attempts += [(comparable, tier) for tier in TITLES[field]]
    matches, number = matching_columns(titles, free, attempts)
    return matches, number <= best


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
    # A file of an earlier version has no such column of ours, but may have one of its own.
    message = positions.get("Message")
    if message is not None and positions.get("Previous reason") != message + 1:
        positions.pop("Previous reason", None)
    return positions if "Result" in positions and "Row check" in positions else {}
