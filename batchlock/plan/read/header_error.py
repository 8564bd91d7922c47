"""Say why a table cannot be used, from its titles and the first cells below them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from batchlock.core.errors import BatchlockError, UnreadableFile, UsageError
from batchlock.core.rows import Cell, Field
from batchlock.plan.faults import quoted
from batchlock.plan.locked_column import locked_column
from batchlock.plan.modules import WHERE_API_NAMES_ARE, ModuleNames
from batchlock.plan.read.column_values import (
    are_long_ids,
    column_cells,
    fits,
    has_sentences,
    sample_values,
)
from batchlock.plan.read.table import Header, ReadOptions, title_text
from batchlock.plan.read.titles import (
    FIELD_NAMES,
    TITLES,
    comparable,
    names_other_thing,
    title_allows,
    title_resembles,
)

# A table may have hundreds of columns, and a header that is really text has very long titles: a
# message with all of them would fill the screen.
_MAX_TITLES_IN_MESSAGE = 40
_MAX_TITLE_LENGTH = 40


def header_error(name: str, header: Header, options: ReadOptions) -> BatchlockError | None:
    """Return the reason why a table with this header cannot be used, or None if it can be used.

    `name` is what the message calls the table: the file name, with the sheet if there are more.
    """
    if not header.titles and options.header_row is not None:
        return UnreadableFile(
            f"{name}: row {options.header_row} was chosen for the titles, and it is blank or below "
            "the last row. Choose another row.",
        )
    if not header.titles:
        return UnreadableFile(
            f"{name}: there are no rows in it. Name the file or the sheet with the table."
        )
    for field, titles in header.ambiguous.items():
        remedy = page_remedy = "Rename one of them"
        if len(set(titles)) > 1:
            remedy += f", or name the right one with {_column_option(field, titles[0])}"
            page_remedy += ", or choose the right one below"
        fact = f"{name}: more than one column fits {FIELD_NAMES[field]}: {_title_list(titles)}."
        return UnreadableFile(
            f"{fact} {remedy}.",
            columns=_input_titles(header),
            samples=_input_samples(header),
            page_message=f"{fact} {page_remedy}.",
        )
    for field in header.missing:
        if field in options.explicit_columns:
            return _no_such_column(name, header, field, options.explicit_columns[field])
    if header.missing:
        return _missing_columns(name, header, options)
    return None


def _no_such_column(name: str, header: Header, field: Field, title: str) -> UsageError:
    nearest = _nearest_title(header, [title])
    suggestion = f' Did you mean "{nearest}"?' if nearest else ""
    fact = (
        f'{name}: there is no column "{title}" for {FIELD_NAMES[field]}. '
        f"The columns are: {_title_list(_input_titles(header))}.{suggestion}"
    )
    return UsageError(
        fact,
        columns=_input_titles(header),
        samples=_input_samples(header),
        page_message=f"{fact} Choose the right one below.",
    )


def low_header_error(name: str, row: int, missing: Sequence[Field]) -> UnreadableFile:
    """Return the refusal of a table whose titles stand below the rows that are searched."""
    return UnreadableFile(
        f"{name}: no column for {_names(missing)} in the first 20 rows, where titles are looked "
        f"for. They stand in row {row}. Delete the rows above them and save the file."
    )


def hidden_sheet_error(name: str, sheet: str, missing: Sequence[Field]) -> UnreadableFile:
    """Return the refusal of a workbook whose titles stand on a hidden sheet only."""
    fact = (
        f"{name}: no column for {_names(missing)} on a visible sheet, but the hidden sheet "
        f'"{sheet}" has all of them.'
    )
    return UnreadableFile(
        f'{fact} If it is meant, name it with --sheet "{sheet}".',
        sheets=[sheet],
        page_message=f"{fact} If it is meant, choose it below.",
    )


def _missing_columns(name: str, header: Header, options: ReadOptions) -> UnreadableFile:
    fact = (
        f"{name}: no column for {_names(header.missing)}. "
        f"The columns are: {_title_list(_input_titles(header))}."
    )
    proposals = _proposals(header, options)
    return UnreadableFile(
        f"{fact} {' '.join(_remedies(header, proposals))}",
        columns=_input_titles(header),
        samples=_input_samples(header),
        page_message=f"{fact} {' '.join(_page_remedies(header, proposals))}",
    )


def _names(fields: Sequence[Field]) -> str:
    *first, last = (FIELD_NAMES[field] for field in fields)
    return f"{', '.join(first)} and {last}" if first else last


def _remedies(header: Header, proposals: Mapping[Field, int]) -> Iterator[str]:
    """Yield what to do about the missing columns, in sentences."""
    named = [
        field
        for field in header.missing
        if field in proposals or field in (Field.RECORD_ID, Field.LOCK_ID)
    ]
    if named:
        titles = {field: header.titles[position] for field, position in proposals.items()}
        texts = [_column_option(field, titles.get(field, "TITLE")) for field in named]
        yield f"Name {'it' if len(named) == 1 else 'them'} with {' '.join(texts)}."
    for field, title, values in _proposed_values(header, proposals):
        yield f'"{title}", for {FIELD_NAMES[field]}, holds {values}.'
    if Field.REASON in header.missing:
        is_proposed = Field.REASON in proposals
        yield (
            'Or give one reason for all rows with --reason "TEXT".'
            if is_proposed
            else 'Add a column Reason, or give one reason for all rows with --reason "TEXT", or '
            'name the column with --column reason="TITLE".'
        )
    if Field.MODULE in header.missing:
        yield _module_remedy(header, is_proposed=Field.MODULE in proposals)


def _proposed_values(
    header: Header, proposals: Mapping[Field, int]
) -> Iterator[tuple[Field, str, str]]:
    """Yield for each proposed column its field, its title, and two of its values."""
    for field, position in proposals.items() if header.sample else ():
        cells = list(dict.fromkeys(map(title_text, column_cells(header.sample, position))))
        yield field, _shorten(header.titles[position]), ", ".join(map(quoted, cells[:2]))


def _page_remedies(header: Header, proposals: Mapping[Field, int]) -> Iterator[str]:
    """Yield the remedies for the web page, which has a form for them below the message."""
    for field, title, values in _proposed_values(header, proposals):
        yield f'"{title}" may be {FIELD_NAMES[field]}: it holds {values}.'
    for_all_rows = [field for field in (Field.MODULE, Field.REASON) if field in header.missing]
    file_module = header.file_module
    if Field.MODULE in for_all_rows and file_module is not None and file_module.because:
        yield file_module.because
        if file_module.proposal is not None:
            proposal = file_module.proposal
            yield f"If all rows are {proposal}, choose that as the module for all rows below."
    alternative = "".join(f", or one {field} for all rows" for field in for_all_rows)
    yield f"Choose below which column is which{alternative}."


def _module_remedy(header: Header, *, is_proposed: bool) -> str:
    file_module = header.file_module
    if is_proposed:
        return "Or name one module for all rows with --module NAME."
    if file_module is not None and file_module.proposal is not None:
        proposal = file_module.proposal
        return f"{file_module.because} If all rows are {proposal}, add --module {proposal}."
    because = f"{file_module.because} " if file_module is not None and file_module.because else ""
    where = "" if WHERE_API_NAMES_ARE in because else f" {WHERE_API_NAMES_ARE}."
    return (
        f"{because}If all rows belong to one module, add --module with its API name, such as "
        f"--module Deals.{where}"
    )


def _proposals(header: Header, options: ReadOptions) -> dict[Field, int]:
    """Return a column for each missing field whose cells fit it, if one stands out.

    It stands out by a title that is similar to a known one, or because no other column fits.
    """
    modules = ModuleNames(options.custom_modules, options.org_modules)
    used = {*header.fields.values(), *header.result_columns.values(), locked_column(header.titles)}
    proposals: dict[Field, int] = {}
    for field in header.missing:
        fitting = {
            position: cells
            for position, title in enumerate(header.titles)
            if title.strip()
            and position not in used
            and title_allows(field, title)
            and (
                fits(field, cells := column_cells(header.sample, position), modules)
                or not header.sample  # nothing can be sent from a table without rows
            )
        }
        similar = [
            position for position in fitting if title_resembles(field, header.titles[position])
        ]
        position = _nearest_column(header, similar, [one for tier in TITLES[field] for one in tier])
        if position is None and field is not Field.REASON:
            position = _only_column(field, fitting)
        if position is None and field is Field.REASON:
            position = _only_column_of_reasons(header, fitting)
        if position is not None:
            proposals[field] = position
            used.add(position)
    return proposals


def _only_column(field: Field, fitting: dict[int, list[Cell]]) -> int | None:
    """Return the only column whose cells fit, if they do without the help of a title."""
    positions = [
        position
        for position, cells in fitting.items()
        if cells and (field is Field.MODULE or are_long_ids(cells))
    ]
    return positions[0] if len(positions) == 1 else None


def _only_column_of_reasons(header: Header, fitting: dict[int, list[Cell]]) -> int | None:
    # Every column of names in a file of Zoho's own would pass for one of reasons.
    if header.file_module is not None and header.file_module.is_zohos:
        return None
    sentences = [
        position
        for position, cells in fitting.items()
        if has_sentences(cells) and not names_other_thing(header.titles[position])
    ]
    return sentences[0] if len(sentences) == 1 else None


def _input_titles(header: Header) -> list[str]:
    return [header.titles[position] for position in _input_columns(header)]


def _input_samples(header: Header) -> list[list[str]]:
    """Return some different values of each title of `_input_titles`."""
    return [
        sample_values(column_cells(header.sample, position)) for position in _input_columns(header)
    ]


def _input_columns(header: Header) -> list[int]:
    ours = set(header.result_columns.values())
    return [i for i, title in enumerate(header.titles) if title.strip() and i not in ours]


def _nearest_title(header: Header, expected: Iterable[str]) -> str | None:
    """Return the title most similar to one of `expected`, among columns that serve no field."""
    used = {*header.fields.values(), *header.result_columns.values()}
    free = [i for i in range(len(header.titles)) if i not in used]
    position = _nearest_column(header, free, expected)
    return None if position is None else header.titles[position]


def _nearest_column(
    header: Header, positions: Iterable[int], expected: Iterable[str]
) -> int | None:
    by_title = {comparable(header.titles[i]): i for i in positions}
    nearest = [
        match for title in expected for match in get_close_matches(comparable(title), by_title, n=1)
    ]
    return by_title[nearest[0]] if nearest else None


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
