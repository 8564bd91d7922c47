"""Split text into cells where csv.reader in strict mode fails: at spaces after a closing quote."""

import re
from collections.abc import Iterator

from batchlock.core.errors import UnreadableFile

# csv.reader's own limit is 131,072 characters, which a pasted document in a reason can pass; such
# a row is then refused by itself, for its length. A cell of a million characters is one whose
# quotation mark is not closed: without a limit it would take the rest of the file.
MAX_CELL_LENGTH = 1 << 20

# The text of a quoted cell: a quotation mark inside is doubled. Possessive (`*+`), because with
# backtracking a long cell without an end would take quadratic time.
_QUOTED_TEXT = re.compile(r'(?:[^"]++|"")*+')
_NumberedLines = Iterator[tuple[int, str]]


def lenient_rows(
    lines: Iterator[str], delimiter: str, *, name: str, first_line: int
) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows as csv.reader does, but accept spaces between a closing quote and a delimiter.

    Each row comes with the number of its first line. The spaces do not become part of the cell.
    `name` is the file name, for messages, and `first_line` the number of the first of `lines`.
    Raises UnreadableFile at a quotation mark that is not closed or not doubled, and at a cell that
    is longer than MAX_CELL_LENGTH.
    """
    unquoted_text = re.compile(rf"[^{re.escape(delimiter)}\r\n]*+")
    # With a space as delimiter, a space after the quote ends the cell.
    spaces = re.compile("" if delimiter == " " else " *+")
    numbered_lines = enumerate(lines, first_line)
    for number, line in numbered_lines:
        place = f"{name}, line {number}"
        row: list[str] = []
        position = 0
        has_more = bool(line.strip("\r\n"))
        while has_more:
            if line.startswith('"', position):
                cell, line, position = _quoted_cell(numbered_lines, line, position + 1, place)
                position = _match_end(spaces, line, position)
            else:
                end = _match_end(unquoted_text, line, position)
                cell, position = line[position:end], end
            if len(cell) > MAX_CELL_LENGTH:
                raise UnreadableFile(
                    f"{place}: a cell in the row that begins here has more than "
                    f"{MAX_CELL_LENGTH:,} characters. Shorten it."
                )
            row.append(cell)
            has_more = line.startswith(delimiter, position)
            if not has_more and line[position:].strip("\r\n"):
                raise _not_closed(place)
            position += 1
        yield number, row


def _quoted_cell(
    lines: _NumberedLines, line: str, position: int, place: str
) -> tuple[str, str, int]:
    """Read a cell up to its closing quotation mark, which may be in a later line.

    Returns the cell, the line that holds the closing mark, and the position behind that mark.
    """
    parts = []
    length = 0
    while True:
        end = _match_end(_QUOTED_TEXT, line, position)
        parts.append(line[position:end])
        length += end - position
        if end < len(line):
            return "".join(parts).replace('""', '"'), line, end + 1
        _, line = next(lines, (0, ""))
        position = 0
        if not line or length > MAX_CELL_LENGTH:
            raise _not_closed(place)


def _match_end(pattern: re.Pattern[str], line: str, position: int) -> int:
    """Return the end of a match; the pattern must match everywhere, if only the empty text."""
    match = pattern.match(line, position)
    assert match is not None
    return match.end()


def _not_closed(place: str) -> UnreadableFile:
    return UnreadableFile(
        f"{place}: a quotation mark in the row that begins here is not closed, or stands inside a "
        "quoted cell without being doubled. Correct that row, or save the file from a spreadsheet "
        "program."
    )
