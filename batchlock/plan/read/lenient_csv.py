"""Cut text into cells where csv.reader gives up: spaces after a closing quotation mark."""

import re
from collections.abc import Iterator

from batchlock.core.errors import UnreadableFile

LONGEST_CELL = 1 << 20
"""Characters; a longer cell is one whose quotation mark nobody closed."""

_INSIDE = re.compile(r'(?:[^"]++|"")*+')
_Numbered = Iterator[tuple[int, str]]


def lenient_rows(
    lines: Iterator[str], delimiter: str, *, name: str, first: int
) -> Iterator[list[str]]:
    """Yield the rows of lines as csv.reader does, but take spaces between a quote and a delimiter.

    The spaces are no part of the cell. `name` is the file's and `first` the number of its first
    line here. Raises UnreadableFile at a quotation mark that is not closed, or not doubled.
    """
    plain = re.compile(rf"[^{re.escape(delimiter)}\r\n]*+")
    spaces = re.compile("" if delimiter == " " else " *+")
    numbered = enumerate(lines, first)
    for number, line in numbered:
        where = f"{name}, line {number}"
        row: list[str] = []
        at = 0
        goes_on = bool(line.strip("\r\n"))
        while goes_on:
            if line.startswith('"', at):
                cell, line, at = _quoted(numbered, line, at + 1, where)
                at = _end(spaces, line, at)
            else:
                end = _end(plain, line, at)
                cell, at = line[at:end], end
            if len(cell) > LONGEST_CELL:
                raise UnreadableFile(
                    f"{where}: a cell in the row that begins here has more than "
                    f"{LONGEST_CELL:,} characters. Shorten it."
                )
            row.append(cell)
            goes_on = line.startswith(delimiter, at)
            if not goes_on and line[at:].strip("\r\n"):
                raise _not_closed(where)
            at += 1
        yield row


def _quoted(lines: _Numbered, line: str, at: int, where: str) -> tuple[str, str, int]:
    """Read a cell up to its closing quotation mark, which may be lines away."""
    pieces = []
    length = 0
    while True:
        end = _end(_INSIDE, line, at)
        pieces.append(line[at:end])
        length += end - at
        if end < len(line):
            return "".join(pieces).replace('""', '"'), line, end + 1
        _, line = next(lines, (0, ""))
        at = 0
        if not line or length > LONGEST_CELL:
            raise _not_closed(where)


def _end(pattern: re.Pattern[str], line: str, at: int) -> int:
    """Return where a pattern that fits everywhere ends."""
    found = pattern.match(line, at)
    assert found is not None
    return found.end()


def _not_closed(where: str) -> UnreadableFile:
    return UnreadableFile(
        f"{where}: a quotation mark in the row that begins here is not closed, or stands inside a "
        "quoted cell without being doubled. Mend that row, or save the file from a spreadsheet "
        "program."
    )
