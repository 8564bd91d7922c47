"""Read a text file: detect its delimiter, find its header, yield its rows."""

import csv
import re
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from batchlock.core.errors import UnreadableFile, UsageError
from batchlock.core.rows import Cell
from batchlock.plan.read.action_column import with_actions
from batchlock.plan.read.encoding import Undecided, detect_encoding, machine_encoding
from batchlock.plan.read.header import (
    HEADER_ROWS,
    FirstRows,
    find_header,
    low_header_row,
    strip_formula_prefix,
)
from batchlock.plan.read.header_error import header_error, low_header_error
from batchlock.plan.read.lenient_csv import MAX_CELL_LENGTH, lenient_rows
from batchlock.plan.read.table import Header, ReadOptions, Sheet, is_filled
from batchlock.plan.read.undecided import undecided_error

# Characters. A file without line ends, such as a disk image, would otherwise be read into memory
# as one line; 16 cells of the greatest length still fit.
_MAX_LINE_LENGTH = 1 << 24
# No spreadsheet program shows more columns, so cells beyond are either blank or not a table.
_MAX_COLUMNS = 1 << 14

_DELIMITERS = (",", ";", "\t", "|")
_DELIMITER_NAMES = {
    "comma": ",",
    "semicolon": ";",
    "tab": "\t",
    "\\t": "\t",
    "bar": "|",
    "pipe": "|",
}
# Excel obeys a first line `sep=;` and does not show it. Saving such a file again may put the line
# in quotation marks, or fill it with delimiters to the width of the table.
_SEP_LINE = re.compile(r'"?sep=([^\r\n"])"?[ ,;|\t]*[\r\n]*', re.IGNORECASE)
# A `sep=` line is short: of a longer first line, reading this much is enough to rule it out.
_SEP_LINE_LENGTH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dialect:
    """A text file and one way to split it into cells."""

    path: Path
    encoding: str
    delimiter: str
    has_sep_line: bool
    """Whether the first line names the delimiter. Spreadsheet programs do not count that line."""

    @property
    def first_line(self) -> int:
        """The number in the file of the first line that belongs to the table."""
        return 2 if self.has_sep_line else 1


@dataclass(frozen=True, slots=True)
class _Trial:
    """The first rows of a file, split in one way."""

    dialect: _Dialect
    header: Header
    equal_widths: int
    """The number of rows with the most frequent number of cells; rows of one cell do not count."""
    error: UnreadableFile | None


def open_sheet(path: Path, options: ReadOptions) -> Sheet:
    """Detect the encoding and the delimiter of a text file, and find its header.

    The delimiter is the one with which the header has most fields, then the one that gives most
    rows the same width. Raises UnreadableFile or UsageError when the file cannot be read so.
    """
    detected = detect_encoding(
        path, options.encoding, earlier=options.earlier_encoding, machine=machine_encoding()
    )
    if isinstance(detected, Undecided):
        # In Latin-1 each byte is a character, which the possible encodings decode afterwards.
        trial = _best_trial(path, "latin-1", options)
        raise undecided_error(path, detected, trial.header, _rows(trial.dialect, prefixed=False))
    best = _best_trial(path, detected.encoding, options)

    def rows() -> Iterator[list[Cell]]:
        return _rows(best.dialect, prefixed=bool(best.header.result_columns))

    header = with_actions(best.header, rows, options)
    if problem := header_error(path.name, header, options):
        raise (
            best.error
            or _quoted_lines_error(path, best, options)
            or _delimiter_error(path, best, options)
            or _low_header_error(best, options)
            or problem
        )
    return Sheet(
        rows=rows,
        header=header,
        encoding=detected.encoding.removesuffix("-sig"),
        encoding_source=detected.source,
        delimiter=best.dialect.delimiter,
    )


def _best_trial(path: Path, encoding: str, options: ReadOptions) -> _Trial:
    """Return the first rows of a file, split at the delimiter that fits best."""
    sep_delimiter = _sep_delimiter(path, encoding)
    if options.delimiter != "auto":
        candidates: Sequence[str] = (_parse_delimiter(options.delimiter),)
    else:
        candidates = (sep_delimiter,) if sep_delimiter else _DELIMITERS
    trials = [
        _try_dialect(
            _Dialect(
                path=path,
                encoding=encoding,
                delimiter=delimiter,
                has_sep_line=bool(sep_delimiter),
            ),
            options,
        )
        for delimiter in candidates
    ]
    return max(trials, key=lambda trial: (len(trial.header.fields), trial.equal_widths))


def _quoted_lines_error(path: Path, trial: _Trial, options: ReadOptions) -> UnreadableFile | None:
    """Return an error when each whole line is quoted, so that one cell holds all the others.

    The titles are there to see, so a message that columns are missing would not help.
    """
    if len(trial.header.titles) != 1 or options.delimiter != "auto":
        return None
    line = trial.header.titles[0].splitlines()[:1]
    rows = [next(csv.reader(line, delimiter=delimiter)) for delimiter in _DELIMITERS]
    if all(find_header([row], options).missing for row in rows):
        return None
    return UnreadableFile(
        f"{path.name}: each line stands in quotation marks as a whole, so that it is one cell. "
        "Save the file from a spreadsheet program, with the cells in columns of their own."
    )


def _delimiter_error(path: Path, trial: _Trial, options: ReadOptions) -> UsageError | None:
    """Return an error when the titles are missing because of the delimiter that the user named."""
    if options.delimiter == "auto" or not trial.header.missing:
        return None
    best = _best_trial(path, trial.dialect.encoding, replace(options, delimiter="auto"))
    delimiter = best.dialect.delimiter
    if delimiter == trial.dialect.delimiter or len(best.header.titles) < 2:
        return None
    # Titles that no delimiter brings to light are another fault, unless this one splits nothing.
    if best.header.missing and len(trial.header.titles) > 1:
        return None
    named, right = _shown_delimiter(trial.dialect.delimiter), _shown_delimiter(delimiter)
    fact = f"{path.name}: the titles are not separated by {named}"
    return UsageError(
        f"{fact}, which --delimiter or input.delimiter names, but by {right}. Name that one, or "
        "leave it out.",
        page_message=f"{fact}, which input.delimiter in the configuration names, but by {right}. "
        "Correct the configuration.",
    )


def _shown_delimiter(delimiter: str) -> str:
    names = {",": "comma", ";": "semicolon", "|": "bar"}
    if delimiter == "\t":
        return "tabs"
    return f'"{delimiter}" ({names[delimiter]})' if delimiter in names else f'"{delimiter}"'


def _low_header_error(trial: _Trial, options: ReadOptions) -> UnreadableFile | None:
    with closing(_rows(trial.dialect, prefixed=False)) as rows:
        row = low_header_row(rows, options)
    return (
        None
        if row is None
        else low_header_error(trial.dialect.path.name, row, trial.header.missing)
    )


def _sep_delimiter(path: Path, encoding: str) -> str | None:
    """Return the delimiter that a first line such as `sep=;` names."""
    with path.open(encoding=encoding, newline="") as file:
        match = _SEP_LINE.fullmatch(file.readline(_SEP_LINE_LENGTH))
    return match[1] if match else None


def _parse_delimiter(setting: str) -> str:
    delimiter = _DELIMITER_NAMES.get(setting.strip().casefold(), setting)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise UsageError(
            f'"{setting}" cannot be a delimiter: '
            "it is one character such as , or ; or |, or the word tab."
        )
    return delimiter


def _try_dialect(dialect: _Dialect, options: ReadOptions) -> _Trial:
    with closing(_rows(dialect, prefixed=False)) as rows:
        head = FirstRows(rows)
        first = head.first(HEADER_ROWS)
        error = head.error
        widths = Counter(len(row) for row in first if len(row) > 1)
        equal_widths = max(widths.values(), default=0)
        return _Trial(dialect, find_header(head, options, prefixed=True), equal_widths, error)


def _rows(dialect: _Dialect, *, prefixed: bool) -> Generator[list[Cell]]:
    """Yield the rows as a spreadsheet counts them: a cell of several lines is part of one row."""
    for row in _split(dialect):
        if prefixed:
            row = [strip_formula_prefix(cell) for cell in row]
        yield [cell or None for cell in row]


def _split(dialect: _Dialect) -> Iterator[list[str]]:
    """Yield the cells of each row: by csv.reader up to the first error, then by lenient_rows.

    csv.reader is written in C and many times faster, and strict mode finds the quotation marks
    that it would otherwise merge into a cell silently.
    """
    # The limit is global to the process; the plan has a process of its own.
    csv.field_size_limit(MAX_CELL_LENGTH)
    lines_done = 0
    with _open_lines(dialect) as lines:
        reader = csv.reader(lines, delimiter=dialect.delimiter, strict=True)
        try:
            for row in reader:
                if len(row) > _MAX_COLUMNS:
                    row = _trim_row(row, dialect, dialect.first_line + lines_done)
                yield row
                lines_done = reader.line_num
        except csv.Error:
            pass  # the row that failed is read again below
        else:
            return
    with _open_lines(dialect) as lines:
        remaining_lines = islice(lines, lines_done, None)
        first_line = dialect.first_line + lines_done
        for line_number, row in lenient_rows(
            remaining_lines, dialect.delimiter, name=dialect.path.name, first_line=first_line
        ):
            yield row if len(row) <= _MAX_COLUMNS else _trim_row(row, dialect, line_number)


@contextmanager
def _open_lines(dialect: _Dialect) -> Iterator[Iterator[str]]:
    """Open the text below the `sep=` line. The lines keep their ends, which csv.reader needs."""
    with dialect.path.open(encoding=dialect.encoding, newline="") as file:
        if dialect.has_sep_line:
            file.readline(_MAX_LINE_LENGTH)

        def lines() -> Iterator[str]:
            number = dialect.first_line
            while line := file.readline(_MAX_LINE_LENGTH):
                if len(line) == _MAX_LINE_LENGTH:
                    raise UnreadableFile(
                        f"{dialect.path.name}, line {number}: the line does not end, so this is no "
                        "table. Open it in a spreadsheet program and save it as .xlsx or .csv."
                    )
                yield line
                number += 1

        yield lines()


def _trim_row(row: list[str], dialect: _Dialect, line_number: int) -> list[str]:
    """Return a row without the blanks beyond the last column that a spreadsheet has."""
    if any(map(is_filled, islice(row, _MAX_COLUMNS, None))):
        raise UnreadableFile(
            f"{dialect.path.name}, line {line_number}: the row has {len(row):,} cells, more than "
            "a spreadsheet has columns. Check how the file was made."
        )
    return row[:_MAX_COLUMNS]
