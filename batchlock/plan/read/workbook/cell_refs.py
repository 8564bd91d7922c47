"""Check that the row and cell references of a worksheet in XML are unique and ascend.

python-calamine trusts the references: of two rows or cells with the same one it keeps the last,
and a cell with the number of another row goes to that row.
"""

import re
from functools import cache

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LETTERS = len(_ALPHABET)

# A start tag of a row or cell with any namespace prefix: .xlsx files of some report generators
# write <x:row>. The groups are the name, the attributes and the slash of an empty element.
TAG = re.compile(rb"<(?:\w+:)?(row|c)((?:\s[^>]*?)?)(/?)>")

# XML allows both kinds of quotation marks and white space around "=", so the patterns do too.
ROW_NUMBER = re.compile(rb"""\sr\s*=\s*["'](\d+)["']""")
CELL_REF = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]+)(\d+)["']""")


def row_numbers(piece: bytes, prefix: bytes, previous_row: int) -> list[int]:
    """Return the numbers of the rows in a piece of a worksheet that holds only whole rows.

    `prefix` is the namespace prefix of the tags, with its colon. A row without a reference follows
    the one before it (ECMA-376 part 1, 18.3.1.73). Raises ValueError when the numbers do not
    ascend from `previous_row`, when a cell occurs twice, and when it refers to another row.
    """
    count = piece.count(b"<" + prefix + b"row")
    ascending_row, any_row, cell_ref = _fast_patterns(prefix)
    numbers = [*map(int, ascending_row.findall(piece))]
    if len(numbers) != count:
        numbers = [*map(int, any_row.findall(piece))]
        refs = cell_ref.findall(piece)
        if len(numbers) != count or len(refs) != len(set(refs)):
            numbers = _scan_tags(piece, previous_row)
    if numbers and (numbers[0] <= previous_row or numbers != sorted(set(numbers))):
        raise ValueError("rows out of order")
    return numbers


def position(letters: bytes) -> int:
    """Return the position of a column, counted from 0."""
    number = 0
    for letter in letters.upper():
        number = number * LETTERS + letter - ord("A") + 1
    return number - 1


@cache
def _fast_patterns(prefix: bytes) -> tuple[re.Pattern[bytes], ...]:
    """Return patterns for rows as nearly every program writes them.

    They check a row in a fraction of the time that `_scan_tags` takes. A row that they do not
    match is not wrong, only unusual. The first pattern matches a row whose cells have the right
    number and ascend from A to Z, the second a row whose cells have the right number in any
    column, the third the reference of a cell.
    """
    tag = re.escape(prefix)
    start = rb"<" + tag + rb'c r="'
    # After the letters of the column: the row's own number (\1), the attributes, and the content
    # up to the next cell or the end of the row. Most cells are <v>…</v>, which the first branch
    # matches at once. Every repetition is possessive: no backtracking on a hostile sheet.
    rest = (
        rb"\1\"[^>]*+>(?:<%bv>[^<]*+</%bv></%bc>|[^<]*+(?:<(?!%bc[\s/>]|/%brow)[^<]*+)*+)"
    ).replace(b"%b", tag)
    ascending = b"".join(b"(?:%b%c%b)?+" % (start, letter, rest) for letter in _ALPHABET)
    row = rb'<%brow r="(\d+)"[^>]*+>(?:(?<=/>)|[^<]*+%b</%brow>)'
    return (
        re.compile(row % (tag, ascending, tag)),
        re.compile(row % (tag, rb"(?:%b[A-Z]++%b)*+" % (start, rest), tag)),
        re.compile(start + rb"(\w+)"),
    )


def _scan_tags(piece: bytes, previous_row: int) -> list[int]:
    """Return the numbers of the rows from each tag in turn, however it is written."""
    numbers = []
    row = previous_row
    column, columns = -1, set[int]()
    for kind, attributes, _ in TAG.findall(piece):
        if kind == b"row":
            number = ROW_NUMBER.search(attributes)
            row = int(number[1]) if number else row + 1
            numbers.append(row)
            column, columns = -1, set()
            continue
        ref = CELL_REF.search(attributes)
        column = position(ref[1]) if ref else column + 1
        if column in columns or (ref and int(ref[2]) != row):
            raise ValueError("a cell out of place")
        columns.add(column)
    return numbers
