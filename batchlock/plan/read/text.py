"""Read a text file: its delimiter, its header, its rows."""

import csv
import re
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from batchlock.core.errors import UnreadableFile, UsageError
from batchlock.core.rows import Cell
from batchlock.plan.read.encoding import detect_encoding
from batchlock.plan.read.header import HEADER_ROWS, find_header, header_error, strip_formula_prefix
from batchlock.plan.read.lenient_csv import LONGEST_CELL, lenient_rows
from batchlock.plan.read.table import Header, ReadOptions, Sheet, is_filled

_LONGEST_LINE = 1 << 24
"""Characters; there is no table in a longer one."""
_WIDEST = 1 << 14
"""Cells; a spreadsheet has no more columns."""

_CANDIDATES = (",", ";", "\t", "|")
_NAMES = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "bar": "|", "pipe": "|"}
_DECLARED = re.compile(r'"?sep=([^\r\n"])"?[ ,;|\t]*[\r\n]*', re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    """A text file cut into cells in one way."""

    path: Path
    encoding: str
    delimiter: str
    declared: bool
    """Whether the first line names the delimiter; for a spreadsheet that line is not there."""

    @property
    def first(self) -> int:
        """The number of the first line that belongs to the table."""
        return 2 if self.declared else 1


@dataclass(frozen=True, slots=True)
class _Trial:
    """What the first rows look like, cut in one way."""

    cut: _Cut
    header: Header
    alike: int
    """The number of rows that have the same number of cells, more than one."""
    error: UnreadableFile | None


def open_sheet(path: Path, options: ReadOptions) -> Sheet:
    """Find how the text is encoded and cut into cells, and its header."""
    encoding = detect_encoding(path, options.encoding)
    declared = _declared_delimiter(path, encoding)
    if options.delimiter != "auto":
        candidates: Sequence[str] = (_named_delimiter(options.delimiter),)
    else:
        candidates = (declared,) if declared else _CANDIDATES
    trials = [
        _try(_Cut(path=path, encoding=encoding, delimiter=each, declared=bool(declared)), options)
        for each in candidates
    ]
    best = max(trials, key=lambda trial: (len(trial.header.fields), trial.alike))
    if problem := header_error(path.name, best.header, options):
        raise best.error or _quoted_lines(path, best, options) or problem
    return Sheet(
        rows=lambda: _rows(best.cut, prefixed=bool(best.header.result_columns)),
        header=best.header,
        encoding=encoding.removesuffix("-sig"),
        delimiter=best.cut.delimiter,
    )


def _quoted_lines(path: Path, trial: _Trial, options: ReadOptions) -> UnreadableFile | None:
    """Return the refusal of lines that are one quoted cell each, with all their cells in it."""
    if len(trial.header.titles) != 1 or options.delimiter != "auto":
        return None
    line = trial.header.titles[0].splitlines()[:1]
    cuts = [next(csv.reader(line, delimiter=each)) for each in _CANDIDATES]
    if all(find_header([cut], options).missing for cut in cuts):
        return None
    return UnreadableFile(
        f"{path.name}: each line stands in quotation marks as a whole, so that it is one cell. "
        "Save the file from a spreadsheet program, with the cells in columns of their own."
    )


def _declared_delimiter(path: Path, encoding: str) -> str | None:
    """Return the delimiter that a first line such as `sep=;` names."""
    with path.open(encoding=encoding, newline="") as file:
        found = _DECLARED.fullmatch(file.readline(64))
    return found[1] if found else None


def _named_delimiter(wanted: str) -> str:
    delimiter = _NAMES.get(wanted.strip().casefold(), wanted)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise UsageError(
            f'"{wanted}" cannot be a delimiter: '
            "it is one character such as , or ; or |, or the word tab."
        )
    return delimiter


def _try(cut: _Cut, options: ReadOptions) -> _Trial:
    head: list[list[Cell]] = []
    error = None
    with closing(_rows(cut, prefixed=False)) as rows:
        try:
            for row in islice(rows, HEADER_ROWS):
                head.append(row)  # noqa: PERF402 - what came before an error counts
        except UnreadableFile as caught:
            error = caught
    widths = Counter(len(row) for row in head if len(row) > 1)
    alike = max(widths.values(), default=0)
    return _Trial(cut, find_header(head, options, prefixed=True), alike, error)


def _rows(cut: _Cut, *, prefixed: bool) -> Generator[list[Cell]]:
    """Yield the rows as a spreadsheet counts them: a cell of many lines is in one row."""
    for row in _cells(cut):
        if prefixed:
            row = [strip_formula_prefix(cell) for cell in row]
        yield [cell or None for cell in row]


def _cells(cut: _Cut) -> Iterator[list[str]]:
    """Yield the rows, the fast way as far as the quotation marks are where they belong."""
    csv.field_size_limit(LONGEST_CELL)
    done = 0
    with _lines(cut) as lines:
        reader = csv.reader(lines, delimiter=cut.delimiter, strict=True)
        try:
            for row in reader:
                yield row if len(row) <= _WIDEST else _narrowed(row, cut, done)
                done = reader.line_num
        except csv.Error:
            pass
        else:
            return
    with _lines(cut) as lines:
        rest = islice(lines, done, None)
        for row in lenient_rows(rest, cut.delimiter, name=cut.path.name, first=cut.first + done):
            yield row if len(row) <= _WIDEST else _narrowed(row, cut, done)


@contextmanager
def _lines(cut: _Cut) -> Iterator[Iterator[str]]:
    """Open the text below the line that names the delimiter."""
    with cut.path.open(encoding=cut.encoding, newline="") as file:
        if cut.declared:
            file.readline(_LONGEST_LINE)

        def lines() -> Iterator[str]:
            number = cut.first
            while line := file.readline(_LONGEST_LINE):
                if len(line) == _LONGEST_LINE:
                    raise UnreadableFile(
                        f"{cut.path.name}, line {number}: the line does not end, so this is no "
                        "table. Open it in a spreadsheet program and save it as .xlsx or .csv."
                    )
                yield line
                number += 1

        yield lines()


def _narrowed(row: list[str], cut: _Cut, done: int) -> list[str]:
    """Return a row without the blanks beyond the last column that a spreadsheet has."""
    if any(map(is_filled, islice(row, _WIDEST, None))):
        raise UnreadableFile(
            f"{cut.path.name}, line {done + cut.first}: the row has {len(row):,} cells, more than "
            "a spreadsheet has columns. Check how the file was made."
        )
    return row[:_WIDEST]
