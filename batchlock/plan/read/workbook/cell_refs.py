"""Check that the rows of a worksheet in XML are written as python-calamine reads them right.

It trusts the references: of two rows or cells with the same one it keeps the last, and a cell with
the number of another row goes to that row. It takes a number with white space or a comment around
it for 0 or for none, which for a shared string is another text.
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


def row_numbers(piece: bytes, prefix: bytes, previous_row: int) -> list[int] | None:
    """Return the numbers of the rows in a piece of a worksheet that holds only whole rows.

    None when a row or cell is not written as nearly every program does: python-calamine may read
    it wrong. `prefix` is the namespace prefix of the tags, with its colon. Raises ValueError when
    the numbers do not ascend from `previous_row`, and when a cell occurs twice.
    """
    ascending_row, any_row, cell_ref = _usual_rows(prefix)
    numbers = _numbers(ascending_row, piece)
    if numbers is None:
        numbers = _numbers(any_row, piece)
        if numbers is None:
            return None
        refs = cell_ref.findall(piece)
        if len(refs) != len(set(refs)):
            raise ValueError("a cell out of place")
    if numbers and (numbers[0] <= previous_row or numbers != sorted(set(numbers))):
        raise ValueError("rows out of order")
    return numbers


def _numbers(row: re.Pattern[bytes], piece: bytes) -> list[int] | None:
    """Return the numbers of the rows, None when there is anything between the rows."""
    rows = row.findall(piece)
    if sum(len(text) for text, _ in rows) != len(piece.rstrip()):
        return None
    return [int(number) for _, number in rows]


def position(letters: bytes) -> int:
    """Return the position of a column, counted from 0."""
    number = 0
    for letter in letters.upper():
        number = number * LETTERS + letter - ord("A") + 1
    return number - 1


@cache
def _usual_rows(prefix: bytes) -> tuple[re.Pattern[bytes], ...]:
    """Return patterns for rows as nearly every program writes them.

    The first pattern matches a row whose cells have the right number and ascend from A to Z, the
    second a row whose cells have the right number in any column, the third the reference of a
    cell. Every repetition is possessive: no backtracking on a hostile sheet.
    """
    tag = re.escape(prefix)
    start = rb"<" + tag + rb'c r="'
    parts = {
        b"c": tag + b"c",
        # The index of the format, and what dynamic arrays and phonetic texts add (cm, vm, ph).
        b"more": rb'(?: (?:s|cm|vm|ph)="\d++")*+',
        b"formula": rb"(?:<%bf[^>&]*+(?:(?<=/)>|>[^<]*+</%bf>))?+" % (tag, tag),
        b"number": rb"(?:<%bv>(?:-?\d[\d.eE+-]*+)?+</%bv>|<%bv ?/>)?+" % (tag, tag, tag),
        b"text": rb"(?:<%bv>[^<]*+</%bv>|<%bv ?/>)?+" % (tag, tag, tag),
        b"v": tag + b"v",
        b"inline": rb'<%bis><%bt(?: xml:space="preserve")?+>[^<]*+</%bt></%bis>'
        % (tag, tag, tag, tag),
    }
    contents = (
        rb">%(formula)b%(number)b</%(c)b>",
        rb' t="n"%(more)b>%(formula)b%(number)b</%(c)b>',
        rb' t="s"%(more)b>(?:<%(v)b>\d++</%(v)b>)?+</%(c)b>',
        rb' t="str"%(more)b>%(formula)b%(text)b</%(c)b>',
        rb' t="b"%(more)b>%(formula)b<%(v)b>[01]</%(v)b></%(c)b>',
        rb' t="e"%(more)b>%(formula)b<%(v)b>[^<&]*+</%(v)b></%(c)b>',
        rb' t="inlineStr"%(more)b>%(inline)b</%(c)b>',
        rb'(?: t="\w++"%(more)b)?+/>',
    )
    # After the letters of the column: the row's own number (\2), the attributes, and the content.
    rest = (rb'\2"%(more)b(?:' + b"|".join(contents) + b")") % parts
    ascending = b"".join(b"(?:%b%c%b)?+" % (start, letter, rest) for letter in _ALPHABET)
    row = rb'(\s*+<%brow r="(\d+)"[^>&]*+>(?:(?<=/>)|%b</%brow>))'
    return (
        re.compile(row % (tag, ascending, tag)),
        re.compile(row % (tag, rb"(?:%b[A-Z]++%b)*+" % (start, rest), tag)),
        re.compile(start + rb"(\w+)"),
    )
